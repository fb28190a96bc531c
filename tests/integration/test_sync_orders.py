"""What a person says, what is set aside, and what a new destination is sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.custody.manifest import SIGNATURE
from dock_agent.errors import ConfigError, VaultUnusable
from dock_agent.recording import DestinationName, TransferId, TransferState
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.store import backlog, destinations, files, orders, transfers
from dock_agent.store.backlog import Waiting
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.orders import Which
from dock_agent.store.transfers import NewTransfer
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Object
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import GIVE_UP_AFTER
from dock_agent.sync.worker import Worker
from dock_agent.vault.layout import MARKER
from support.bench import Bench
from support.books import DIGEST, MAIN, NAS, Books, ident
from support.cards import card
from support.outbox import HOUR, Around, Outbox, outbox
from support.queues import CLOUD, SEAL, states

OTHER = DestinationName("other")
SIZES = {"VIDEO/1.MP4": 30_000, "VIDEO/1.NMEA": 400}
S = TransferState


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


class Station(Bench):
    """Really offloaded dockings, and clouds for them."""

    def clouds(self, *names: DestinationName) -> dict[DestinationName, SimulatedCloud]:
        return {name: SimulatedCloud(ManualClock()) for name in names}

    def worker(self, clouds: dict[DestinationName, SimulatedCloud]) -> Worker:
        lanes = {name: Lane(cloud) for name, cloud in clouds.items()}
        worker = Worker(self.vault, lanes, ManualClock())
        worker.begin(self.conn, dict.fromkeys(lanes, "s3"))
        return worker

    def held(self, *dockings: Docking) -> dict[str, bytes]:
        """Return what the vault has of these dockings, by key."""
        return {
            str(path.relative_to(self.vault)): path.read_bytes()
            for docking in dockings
            for path in self.bag(docking).rglob("*")
            if path.is_file()
        }


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    yield made
    made.close()


def test_a_destination_that_a_person_holds_back_is_asked_nothing(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    with transaction(bench.conn):
        destinations.pause(bench.conn, CLOUD, bench.clock.now(), paused=True)

    told = bench.worker.run_once(bench.conn)
    calls = bench.cloud.calls
    with transaction(bench.conn):
        destinations.pause(bench.conn, CLOUD, bench.clock.now(), paused=False)
    bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.waiting, calls) == (0, 2, 0)
    assert bench.arrived() == bench.queue.sent
    assert [fact["asked"] for fact in bench.told("order")] == ["to wait", "to go on"]


def test_a_destination_that_nobody_knows_cannot_be_held_back(bench: Outbox) -> None:
    at = bench.clock.now()

    with pytest.raises(ConfigError, match="other"), transaction(bench.conn):
        destinations.pause(bench.conn, OTHER, at, paused=True)


def test_what_is_being_sent_when_its_destination_is_held_back_is_let_through(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10, 20])

    def pause(item: Object) -> None:
        del item
        with transaction(bench.conn):
            destinations.pause(bench.conn, CLOUD, bench.clock.now(), paused=True)

    told = bench.through(Around(bench.cloud, after=pause)).run_once(bench.conn)

    assert (told.confirmed, told.waiting) == (1, 2)


def test_an_object_that_a_person_holds_back_waits_and_its_seal_with_it(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10, 20])
    with transaction(bench.conn):
        which = Which(ids=[TransferId(1)])
        count = orders.hold_back(bench.conn, which, bench.clock.now())

    bench.worker.run_once(bench.conn)
    held = list(states(bench.conn).values())
    waits = backlog.waiting(bench.conn).count
    with transaction(bench.conn):
        orders.let_go(bench.conn, Which(CLOUD), bench.clock.now())
    bench.worker.run_once(bench.conn)

    assert count == 1
    assert held == [S.PAUSED, S.CONFIRMED, S.BLOCKED]
    assert waits == 2
    assert bench.arrived() == bench.queue.sent
    assert list(bench.cloud.objects)[-1] == f"dockings/{docking}/{SEAL}"
    assert [fact["asked"] for fact in bench.told("order")] == ["to wait", "to go on"]


def test_what_is_being_sent_cannot_be_held_back(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    counts = []

    def hold(item: Object) -> None:
        if not item.key.endswith(SEAL):
            with transaction(bench.conn):
                which = Which(ids=[TransferId(1)])
                counts.append(orders.hold_back(bench.conn, which, bench.clock.now()))

    bench.through(Around(bench.cloud, before=hold)).run_once(bench.conn)

    assert counts == [0]
    assert bench.arrived() == bench.queue.sent


def test_a_person_who_asks_again_gives_an_object_all_its_tries_anew(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10])
    key = f"dockings/{docking}/data/0000.MP4"
    bench.cloud.weather.never_taken = {key}
    bench.worker.run_once(bench.conn)
    bench.conn.execute(
        "UPDATE transfer SET attempts = ? WHERE id = 1", (GIVE_UP_AFTER - 1,)
    )
    bench.clock.advance(HOUR)
    bench.worker.run_once(bench.conn)
    given_up = states(bench.conn)[key]

    with transaction(bench.conn):
        count = orders.ask_again(bench.conn, Which(CLOUD), bench.clock.now())
    outcome = bench.worker.step(bench.conn, CLOUD)

    assert (given_up, count, outcome) == (S.REFUSED, 1, Outcome.POSTPONED)
    assert bench.column("attempts")[0] == 1
    assert bench.told("order")[0]["asked"] == "to try again"


def test_a_new_destination_is_sent_all_that_was_sealed_before_it(
    station: Station, tmp_path: Path
) -> None:
    first = station.dock(card(tmp_path / "a", SIZES))
    second = station.dock(card(tmp_path / "b", {"VIDEO/2.MP4": 70}))
    station.worker(station.clouds(CLOUD)).run_once(station.conn)
    clouds = station.clouds(CLOUD, OTHER)

    worker = station.worker(clouds)
    worker.run_once(station.conn)
    station.worker(clouds)  # begins once more: nothing is queued twice

    there = clouds[OTHER].objects
    assert there == station.held(first, second)
    for docking in (first, second):
        keys = [key for key in there if key.startswith(str(docking.bag))]
        assert keys[-1] == str(docking.bag / SIGNATURE)
    assert clouds[CLOUD].objects == {}  # as another cloud, it was asked nothing more
    assert backlog.waiting(station.conn) == Waiting(0, 0, 0, None)


@pytest.mark.parametrize(
    "own", ["bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"]
)
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_bag_s_own_file_that_is_not_as_it_was_signed_goes_to_a_person_the_rest_goes(
    station: Station, tmp_path: Path, own: str, harm: str
) -> None:
    broken = station.dock(card(tmp_path / "a", SIZES))
    whole = station.dock(card(tmp_path / "b", {"VIDEO/2.MP4": 70}))
    path = station.bag(broken) / own
    path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes() + b"x")
    clouds = station.clouds(OTHER)

    station.worker(clouds).run_once(station.conn)

    there = clouds[OTHER].objects
    bag = station.bag(broken).relative_to(station.vault)
    assert station.held(whole).items() <= there.items()
    assert {f"{bag}/data/VIDEO/1.MP4", f"{bag}/data/VIDEO/1.NMEA"} <= set(there)
    assert not {f"{bag}/{own}", f"{bag}/{SIGNATURE}"} & set(there)
    assert states(station.conn)[f"{bag}/{own}"] is S.REFUSED
    assert states(station.conn)[f"{bag}/{SIGNATURE}"] is S.BLOCKED


def test_a_destination_that_was_away_while_a_docking_was_sealed_gets_it_whole(
    station: Station, tmp_path: Path
) -> None:
    clouds = station.clouds(OTHER)
    docking = station.dock(card(tmp_path / "a", SIZES))
    with transaction(station.conn):  # some of it had been queued before
        destinations.ensure(station.conn, OTHER, "s3")
        station.conn.execute(
            "INSERT INTO transfer (destination, docking, file, path, key, size, sha256,"
            " state, priority, rank, created_at) SELECT 'other', docking, file, path,"
            " key, size, sha256, 'queued', 2, 0, created_at FROM transfer"
            " WHERE key LIKE '%1.MP4'"
        )

    station.worker(clouds).run_once(station.conn)

    assert clouds[OTHER].objects == station.held(docking)


def test_a_worker_queues_what_was_sealed_while_it_runs(
    station: Station, tmp_path: Path
) -> None:
    clouds = station.clouds(OTHER)
    worker = station.worker(clouds)
    docking = station.dock(card(tmp_path / "a", SIZES))  # for another destination

    worker.fill(station.conn, OTHER)
    worker.run_once(station.conn)

    assert clouds[OTHER].objects == station.held(docking)


@pytest.mark.parametrize("before", [S.PAUSED, S.REFUSED])
def test_a_seal_that_a_person_lets_go_waits_for_the_rest_all_the_same(
    tmp_path: Path, before: TransferState
) -> None:
    books = Books(tmp_path)
    books.open()
    books.add(ident(1), "data/a.MP4")
    books.add(ident(1), f"bag/{SIGNATURE}", before)

    with transaction(books.conn):
        say = orders.let_go if before is S.PAUSED else orders.ask_again
        say(books.conn, Which(ids=[TransferId(2)]), books.at)

    (_, seal) = books.conn.execute("SELECT state FROM transfer ORDER BY id")
    assert seal["state"] == S.BLOCKED
    books.confirm(books.claimed())
    (_, seal) = books.conn.execute("SELECT state FROM transfer ORDER BY id")
    assert seal["state"] == S.QUEUED


def test_a_camera_s_file_that_is_called_as_a_seal_is_tried_again_like_any_other(
    tmp_path: Path,
) -> None:
    books = Books(tmp_path)
    books.open()
    books.verified(ident(1), SIGNATURE)
    held = books.claimed()
    with transaction(books.conn):
        transfers.refuse(books.conn, held, "no", books.at)

    with transaction(books.conn):
        orders.ask_again(books.conn, Which(MAIN), books.at)

    assert books.claimed().key.endswith(f"data/{SIGNATURE}")
    books.close()


def test_a_camera_s_file_that_is_called_as_a_seal_does_not_wait_for_what_was_lost(
    tmp_path: Path,
) -> None:
    books = Books(tmp_path)
    books.open()
    books.verified(ident(1))
    lost = books.claimed()
    books.confirm(lost)
    books.verified(ident(1), SIGNATURE)

    with transaction(books.conn):
        orders.missed(books.conn, lost, "it is no longer there", books.at)

    assert set(states(books.conn).values()) == {S.QUEUED}
    books.close()


def test_a_vault_that_is_not_there_is_no_broken_bag(
    station: Station, tmp_path: Path
) -> None:
    station.dock(card(tmp_path / "a", SIZES))
    (station.vault / MARKER).unlink()

    with pytest.raises(VaultUnusable):
        station.worker(station.clouds(OTHER))

    (station.vault / MARKER).touch()
    station.worker(station.clouds(OTHER))
    assert backlog.waiting(station.conn).count > 0


def test_a_seal_waits_for_what_an_earlier_docking_holds_for_it(
    station: Station, tmp_path: Path
) -> None:
    source = card(tmp_path / "a", SIZES)
    first = station.dock(source)
    card(source, {"VIDEO/2.MP4": 70})
    second = station.dock(source)
    clouds = station.clouds(CLOUD)
    key = str(first.bag / "data/VIDEO/1.MP4")
    clouds[CLOUD].weather.not_taken[key] = 1
    worker = station.worker(clouds)

    worker.run_once(station.conn)
    during = set(clouds[CLOUD].objects)
    with transaction(station.conn):
        orders.ask_again(station.conn, Which(CLOUD), station.clock.now())
    worker.run_once(station.conn)

    seals = [str(docking.bag / SIGNATURE) for docking in (first, second)]
    assert str(second.bag / "data/VIDEO/2.MP4") in during
    assert not during & {key, *seals}
    assert set(clouds[CLOUD].objects) == set(station.held(first, second))
    assert set(list(clouds[CLOUD].objects)[-2:]) == set(seals)


def test_a_seal_waits_for_a_file_that_was_never_queued_there(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.open()
    books.verified(ident(1))  # for the first destination only
    books.add(ident(1), "manifest", to=[NAS])
    books.add(ident(1), "sig", S.BLOCKED, to=[MAIN, NAS])

    books.confirm(books.claimed(MAIN))
    books.confirm(books.claimed(NAS))

    assert books.claimed(MAIN).key == "sig"
    assert books.claim(NAS) is None
    books.close()


@pytest.mark.parametrize("when", ["queued", "sending", "confirmed"])
def test_a_file_that_is_set_aside_is_not_confirmed_and_frees_its_seal(
    tmp_path: Path, when: str
) -> None:
    books = Books(tmp_path)
    books.open()
    file = books.verified(ident(1))
    new = NewTransfer(ident(1), "s", "sig", 1, DIGEST, state=S.BLOCKED)
    with transaction(books.conn):
        transfers.add(books.conn, new, [MAIN], books.at)
    held = None if when == "queued" else books.claimed()
    if when == "confirmed" and held is not None:
        books.confirm(held)

    with transaction(books.conn):
        files.quarantined(books.conn, file, "differs", books.at)
        orders.withdraw(books.conn, file, books.at)

    (row, seal) = books.conn.execute("SELECT state FROM transfer ORDER BY id")
    assert row["state"] == (S.CONFIRMED if when == "confirmed" else S.WITHDRAWN)
    assert seal["state"] == S.QUEUED
    assert len(books.facts(ident(1), "sent before")) == (when != "queued")
    books.close()
