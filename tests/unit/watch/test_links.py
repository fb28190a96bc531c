"""What is said of a link: no more than was heard of it just now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dock_agent.clock import stamp
from dock_agent.config import Config, parse
from dock_agent.recording import DestinationName, LinkState
from dock_agent.store.destinations import DestinationRow
from dock_agent.watch.links import LATELY, QUIET, link
from dock_agent.watch.status import LEFT_OUT, Sends

NOW = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)  # a Friday
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
CONFIG = """
[station]
id = "harbour-1"
timezone = "UTC"
[vault]
path = "vault"
[store]
path = "store.db"
[[bays]]
name = "1"
folder = "bay"
[[destinations]]
name = "main"
kind = "directory"
path = "nas"
{terms}
"""
ROW = DestinationRow(
    name=DestinationName("main"),
    kind="directory",
    place=None,
    marker=None,
    link=LinkState.ONLINE,
    link_since=NOW - 9 * HOUR,
    last_success=NOW - SECOND,
    last_failure=NOW - 9 * HOUR,
    failure=None,
    try_after=None,
    attempts=0,
    paused=False,
    capabilities="{}",
    goodput=5_000_000,
    goodput_at=NOW - SECOND,
    configured=True,
)
DOWN = replace(
    ROW,
    link=LinkState.OFFLINE,
    last_success=NOW - 9 * HOUR,
    last_failure=NOW - SECOND,
    failure="no route to host",
)


def configured(terms: str = "") -> Config:
    return parse(CONFIG.format(terms=terms), base=Path("/nowhere"))


def test_a_link_is_as_it_was_heard_of_just_now() -> None:
    shown = link(configured(), ROW, NOW)

    assert (shown.state, shown.since) == ("online", stamp(NOW - 9 * HOUR))
    assert (shown.goodput, shown.sends) == (5_000_000, Sends.ALL)


@pytest.mark.parametrize("state", LinkState)
def test_of_a_link_that_was_not_heard_of_for_long_nothing_is_said(
    state: LinkState,
) -> None:
    row = replace(
        ROW,
        link=state,
        last_success=NOW - QUIET - SECOND,
        goodput_at=NOW - QUIET - SECOND,
    )

    shown = link(configured(), row, NOW)

    assert (shown.state, shown.since) == ("unknown", stamp(NOW - QUIET - SECOND))
    assert shown.goodput is None


def test_bytes_that_move_are_a_sign_of_life_too() -> None:
    busy = replace(ROW, last_success=NOW - 9 * HOUR)

    assert link(configured(), busy, NOW).state == "online"


def test_a_destination_that_rests_is_not_silent_until_it_should_have_been_asked() -> (
    None
):
    asked_to_wait = replace(
        DOWN, last_failure=NOW - HOUR, goodput_at=None, try_after=NOW + SECOND
    )

    resting = link(configured(), asked_to_wait, NOW)
    late = link(configured(), asked_to_wait, NOW + QUIET + 2 * SECOND)

    assert (resting.state, resting.failure) == ("offline", "no route to host")
    assert late.state == "unknown"


def test_what_a_clock_that_was_set_back_left_in_the_future_is_no_sign_of_life() -> None:
    later = NOW + 9 * HOUR
    row = replace(ROW, last_success=later, goodput_at=later, try_after=later)

    shown = link(configured(), row, NOW)

    assert (shown.state, shown.goodput) == ("unknown", None)


def test_a_destination_that_nobody_tried_is_just_that() -> None:
    fresh = replace(
        ROW,
        link=LinkState.UNKNOWN,
        link_since=None,
        last_success=None,
        last_failure=None,
        goodput_at=None,
    )

    assert (link(configured(), fresh, NOW).since) is None


def test_a_rate_is_of_the_last_minute_or_none() -> None:
    just = replace(ROW, goodput_at=NOW - LATELY)
    old = replace(ROW, goodput_at=NOW - LATELY - SECOND)

    assert link(configured(), just, NOW).goodput == 5_000_000
    assert link(configured(), old, NOW).goodput is None


@pytest.mark.parametrize(
    "state", [LinkState.OFFLINE, LinkState.CAPTIVE, LinkState.BARRED]
)
def test_a_link_that_is_down_has_no_rate(state: LinkState) -> None:
    assert link(configured(), replace(ROW, link=state), NOW).goodput is None


def test_a_window_that_is_shut_is_told_of_with_the_time_it_opens() -> None:
    window = 'windows = [{ days = "mon-sun", begin = "22:00", end = "06:00" }]'
    marked, nothing = configured(window), configured(window + "\nmarked_pass = false")

    assert link(marked, ROW, NOW).sends is Sends.MARKED
    assert link(nothing, ROW, NOW).sends is Sends.NOTHING
    assert link(nothing, ROW, NOW).changes_at == stamp(NOW + 10 * HOUR)
    assert link(nothing, ROW, NOW + 11 * HOUR).sends is Sends.ALL


def test_a_link_that_costs_carries_what_the_configuration_lets() -> None:
    metered = replace(ROW, link=LinkState.METERED)

    assert link(configured(), metered, NOW).sends is Sends.MARKED
    assert link(configured('metered = "all"'), metered, NOW).sends is Sends.ALL


def test_a_destination_that_was_taken_out_of_the_configuration_is_named_so() -> None:
    gone = replace(DOWN, name=DestinationName("old"), configured=False)

    shown = link(configured(), gone, NOW)

    assert (shown.state, shown.sends) == (LEFT_OUT, Sends.REMOVED)


def test_what_another_process_was_started_with_is_not_called_left_out() -> None:
    """`dock-agent sync` has read a newer configuration than whoever tells of it."""
    new = replace(DOWN, name=DestinationName("new"))

    shown = link(configured(), new, NOW)

    assert (shown.state, shown.failure) == ("offline", "no route to host")
    assert shown.sends is Sends.ALL


SHUT = 'windows = [{ days = "mon-sun", begin = "22:00", end = "06:00" }]'
OPEN = 'windows = [{ days = "mon-sun", begin = "06:00", end = "22:00" }]'


@pytest.mark.parametrize(
    ("terms", "until"),
    [
        (SHUT + '\nmetered = "all"', stamp(NOW + 10 * HOUR)),  # its window alone
        (SHUT, None),  # both: a window that opens lets no more go
        (OPEN, None),  # the link's cost alone
        (OPEN + "\nmarked_pass = false", stamp(NOW + 10 * HOUR)),  # then, nothing
    ],
)
def test_over_a_link_that_costs_only_a_shut_window_has_an_end(
    terms: str, until: str | None
) -> None:
    shown = link(configured(terms), replace(ROW, link=LinkState.METERED), NOW)

    assert (shown.sends, shown.changes_at) == (Sends.MARKED, until)
    assert shown.costs is ('"all"' not in terms)


def test_a_shut_window_lasts_until_it_lets_more_go_whatever_the_clock_does() -> None:
    """On 29 March 2026 the clock in London is changed at 01:00 UTC."""
    zone = CONFIG.replace('"UTC"', '"Europe/London"').format(
        terms='windows = [{ days = "sun", begin = "12:00", end = "13:00" }]'
    )
    night = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    row = replace(ROW, last_success=night)

    shown = link(parse(zone, base=Path("/nowhere")), row, night)

    assert shown.changes_at == stamp(datetime(2026, 3, 29, 11, 0, tzinfo=UTC))
