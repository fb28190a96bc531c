"""Any order of what the station does leaves a store that tells nothing untrue."""

import json
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dock_agent.errors import StoreError
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingState,
    FileId,
    FileState,
    TransferState,
)
from dock_agent.store import backlog, custody, dockings, files, orders, transfers
from dock_agent.store.db import transaction
from dock_agent.store.orders import Which
from dock_agent.store.transfers import Transfer
from support.books import MAIN, NAS, Books, ident

DOCKINGS = st.integers(1, 3)
NAMES = st.sampled_from(["a", "b"])
PLACES = st.sampled_from([MAIN, NAS])
SEAL = "tagmanifest.sig"


class Station(RuleBasedStateMachine):
    """Does what any part of the station may do, whether or not it is time."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.books = Books(self.root)
        self.claimed: list[Transfer] = []

    def teardown(self) -> None:
        self.books.close()
        shutil.rmtree(self.root)

    @rule(number=DOCKINGS)
    def open(self, number: int) -> None:
        with suppress(StoreError):
            self.books.open(number)

    @rule(number=DOCKINGS, name=NAMES)
    def list_file(self, number: int, name: str) -> None:
        with suppress(StoreError):
            self.books.inventory(ident(number), [name])

    @rule(number=DOCKINGS, data=st.data())
    def prove_or_name(self, number: int, data: st.DataObject) -> None:
        there = files.of_docking(self.books.conn, ident(number))
        if not there:
            return
        file = data.draw(st.sampled_from(there))
        step = data.draw(st.sampled_from([self.books.prove, self.name]))
        with suppress(StoreError):
            step(file.id)

    def name(self, file: FileId) -> None:
        self.books.name(file, to=[MAIN, NAS])

    @rule(number=DOCKINGS, data=st.data(), doubted=st.booleans())
    def lose(self, number: int, data: st.DataObject, *, doubted: bool) -> None:
        there = files.of_docking(self.books.conn, ident(number))
        if not there:
            return
        file = data.draw(st.sampled_from(there))
        change = files.quarantined if doubted else files.missed
        with suppress(StoreError), transaction(self.books.conn):
            change(self.books.conn, file.id, "why", self.books.at)

    @rule(number=DOCKINGS, held=DOCKINGS, name=NAMES)
    def match(self, number: int, held: int, name: str) -> None:
        conn = self.books.conn
        ours, theirs = (
            [f for f in files.of_docking(conn, ident(n)) if f.stored == name]
            for n in (number, held)
        )
        if not ours or not theirs or number == held:
            return
        with suppress(StoreError), transaction(conn):
            files.matched(conn, {ours[0].id: theirs[0].id}, self.books.at)

    @rule(number=DOCKINGS)
    def seal(self, number: int) -> None:
        conn, docking = self.books.conn, ident(number)
        with suppress(StoreError), transaction(conn):
            state = dockings.get(conn, docking).state
            if state is DockingState.SEALED:
                return
            change = dockings.Change(state, DockingState.SEALED, complete=False)
            dockings.set_state(conn, docking, change, self.books.at)
            for key, at_first in (
                ("manifest", TransferState.QUEUED),
                (SEAL, TransferState.BLOCKED),
            ):
                path = f"dockings/{docking}/{key}"
                new = transfers.NewTransfer(
                    docking, path, path, 1, Digest("c" * 64), state=at_first
                )
                transfers.add(conn, new, [MAIN, NAS], self.books.at)

    @rule(to=PLACES)
    def claim(self, to: DestinationName) -> None:
        found = self.books.claim(to)
        if found is not None:
            self.claimed.append(found)

    @rule(
        data=st.data(),
        end=st.sampled_from(["confirm", "postpone", "refuse", "ask_again"]),
    )
    def report(self, data: st.DataObject, end: str) -> None:
        if not self.claimed:
            return
        one, conn = data.draw(st.sampled_from(self.claimed)), self.books.conn
        with suppress(StoreError):
            if end == "confirm":
                self.books.confirm(one)
                return
            with transaction(conn):
                if end == "postpone":
                    due = self.books.at.utc + timedelta(minutes=1)
                    transfers.postpone(conn, one, due, "no answer")
                elif end == "refuse":
                    transfers.refuse(conn, one, "no", self.books.at)
                else:
                    orders.ask_again(conn, Which(ids=[one.id]), self.books.at)

    @rule(minutes=st.integers(1, 10))
    def wait(self, minutes: int) -> None:
        self.books.clock.advance(timedelta(minutes=minutes))

    @invariant()
    def the_log_is_whole(self) -> None:
        custody.check(self.books.conn)

    @invariant()
    def every_state_has_its_event(self) -> None:
        told = Counter[tuple[str, str, str]]()
        for line in custody.log(self.books.conn).splitlines():
            event = json.loads(line)
            told[event["docking"], event["kind"], event["facts"].get("file", "")] += 1
        for row in self.books.conn.execute("SELECT * FROM file"):
            file = files.get(self.books.conn, row["id"])
            if file.state not in {FileState.LISTED, FileState.PROVEN}:
                assert told[file.docking, file.state.value, file.stored] == 1
            if file.state in {FileState.VERIFIED, FileState.HELD}:
                assert file.sha256 is not None
        for row in self.books.conn.execute("SELECT id, state FROM docking"):
            assert told[row["id"], "docked", ""] == 1
            if row["state"] == DockingState.SEALED:
                assert told[row["id"], "sealed", ""] == 1

    @invariant()
    def every_confirmation_has_its_event(self) -> None:
        events = custody.log(self.books.conn).count('"kind":"confirmed"')
        rows = backlog.confirmed(self.books.conn)

        assert events == rows

    @invariant()
    def a_name_is_listed_once(self) -> None:
        rows = self.books.conn.execute(
            "SELECT docking, path FROM file GROUP BY 1, 2 HAVING count(*) > 1"
        )
        assert rows.fetchall() == []

    @invariant()
    def a_seal_is_confirmed_last(self) -> None:
        rows = self.books.conn.execute(
            "SELECT seal.key FROM transfer AS seal JOIN transfer AS other"
            " ON other.docking = seal.docking AND other.destination = seal.destination"
            " WHERE seal.key LIKE '%.sig' AND seal.state <> 'blocked'"
            " AND other.key NOT LIKE '%.sig' AND other.state <> 'confirmed'"
        )
        assert rows.fetchall() == []

    @invariant()
    def the_sums_are_the_sums(self) -> None:
        counted = self.books.conn.execute(
            "SELECT destination, state, count(*), sum(size) FROM transfer"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
        summed = self.books.conn.execute("SELECT * FROM backlog WHERE count > 0")

        assert [tuple(row) for row in summed] == [tuple(row) for row in counted]


TestStation = Station.TestCase
TestStation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
