"""What IT reads of a link: what is so, since when, why, and what to do."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dock_agent.clock import stamp
from dock_agent.recording import LinkState
from dock_agent.watch.spoken import Spoken, spoken
from dock_agent.watch.status import Link, Sends
from support.boards import NOW, OFFLINE, ONLINE

LONDON = ZoneInfo("Europe/London")
LATER = NOW + timedelta(days=3, hours=2)


def said(of: Link = OFFLINE, **facts: Any) -> Spoken:
    return spoken(msgspec.structs.replace(of, **facts), LATER, LONDON)


def test_a_link_that_is_down_says_for_how_long_and_why_and_when_it_is_tried() -> None:
    told = said(try_after=stamp(LATER + timedelta(minutes=4)))

    assert told.told == (
        "Nothing has gone there for 3 days 2 h (objects.example.org: no route to host)."
    )
    assert told.todo.startswith("Check cable, router and name")
    assert told.since == "2026-11-24 06:58:12 GMT"
    assert told.next_try == "2026-11-27 09:02:12 GMT"


def test_a_try_that_is_over_is_not_announced() -> None:
    assert said(try_after=stamp(LATER - timedelta(minutes=4))).next_try == ""


@pytest.mark.parametrize(
    ("link", "told", "todo"),
    [
        (said(state=LinkState.CAPTIVE), "Somebody else's page", "Sign in"),
        (said(state=LinkState.BARRED), "It answers, and has taken", "Mend what"),
        (said(state=LinkState.UNKNOWN), "Nothing was heard", "Is `dock-agent sync`"),
        (
            said(state=LinkState.UNKNOWN, last_success=None, last_failure=None),
            "Nobody has tried",
            "Is `dock-agent sync`",
        ),
        (said(paused=True), "A person holds it back", "`dock-agent destinations"),
        (
            said(sends=Sends.REMOVED, waiting=2),
            "2 files wait for it.",
            "Put it back into the configuration, or `dock-agent",
        ),
    ],
)
def test_each_trouble_has_its_sentence_and_what_to_do(
    link: Spoken, told: str, todo: str
) -> None:
    assert link.told.startswith(told)
    assert link.todo.startswith(todo)


def test_a_link_at_work_needs_no_words() -> None:
    assert (said(ONLINE).told, said(ONLINE).todo) == ("", "")


def test_a_link_that_may_not_be_used_now_says_until_when() -> None:
    opens = stamp(NOW + timedelta(days=3, hours=15))

    shut = said(ONLINE, sends=Sends.NOTHING, changes_at=opens)
    marked = said(ONLINE, sends=Sends.MARKED, changes_at=opens)
    costs = said(ONLINE, state=LinkState.METERED, sends=Sends.MARKED, costs=True)

    assert shut.told == (
        "Its window is shut: nothing goes until 2026-11-27 21:58:12 GMT."
    )
    assert marked.told.startswith("Its window is shut: only marked files go until")
    assert costs.told == "The link costs: only marked files go."


def test_a_shut_window_is_what_is_told_of_where_the_cost_does_not_matter() -> None:
    shut = said(ONLINE, state=LinkState.METERED, sends=Sends.MARKED)

    assert shut.told == "Its window is shut: only marked files go."


def test_a_link_that_is_held_back_is_called_so() -> None:
    assert said(paused=True).state == "held back"
    assert said().state == "offline"


def test_a_name_of_two_words_stays_one_in_a_command() -> None:
    held, gone = said(name="my nas", paused=True), said(sends=Sends.REMOVED, waiting=1)
    spaced = said(name="my nas", sends=Sends.REMOVED, waiting=1)

    assert "`dock-agent destinations resume 'my nas'`" in held.todo
    assert "withdraw main --by WHO --why REASON`" in gone.todo
    assert "withdraw 'my nas' --by WHO --why REASON`" in spaced.todo


def test_what_a_server_says_is_never_taken_for_a_command_of_ours() -> None:
    barred = said(state=LinkState.BARRED, failure="403 run `dock-agent keys new`")

    assert "`" not in barred.told
    assert "'dock-agent keys new'" in barred.told


def test_a_busy_destination_is_not_said_to_be_silent() -> None:
    busy = said(failure="storing: 503 SlowDown")

    assert "answered" not in busy.told
    assert "503 SlowDown" in busy.told


def test_a_sync_that_has_read_an_older_configuration_is_thought_of() -> None:
    """It does not know the destination, and would never send there."""
    told = said(ONLINE, state=LinkState.UNKNOWN)

    assert "started after the configuration was changed" in told.todo
