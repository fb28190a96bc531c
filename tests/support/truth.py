"""What is true of a field site, by what the test itself did, and who says otherwise.

Nothing here asks the station's store: what was queued is known from the vault, what
arrived from the cloud, how the link is from the weather, how fast from the line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from itertools import pairwise
from typing import Any

import msgspec
from flask.testing import FlaskClient

from dock_agent.clock import unstamp
from dock_agent.durations import age_words, moment_words, size_words
from dock_agent.recording import LinkState
from dock_agent.watch.compose import current
from support.field_site import RATE, FieldSite
from web_status import create_app

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NOTICED = 6 * MINUTE  # a destination rests for five minutes at most
MISSED = 11 * MINUTE  # after that, silence itself must have been noticed
LATELY = MINUTE  # no rate is shown that is older
LONGEST = 10 * SECOND  # a large object is read back in one piece
FACTOR = 1.5  # how far a rate that is shown may be from the line's, both ways
UP = LinkState.ONLINE
FOOTER = {
    LinkState.ONLINE: ("Connected", "good"),
    LinkState.OFFLINE: ("No network – videos are safe here", "amber"),
    LinkState.CAPTIVE: ("No network – videos are safe here", "amber"),
    LinkState.BARRED: ("Sending stopped – videos are safe here", "amber"),
    LinkState.UNKNOWN: ("Sending stopped – videos are safe here", "amber"),
}


@dataclass
class Truth:
    """What holds now. The test says when the weather changes, and who runs.

    `there` are the keys that the cloud had whole when the last object ended.
    """

    site: FieldSite
    weather: LinkState = LinkState.OFFLINE
    before: LinkState = LinkState.OFFLINE
    changed_at: datetime | None = None
    agent_lives: bool = True
    sync_ended_at: datetime | None = None
    there: set[str] = field(default_factory=set)
    looks: int = 0

    def __post_init__(self) -> None:
        self.sync_ended_at = self.now  # it has not begun yet
        self.client: FlaskClient = create_app(
            self.site.config, self.site.clock
        ).test_client()

    @property
    def now(self) -> datetime:
        return self.site.clock.now().utc

    def becomes(self, weather: LinkState) -> None:
        """The weather changes."""
        self.before, self.weather, self.changed_at = self.weather, weather, self.now

    def lies(self) -> list[str]:
        """Return what page and command line say that is not so."""
        self.looks += 1
        page: Mapping[str, Any] = self.client.get("/api/v1/status").get_json()
        told = msgspec.to_builtins(current(self.site.config, self.site.clock.now()))
        found = [
            *self._of_the_board(self.client.get("/").text),
            *self._of_the_it_page(self.client.get("/it").text),
            *(f"status --json: {lie}" for lie in self._of_the_queue(told["queue"])),
            *(f"status --json: {lie}" for lie in self._of_a_link(told["links"][0])),
        ]
        for each in (page, told):
            found += _unlike("live", each["live"], self.agent_lives)
        if self.agent_lives:
            found += self._of_the_queue(page["queue"])
            found += self._of_a_link(page["links"][0])
        return [f"{self.now:%a %H:%M:%S} {lie}" for lie in found]

    # ---- what is so -----------------------------------------------------------

    def waiting(self) -> list[str]:
        """Return the keys that the cloud does not hold whole."""
        return [key for key in self.site.owing if key not in self.there]

    def size(self) -> int:
        return sum(self.site.owing[key].size for key in self.waiting())

    def oldest(self) -> timedelta | None:
        """Return for how long the first of them has been waiting."""
        times = [self.site.owing[key].since for key in self.waiting()]
        return self.now - min(times) if times else None

    def states(self) -> set[LinkState]:
        """Return what may be said of the link: news takes its time."""
        settled = self.changed_at is None or self.now - self.changed_at >= NOTICED
        known = {self.weather} if settled else {self.weather, self.before}
        if self.sync_ended_at is None:
            return known
        if self.now - self.sync_ended_at >= MISSED:
            return {LinkState.UNKNOWN}
        return known | {LinkState.UNKNOWN}

    def rates(self) -> tuple[float, float]:
        """Return the least and the most that may be shown; (0, 0): nothing may be."""
        times = [at for at, _ in self.site.moved]
        if not times or self.now - times[-1] > LATELY or UP not in self.states():
            return 0, 0
        if self.states() != {UP}:
            return 0, RATE * FACTOR
        steady = [at for at in times if self.now - at <= LATELY]
        gaps = [b - a for a, b in pairwise(steady)]
        whole = steady[-1] - steady[0] > LATELY - LONGEST
        busy = whole and max(gaps) < LONGEST
        return (RATE / FACTOR if busy else 0), RATE * FACTOR

    # ---- who says otherwise ---------------------------------------------------

    def _of_the_queue(self, queue: Mapping[str, Any]) -> Iterator[str]:
        oldest = self.oldest()
        age = None if oldest is None else round(oldest.total_seconds())
        yield from _unlike("waiting", queue["waiting"], len(self.waiting()))
        yield from _unlike("bytes", queue["bytes"], self.size())
        yield from _unlike("refused", queue["refused"], 0)
        if queue["oldest_age_s"] is None or age is None:
            yield from _unlike("oldest", queue["oldest_age_s"], age)
        elif abs(queue["oldest_age_s"] - age) > 1:
            yield f"oldest: {queue['oldest_age_s']}, not {age}"

    def _of_a_link(self, link: Mapping[str, Any]) -> Iterator[str]:
        state, seen = LinkState(link["state"]), self.site.witness
        if state not in self.states():
            yield f"state: {state}, not {self.states()}"
        yield from _too_far("last success", link["last_success"], seen.answered_at)
        yield from _too_far("last failure", link["last_failure"], seen.failed_at)
        if state in {LinkState.OFFLINE, LinkState.CAPTIVE, LinkState.BARRED}:
            yield from _unlike("failure", link["failure"], seen.failure)
        if state is UP:
            yield from _unlike("failure", link["failure"], None)
        least, most = self.rates()
        if not least <= (link["goodput"] or 0) <= most:
            yield f"goodput: {link['goodput']}, not in {least}..{most}"
        if state is not UP:
            yield from _unlike("goodput", link["goodput"], None)

    def _of_the_board(self, page: str) -> Iterator[str]:
        title, _, _ = page.partition("<title>")[2].partition("</title>")
        words, _, network = _part(page, "link"), None, _network(page)
        if not self.agent_lives:
            yield from _unlike("title", title.startswith("Not live"), expected=True)
            yield from _unlike("link", (words, network), ("", "none"))
            yield from _unlike("board", _part(page, "queue"), "")
            return
        footers = [FOOTER[state] for state in self.states()]
        if not self._tried():
            footers.append(("Network not tried yet", "none"))
        if (words, network) not in footers:
            yield f"board: {words} ({network}), not {self.states()}"
        yield from _unlike("board", _part(page, "queue"), self._queue_words())

    def _queue_words(self) -> str:
        count, oldest = len(self.waiting()), self.oldest()
        if oldest is None:
            return "Everything is sent" if self._tried() else "Nothing sent yet"
        many = "object" if count == 1 else "objects"
        age = age_words(oldest.total_seconds())
        return f"{count} {many} to send · oldest {age}"

    def _tried(self) -> bool:
        seen = self.site.witness
        return (seen.answered_at or seen.failed_at) is not None

    def _of_the_it_page(self, page: str) -> Iterator[str]:
        rows = _rows(page, "queue")
        counted = sum(int(row["Objects"]) for row in rows)
        yield from _unlike("IT page, objects", counted, len(self.waiting()))
        oldest = self.oldest()
        if oldest is not None:
            told = [row["Oldest waits for"] for row in rows]
            if age_words(oldest.total_seconds()) not in told:
                yield f"IT page, oldest: {told}, not {oldest}"
        held = [row for row in rows if row["State"] == "sending"]
        gone = self.sync_ended_at is not None and self.now - self.sync_ended_at
        if held and gone and gone >= 15 * MINUTE:
            yield "IT page: something is being sent, and nobody sends"
        for row in _rows(page, "links"):
            yield from self._of_a_row(row)

    def _of_a_row(self, row: Mapping[str, str]) -> Iterator[str]:
        if not self.agent_lives:
            yield from _unlike("IT page, rate", row["Lately"], "–")
            return
        seen, zone = self.site.witness, self.site.config.zone
        if row["State"] not in self.states():
            yield f"IT page, state: {row['State']}, not {self.states()}"
        if row["State"] == "offline" and seen.failed_at is not None:
            last = f"{moment_words(seen.failed_at, zone)}: {seen.failure}"
            yield from _unlike("IT page, failure", row["Last failure"], last)
        least, most = self.rates()
        rates = {f"{size_words(rate)}/s" for rate in range(int(least), int(most) + 1)}
        if row["Lately"] not in rates | ({"–"} if least == 0 else set()):
            yield f"IT page, rate: {row['Lately']}, not in {least}..{most}"


def _unlike(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found}, not {expected}"


def _too_far(what: str, told: str | None, seen: datetime | None) -> Iterator[str]:
    """Nothing is said to be later than it was, nor much earlier."""
    if told is None or seen is None:
        yield from _unlike(what, told, seen)
        return
    if not timedelta() <= seen - unstamp(told) <= MINUTE:
        yield f"{what}: {told}, not {seen}"


def _part(page: str, key: str) -> str:
    found = re.search(rf'data-k="{key}"[^>]*>([^<]*)<', page)
    assert found is not None
    return unescape(found[1]).replace("\N{NO-BREAK SPACE}", " ")


def _network(page: str) -> str:
    found = re.search(r'data-network="([^"]*)"', page)
    assert found is not None
    return found[1]


def _rows(page: str, section: str) -> list[dict[str, str]]:
    """Return the cells of each row of a table of IT's page, by their labels."""
    _, _, rest = page.partition(f'<h2 id="{section}">')
    body = rest.partition("<h2")[0].partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        {
            label: unescape(re.sub(r"<[^>]+>", "", text)).strip()
            for label, text in re.findall(
                r'data-label="([^"]*)"[^>]*>(.*?)</td>', row, re.DOTALL
            )
        }
        for row in body.split("</tr>")
        if "<td" in row
    ]
