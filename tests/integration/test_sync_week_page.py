"""A week without a link, as the pages tell of it: at every step, nothing but the truth.

The station is whole, the time is virtual. What is said is held against what the test
itself did: see `support.truth`.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from dock_agent.recording import LinkState, TransferState
from dock_agent.store import custody
from dock_agent.store.db import connect
from dock_agent.sync.carry import Outcome
from dock_agent.sync.policy import CEILING, LEASE
from support.field_site import Agent, FieldSite, Killed, Sync
from support.queues import states
from support.truth import Truth

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LARGE = 160_000  # bytes: eight seconds on the line, in ten parts
A_DAY = {
    **{f"VIDEO/{n:04}_IMP.MP4": 6_000 for n in range(8)},
    **{f"VIDEO/{n:04}.MP4": 6_000 for n in range(8, 71)},
    "VIDEO/0071.MP4": LARGE,
}
FILES = 7 * len(A_DAY)
OFTEN = 5  # pieces on the line from one look to the next
CLEAN, DIRTY = 120, 200  # objects that are there when the station ends


class Week:
    """A week at a site, who runs there, and every lie that was told."""

    agent: Agent
    sync: Sync

    def __init__(self, root: Path) -> None:
        self.site = FieldSite(root)
        self.truth = Truth(self.site)
        self.lies: list[str] = []
        self.pieces = 0
        self.site.during, self.site.ended = self.in_the_middle, self.an_object_ended
        self.then: Callable[[], None] = lambda: None

    @contextmanager
    def station(self) -> Iterator[None]:
        """Run the station for the block: agent first, then the sending process."""
        with suppress(Killed), self.site.agent() as self.agent:
            self.truth.agent_lives = True
            self.looks()
            with self.site.sync() as self.sync:
                yield
        self.truth.agent_lives = False
        self.truth.sync_ended_at = self.truth.now

    def looks(self) -> None:
        """Let the agent say how things are, and hold it against the truth."""
        if self.truth.agent_lives:
            self.agent.says()
        self.lies += self.truth.lies()

    def in_the_middle(self) -> None:
        """Look while an object is half sent; what was planned happens then."""
        self.pieces += 1
        if self.pieces % OFTEN == 0:
            self.looks()
        self.then()

    def an_object_ended(self) -> None:
        """The sending process is at work, and nothing is on its way just now."""
        self.truth.sync_ended_at = None
        self.truth.there = set(self.site.cloud.objects)

    def passes(self, hours: int) -> None:
        """Let hours go by, and look after each.

        Nobody looks before, so few tries have to be committed until shortly before.
        """
        for _ in range(hours):
            self.sync.works_for(HOUR - CEILING, 2 * CEILING)
            self.sync.works_for(CEILING, MINUTE)
            self.looks()

    def drains(self, until: int) -> None:
        """Send until so many objects are there; look before and after each tenth."""
        while len(self.site.cloud.objects) < until:
            if self.sync.step() is Outcome.IDLE:
                self.site.clock.advance(SECOND)
            if len(self.site.cloud.objects) % 10 < 2:
                self.looks()

    def stands_still(self, time: timedelta) -> None:
        """Nobody runs, for so long."""
        self.looks_after(6 * SECOND, MINUTE, time)

    def looks_after(self, *times: timedelta) -> None:
        for time in times:
            self.site.clock.advance(time)
            self.looks()

    def half_sent(self) -> bool:
        """Whether a large object is about half there."""
        held = self.site.cloud.uploads.values()
        return any(4 <= len(parts) <= 6 for parts in held)


def test_the_page_is_truthful_throughout_a_week_offline_and_two_restarts(
    tmp_path: Path,
) -> None:
    week = Week(tmp_path)
    with week.station():
        for day in DAYS:
            week.agent.offloads(A_DAY)
            week.looks()
            day(week)
        week.site.cloud.weather.out_until = None
        week.truth.becomes(LinkState.ONLINE)
        before = list(week.site.cloud.objects)
        week.drains(CLEAN)
    week.looks()
    week.stands_still(20 * MINUTE)
    with week.station():
        week.then = lambda: _kill_half_way(week)
        week.drains(10**6)
    week.then = lambda: None
    week.stands_still(LEASE)
    with week.station():
        week.drains(len(week.site.owing))
        week.looks()
        week.passes(2)

        assert week.lies == []
        assert week.truth.looks > 450
        assert week.site.arrived() == {k: o.digest for k, o in week.site.owing.items()}
        assert set(week.site.cloud.written.values()) == {1}
        assert sum("/data/" in key for key in week.site.owing) == FILES
        arrived = list(week.site.cloud.objects)[len(before) :]
        assert files(arrived) == in_policy_order(files(arrived))
    with closing(connect(week.site.config.store_path)) as conn:
        assert set(states(conn).values()) == {TransferState.CONFIRMED}
        custody.check(conn)


# ---- the days ----------------------------------------------------------------


def offline(week: Week) -> None:
    """Nobody answers."""
    week.site.cloud.weather.out_until = week.truth.now + 30 * DAY
    week.truth.becomes(LinkState.OFFLINE)
    week.passes(24)


def nobody_sends(week: Week) -> None:
    """The sending process is gone for half a day; the agent is not."""
    week.passes(6)
    week.truth.sync_ended_at = week.truth.now
    week.looks_after(*[MINUTE] * 20, *[HOUR] * 11, 40 * MINUTE)
    week.passes(6)


def captive(week: Week) -> None:
    """A portal answers in the cloud's place."""
    week.site.cloud.weather.out_until = None
    week.site.cloud.weather.portal = True
    week.truth.becomes(LinkState.CAPTIVE)
    week.passes(24)
    week.site.cloud.weather.portal = False


def barred(week: Week) -> None:
    """The cloud answers, and will not have us."""
    week.site.cloud.weather.barred_until = week.truth.now + DAY
    week.truth.becomes(LinkState.BARRED)
    week.passes(24)


def up_for_a_moment(week: Week) -> None:
    """The link is there, and is cut again while an object is half sent."""
    week.site.cloud.weather.out_until = None
    week.truth.becomes(LinkState.ONLINE)
    week.then = lambda: _cut_half_way(week)
    week.sync.works_for(HOUR, MINUTE)
    week.then = lambda: None
    week.looks()
    week.passes(23)


DAYS = (
    offline,
    nobody_sends,
    captive,
    barred,
    up_for_a_moment,
    offline,
    offline,
)


def _cut_half_way(week: Week) -> None:
    weather = week.site.cloud.weather
    if weather.out_until is None and week.half_sent():
        weather.out_until, weather.cut_after = week.truth.now + 30 * DAY, 0
        week.truth.becomes(LinkState.OFFLINE)


def _kill_half_way(week: Week) -> None:
    if len(week.site.cloud.objects) > DIRTY and week.half_sent():
        week.looks()
        raise Killed


# ---- the order ---------------------------------------------------------------


def files(keys: list[str]) -> list[str]:
    """Return the keys of the cameras' own files."""
    return [key for key in keys if "/data/VIDEO/" in key]


def in_policy_order(keys: list[str]) -> list[str]:
    """Return marked ones first, of both the newest docking first, each as listed."""
    newest = sorted({_docking(key) for key in keys}, reverse=True)
    return sorted(
        keys, key=lambda key: ("_IMP" not in key, newest.index(_docking(key)), key)
    )


def _docking(key: str) -> str:
    return key.partition("/data/")[0].rpartition("/")[2]
