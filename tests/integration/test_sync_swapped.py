"""A connection file that leads elsewhere all of a sudden, under a running worker."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from dock_agent.config import Config, Station, Store, Vault
from dock_agent.config_tables import Destination as Table
from dock_agent.recording import LinkState, TransferState
from dock_agent.store import custody
from dock_agent.sync.lane import Lane
from dock_agent.sync.place import place_of
from dock_agent.sync.worker import Worker
from support.axis_server import KEY, USER, AxisServer, axis_server
from support.outbox import MINUTE, Outbox, outbox
from support.place_axis import axis
from support.queues import CLOUD, states


@dataclass
class Account:
    """A station that sends to what its connection file says, and two such places."""

    outbox: Outbox
    file: Path
    first: AxisServer
    second: AxisServer
    worker: Worker

    def leads_to(self, server: AxisServer, **other: object) -> None:
        """Exchange the connection file."""
        server.write(self.file.parent, **other).replace(self.file)

    def step(self) -> None:
        """Let a docking of one file be sent, as far as it goes."""
        self.outbox.clock.advance(MINUTE / 2)
        self.worker.run_once(self.outbox.conn)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with ExitStack() as stack:
        bench = stack.enter_context(outbox(tmp_path))
        first, second = (stack.enter_context(axis_server()) for _ in range(2))
        file = first.write(tmp_path).replace(tmp_path / "connection.json")
        table = Table(name=CLOUD, kind="axis", connection_file=str(file))
        whole = Config(
            station=Station(id="a"), vault=Vault(path="v"), store=Store(path="s")
        )
        lane = Lane(stack.enter_context(closing(axis(file))))
        lane = Lane(lane.destination, where=place_of(whole, table))
        worker = Worker(bench.queue.vault, {CLOUD: lane}, bench.clock)
        bench.queue.docking(1, [10])
        worker.begin(bench.conn, {CLOUD: "axis"})
        worker.run_once(bench.conn)
        assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}
        yield Account(bench, file, first, second, worker)


def test_a_file_that_leads_to_another_account_is_noticed_before_anything_is_sent(
    account: Account,
) -> None:
    account.outbox.queue.docking(2, [10])

    account.leads_to(account.second)
    account.step()

    assert account.second.boxes == {}
    assert account.outbox.link() is LinkState.BARRED
    assert "its marker is gone" in (account.outbox.row().failure or "")


def test_a_new_key_for_the_same_account_goes_on(account: Account) -> None:
    account.outbox.queue.docking(2, [10])

    account.leads_to(account.first, ApplicationVersion="9")
    account.step()

    assert set(states(account.outbox.conn).values()) == {TransferState.CONFIRMED}
    assert account.outbox.told("destination moved") == []


def test_nothing_that_is_kept_or_logged_has_a_secret_in_it(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    account.outbox.queue.docking(2, [10])
    with caplog.at_level(logging.DEBUG):
        account.leads_to(account.second)
        account.step()
        account.file.write_text("{")
        account.outbox.send_for(20 * MINUTE, MINUTE, account.worker)

    kept = "".join(account.outbox.conn.iterdump())
    said = caplog.text + custody.log(account.outbox.conn)
    assert "connection.json" in said
    assert KEY not in kept + said
    assert USER not in (account.outbox.row().place or "")
