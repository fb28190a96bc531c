"""What the child of one erase does, forked by the nursery that it ends with."""

import signal
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from dock_agent.offload.erase.card import WritableCard
from dock_agent.offload.erase.door import door_of
from dock_agent.offload.erase.work import Erase, Way
from dock_agent.offload.messages import EraseOrder, Looking
from dock_agent.offload.process import ParentGone, Pipe, speak
from dock_agent.vault.real import RealDisk


def main(connection: Connection, order: EraseOrder) -> None:
    """Erase as ordered. Says `Ended` where it cannot go on; then ends."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody opened what we look at
    with suppress(ParentGone):
        speak(Pipe(connection), partial(_erase, order=order))


def _erase(pipe: Pipe, order: EraseOrder) -> None:
    def opened(root: Path) -> WritableCard:
        card = WritableCard(root, order.root, private=order.private)
        card.beat = partial(pipe.tell, Looking())
        return card

    way = Way(opened, door_of(order.source, order.root))
    Erase(way, RealDisk(), pipe, order).run()
