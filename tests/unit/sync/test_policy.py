"""When something is tried again, and what may go at which hour."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.config_tables import Window
from dock_agent.recording import Priority
from dock_agent.simulated.clock import BEGIN
from dock_agent.sync.policy import (
    CEILING,
    EVERYTHING,
    FIRST,
    OWN_CEILING,
    Policy,
    due_after,
    next_attempt,
    resting,
)

JITTER = st.floats(0, 1, exclude_max=True)
LONDON, KATHMANDU = ZoneInfo("Europe/London"), ZoneInfo("Asia/Kathmandu")
NIGHT = Window(days="mon-fri", begin="20:00", end="06:00")
MARKED = (Priority.MARKED,)
MINUTE = timedelta(minutes=1)


def at(text: str, zone: ZoneInfo = LONDON) -> datetime:
    """Return a local time of the station as an aware moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


# ---- when something is tried again ---------------------------------------------


@given(st.integers(0, 10**9), JITTER)
def test_the_next_attempt_is_never_at_once_and_never_past_the_ceiling(
    attempts: int, jitter: float
) -> None:
    wait = next_attempt(attempts, BEGIN, jitter) - BEGIN

    assert FIRST / 4 <= wait <= CEILING


def test_the_wait_doubles_until_the_ceiling() -> None:
    waits = [next_attempt(n, BEGIN, 0.999999) - BEGIN for n in range(1, 12)]

    assert [round(w.total_seconds()) for w in waits[:3]] == [2, 4, 8]
    assert round(waits[-1].total_seconds()) == CEILING.total_seconds()
    assert waits == sorted(waits)


def test_stations_that_lost_the_same_link_come_back_spread() -> None:
    waits = {next_attempt(9, BEGIN, n / 100) for n in range(100)}

    assert len(waits) == 100
    assert max(waits) - min(waits) > CEILING / 2


def test_a_destination_rests_until_its_time_and_not_after() -> None:
    until = BEGIN + timedelta(seconds=2)

    assert resting(until, BEGIN)
    assert not resting(until, until)
    assert not resting(None, BEGIN)
    assert resting(BEGIN + 2 * CEILING, BEGIN)


def test_a_rest_from_before_the_clock_was_set_back_is_not_believed() -> None:
    assert not resting(BEGIN + timedelta(days=365), BEGIN)


@given(st.integers(0, 10**9), JITTER)
def test_an_object_that_fails_again_and_again_lets_the_others_go_first(
    attempts: int, jitter: float
) -> None:
    due = due_after(attempts, BEGIN, jitter)

    assert BEGIN <= due <= BEGIN + OWN_CEILING
    assert (due > BEGIN) is (attempts > 0)


def test_an_object_waits_longer_than_its_destination_in_the_end() -> None:
    assert due_after(20, BEGIN, 0.0) - BEGIN > 10 * CEILING


# ---- windows -------------------------------------------------------------------


def test_without_windows_everything_may_go_at_any_time() -> None:
    allowed = Policy(LONDON, rate=5).allowed(at("2026-03-05T03:00"), metered=False)

    assert (allowed.priorities, allowed.rate, allowed.until) == (EVERYTHING, 5, None)


