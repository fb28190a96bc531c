"""Sees, after every turn of a crowd, that nobody did what must never be.

It knows nothing of the worker: it reads the store and the clouds, and knows whose
turn it was.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dock_agent.clock import stamp
from dock_agent.recording import DestinationName, Digest, Priority
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.store import destinations
from dock_agent.store.destinations import DestinationRow
from dock_agent.sync.policy import Policy
from support.sending import sha256
from support.turns import Player

HELD = "SELECT * FROM transfer WHERE state = 'sending'"
BETTER = (
    "SELECT key FROM transfer WHERE state = 'queued' AND destination = :destination"
    " AND (due = '' OR due <= :now) AND (priority, rank, id) < (:priority, :rank, :id)"
)
TOLD = (
    "SELECT seq, json_extract(line, '$.kind') AS kind,"
    " json_extract(line, '$.facts.destination') AS destination,"
    " json_extract(line, '$.facts.key') AS key,"
    " json_extract(line, '$.facts.reason') AS reason"
    " FROM custody WHERE seq > ? ORDER BY seq"
)


@dataclass(frozen=True)
class Held:
    """A row that is being sent, as it stood after a turn, and who claimed it."""

    row: Mapping[str, object]
    by: Player

    @property
    def until(self) -> str:
        """Return when its lease runs out."""
        return str(self.row["lease_until"])


@dataclass
class Referee:
    """Judges each turn. `policy` is that of every destination.

    `excused`: who was held up so long that its lease may have run out.
    """

    conn: sqlite3.Connection
    clock: ManualClock
    clouds: Mapping[DestinationName, SimulatedCloud]
    sent: Mapping[str, Digest]
    policy: Policy
    excused: set[Player] = field(default_factory=set)
    taken_over: int = 0
    confirmed: set[tuple[str, str]] = field(default_factory=set)
    _held: dict[int, Held] = field(default_factory=dict)
    _owners: dict[str, Player] = field(default_factory=dict)
    _rows: dict[DestinationName, DestinationRow] = field(default_factory=dict)
    _seen: tuple[int, int] = (0, 0)  # the store's version, and its last event

    def after(self, player: Player) -> None:
        """Judge the turn of a player that is just over."""
        (version,) = self.conn.execute("PRAGMA data_version").fetchone()
        if version == self._seen[0]:
            return  # nothing was written
        rows = {row["id"]: dict(row) for row in self.conn.execute(HELD)}
        for ident, before in self._held.items():
            if before.by is not player and rows.get(ident) != before.row:
                self._require_run_out(before, rows.get(ident), player)
        held = {ident: self._now_held(row, player) for ident, row in rows.items()}
        self._require_one_each(held.values())
        self._held, self._seen = held, (version, self._heard())
        self._require_rest()

    def _now_held(self, row: Mapping[str, object], player: Player) -> Held:
        """Return a row with who holds it; judge the claim if it is a new one."""
        ident, owner = int(str(row["id"])), str(row["lease_owner"])
        before = self._held.get(ident)
        if before is None or before.row["lease_owner"] != owner:
            assert self._owners.setdefault(owner, player) is player, owner
            self.excused.discard(player)
            self._require_its_turn(row)
        return Held(row, self._owners[owner])

    def _require_run_out(
        self, before: Held, now: Mapping[str, object] | None, player: Player
    ) -> None:
        """What one holds, another may take over once its lease ran out; no sooner."""
        key, told = before.row["key"], f"{player.name} wrote what {before.by.name} held"
        assert before.until <= stamp(self.clock.now().utc), f"{told}: {key}"
        state = "SELECT state FROM transfer WHERE id = ?"
        (found,) = self.conn.execute(state, (before.row["id"],)).fetchone()
        assert found in {"queued", "sending"}, f"{told}: {key} is {found}"
        at_work = not (before.by.killed or before.by.over or before.by in self.excused)
        assert not at_work, f"{key}: its lease ran out while {before.by.name} sent it"
        self.taken_over += now is not None

    def _require_its_turn(self, row: Mapping[str, object]) -> None:
        """What was claimed may go now, and nothing that may goes before it."""
        now = self.clock.now().utc
        allowed = self.policy.allowed(now, metered=False).priorities
        assert Priority(int(str(row["priority"]))) in allowed, row["key"]
        better = self.conn.execute(BETTER, {**row, "now": stamp(now)}).fetchall()
        assert better == [], f"{row['key']} went before {[tuple(r) for r in better]}"

    def _require_one_each(self, held: Iterable[Held]) -> None:
        """Nobody sends two objects at a time."""
        by = [one.by for one in held]
        assert len(by) == len(set(by)), [one.name for one in by]

    def _require_rest(self) -> None:
        """What one is told to leave alone rests for all; only a network ends that.

        However many fail meanwhile, it is one failure.
        """
        now = self.clock.now().utc
        for row in destinations.every(self.conn):
            before = self._rows.get(row.name, row)
            self._rows[row.name] = row
            if before.try_after is None or before.try_after <= now:
                continue
            since = (before.last_success, before.last_failure)
            woken = (row.last_success, row.last_failure) == since
            kept = row.try_after is not None and row.try_after >= before.try_after
            ended = woken and row.try_after is None
            assert kept or ended, f"{row.name}: its rest was cut short"
            assert row.attempts <= max(1, before.attempts), f"{row.name}: counted twice"

    def _heard(self) -> int:
        """Judge what the custody log tells since the last turn."""
        last = self._seen[1]
        for row in self.conn.execute(TOLD, (last,)).fetchall():
            last, place = row["seq"], (row["destination"], row["key"])
            match row["kind"]:
                case "confirmed":
                    assert place not in self.confirmed, f"{place}: confirmed twice"
                    self.confirmed.add(place)
                    self.require_there(*place)
                case "lost there":
                    raise AssertionError(f"{place} was never lost")
                case "refused":
                    assert row["reason"], f"{place}: nobody says why"
        return int(last)

    def require_there(self, name: str, key: str) -> None:
        """What counts as confirmed is there, whole, and was written once."""
        cloud = self.clouds[DestinationName(name)]
        there = cloud.objects.get(key)
        assert there is not None, f"{key} is not at {name}"
        assert sha256(there) == self.sent[key], f"{key} is another at {name}"
        assert cloud.written[key] == 1, f"{key} was written more than once at {name}"
