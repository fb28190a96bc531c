"""What a docking's child does, forked by the nursery that it ends with."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection

from dock_agent.errors import DockError, StoreError
from dock_agent.offload.bench import Bench
from dock_agent.offload.child import Offload
from dock_agent.offload.messages import Ended, Heard, Looking, Order, Said, ended
from dock_agent.offload.scan import MountedSource
from dock_agent.vault.disk import vault_errors
from dock_agent.vault.lock import lock_bag
from dock_agent.vault.real import RealDisk

LANES = 2  # while one batch is flushed and read back, the next is read


class ParentGone(Exception):
    """Nobody is there to prove anything to; no handler of the disk's errors fits."""


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise ParentGone from error


class Pipe:
    """The way to the parent through a pipe. Meets `child.Channel`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, said: Said) -> Heard:
        with _connected():
            self._connection.send(said)
            heard: Heard = self._connection.recv()
            return heard

    def tell(self, said: Said) -> None:
        with _connected():
            self._connection.send(said)


def main(connection: Connection, order: Order) -> None:
    """Offload as ordered. Says `Ended` where it cannot go on; then ends.

    It holds its bag locked, so that a recovery can tell that it still lives.
    """
    with suppress(ParentGone):
        speak(Pipe(connection), partial(_offload, order=order))


def speak(pipe: Pipe, work: Callable[[Pipe], None]) -> None:
    """Do the work; say `Ended` where it cannot go on. Raises `ParentGone`."""
    try:
        work(pipe)
    except DockError as error:
        pipe.tell(ended(error))
    except ParentGone:
        raise
    except Exception as error:  # noqa: BLE001  the last resort of this process
        pipe.tell(Ended("Unforeseen", f"{type(error).__name__}: {error}"))


def _offload(pipe: Pipe, order: Order) -> None:
    disk = RealDisk(within=order.vault)
    with vault_errors():
        disk.make_directory(order.bag)
    lock = lock_bag(order.bag)
    if lock is None:
        raise StoreError(f"{order.bag} is being written by an earlier offload")
    tree = MountedSource(order.source, order.root)
    tree.beat = partial(pipe.tell, Looking())
    try:
        Offload(Bench(tree, disk, pipe, _waiter(), LANES), order).run()
    finally:
        tree.close()
        os.close(lock)


def _waiter() -> Callable[[float], None]:
    never = threading.Event()

    def wait(seconds: float) -> None:
        never.wait(seconds)

    return wait