@pytest.mark.parametrize(
    ("local", "open_"),
    [
        ("2026-03-05T19:59", False),  # a Thursday
        ("2026-03-05T20:00", True),
        ("2026-03-06T05:59", True),  # the Thursday's, past midnight
        ("2026-03-06T06:00", False),
        ("2026-03-07T05:59", True),  # Saturday morning: Friday's
        ("2026-03-07T20:00", False),  # Saturday evening
        ("2026-03-09T05:59", False),  # Monday morning: nobody's
        ("2026-03-09T20:00", True),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_it_begins(
    local: str, *, open_: bool
) -> None:
    policy = Policy(LONDON, (NIGHT,), marked_pass=False)

    allowed = policy.allowed(at(local), metered=False)

    assert allowed.priorities == (EVERYTHING if open_ else ())


def test_marked_evidence_may_pass_a_closed_window() -> None:
    noon = at("2026-03-05T12:00")

    assert Policy(LONDON, (NIGHT,)).allowed(noon, metered=False).priorities == MARKED


def test_a_window_is_of_the_station_s_own_time_zone() -> None:
    window = Window(begin="08:00", end="09:00")
    policy = Policy(KATHMANDU, (window,), marked_pass=False)

    there = policy.allowed(at("2026-03-05T08:30", KATHMANDU), metered=False)
    elsewhere = policy.allowed(at("2026-03-05T08:30", LONDON), metered=False)

    assert (there.priorities, elsewhere.priorities) == (EVERYTHING, ())


def test_a_window_keeps_to_the_wall_clock_when_summer_begins_and_ends() -> None:
    window = Window(days="sun", begin="08:00", end="09:00")
    policy = Policy(LONDON, (window,), marked_pass=False)

    for sunday in ("2026-03-22", "2026-03-29", "2026-10-25", "2026-11-01"):
        inside = policy.allowed(at(f"{sunday}T08:30"), metered=False)
        before = policy.allowed(at(f"{sunday}T07:30"), metered=False)
        assert (inside.priorities, before.priorities) == (EVERYTHING, ())


SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)  # both at 01:00 UTC
EARLY = {
    # begin and end, and the hours in UTC that it is open, in minutes from 00:00
    ("in the gap", SPRING): ("01:30", "03:00", [(60, 120)]),
    ("into the gap", SPRING): ("00:30", "01:30", [(30, 60)]),
    ("within the gap", SPRING): ("01:10", "01:50", []),
    ("over the gap", SPRING): ("00:30", "03:00", [(30, 120)]),
    ("from the hour that comes twice", AUTUMN): (
        "01:30",
        "03:00",
        [(30, 60), (90, 180)],
    ),
    ("into the hour that comes twice", AUTUMN): (
        "00:30",
        "01:30",
        [(-30, 30), (60, 90)],
    ),
    ("within the hour that comes twice", AUTUMN): (
        "01:10",
        "01:50",
        [(10, 50), (70, 110)],
    ),
    ("over the hour that comes twice", AUTUMN): ("00:30", "03:00", [(-30, 180)]),
}


@pytest.mark.parametrize("what", EARLY)
def test_a_window_is_open_at_its_hours_of_the_wall_clock_and_at_no_others(
    what: tuple[str, date],
) -> None:
    begin, end, hours = EARLY[what]
    window = Window(days="sun", begin=begin, end=end)
    policy = Policy(LONDON, (window,), marked_pass=False)
    midnight = datetime.combine(what[1], time(), UTC)

    open_at = {
        minute
        for minute in range(-60, 240)
        if policy.allowed(midnight + minute * MINUTE, metered=False).priorities
    }

    assert open_at == {minute for hour in hours for minute in range(*hour)}


@pytest.mark.parametrize("what", EARLY)
def test_it_is_known_when_a_window_changes_in_the_night_in_which_the_clock_does(
    what: tuple[str, date],
) -> None:
    begin, end, hours = EARLY[what]
    policy = Policy(LONDON, (Window(days="sun", begin=begin, end=end),))
    now = midnight = datetime.combine(what[1], time(), UTC)
    edges = set()

    while (until := policy.allowed(now, metered=False).until) is not None:
        if until > midnight + timedelta(hours=4):
            break
        edges.add((until - midnight) // MINUTE)
        now = until

    assert {edge for hour in hours for edge in hour if edge > 0} <= edges


@given(st.integers(0, 60 * 24 * 400))
def test_it_is_known_when_a_window_changes_and_nothing_changes_before(
    minutes: int,
) -> None:
    policy = Policy(LONDON, (NIGHT, Window(days="sat,sun", begin="10:00", end="12:00")))
    now = BEGIN + timedelta(minutes=minutes)
    allowed = policy.allowed(now, metered=False)
    assert allowed.until is not None
    assert now < allowed.until <= now + timedelta(days=8)

    just_before = policy.allowed(
        allowed.until - timedelta(seconds=1), metered=False
    ).priorities

    assert just_before == allowed.priorities


def test_days_may_run_past_the_end_of_the_week() -> None:
    policy = Policy(
        LONDON, (Window(days="sat-mon", begin="00:00", end="23:59"),), marked_pass=False
    )

    open_days = [
        bool(policy.allowed(at(f"2026-03-0{day}T12:00"), metered=False).priorities)
        for day in range(2, 9)  # Monday to Sunday
    ]

    assert open_days == [True, False, False, False, False, True, True]


def test_the_rate_is_the_window_s_and_the_most_generous_of_several() -> None:
    slow = Window(begin="08:00", end="20:00", rate=1000)
    fast = Window(begin="12:00", end="13:00", rate=9000)
    policy = Policy(LONDON, (slow, fast), rate=500)

    rates = [
        policy.allowed(at(f"2026-03-05T{hour}"), metered=False).rate
        for hour in ("09:00", "12:30", "21:00")
    ]

    assert rates == [1000, 9000, 500]
    unlimited = Window(begin="12:00", end="13:00")
    noon = at("2026-03-05T12:30")
    assert Policy(LONDON, (slow, unlimited)).allowed(noon, metered=False).rate == 0


@pytest.mark.parametrize(
    ("metered", "priorities"),
    [("all", EVERYTHING), ("marked", MARKED), ("nothing", ())],
)
def test_over_a_link_that_costs_only_what_may_cost_goes(
    metered: str, priorities: tuple[Priority, ...]
) -> None:
    policy = Policy(LONDON, metered=metered)

    assert policy.allowed(BEGIN, metered=True).priorities == priorities
    assert policy.allowed(BEGIN, metered=False).priorities == EVERYTHING
