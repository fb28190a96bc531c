from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dock_agent.recording import BayState, LinkState
from dock_agent.watch.status import LEFT_OUT, BayStatus, Link, Queue, Sends, Status
from support.boards import (
    FULL,
    NOW,
    OFFLINE,
    ONLINE,
    ROOM,
    UNSENT,
    bay,
    charging,
    copying,
    instant,
    mixed,
    owed,
    pulled,
    ready,
    status,
)
from web_status.snapshot import judge, nothing
from web_status.words import (
    AT_REST,
    Board,
    board,
    link_words,
    queue_words,
    room_words,
)

GONE = msgspec.structs.replace(ROOM, free_bytes=0, total_bytes=0)
LONDON = ZoneInfo("Europe/London")
UNTRIED_YET = ("Network not tried yet", "none")
FORBIDDEN = ("error", "fail", "corrupt")


def said(what: Status, *, age_s: float = 0) -> Board:
    return board(judge(what, instant(NOW + timedelta(seconds=age_s))), LONDON)


def test_the_title_carries_the_whole_verdict() -> None:
    shown = said(status([copying("1")]))

    assert shown.title == "You can go – leave cameras docked"
    assert (shown.lead, shown.rest) == ("You can go", "leave cameras docked")


def test_a_stale_board_says_since_when_and_promises_nothing() -> None:
    shown = said(status([ready("1"), copying("2")], queue=UNSENT), age_s=6)

    assert shown.title == "Not live since 06:58:12 – Leave cameras docked"
    assert not shown.live
    assert [tile.word for tile in shown.tiles] == ["Leave it", "Leave it"]
    assert shown.footer.queue == shown.footer.link == ""


def test_without_a_snapshot_there_is_still_a_verdict() -> None:
    shown = board(nothing(), LONDON)

    assert shown.title == "Not live – Leave cameras docked"
    assert shown.tiles == ()


def test_a_camera_that_was_pulled_is_asked_for_when_another_uses_its_bay() -> None:
    shown = said(status([copying("2")], owed=(owed("KT-Z3:KTZ3A00123"),)))

    assert shown.owed == ("Cam 0123 was removed from bay 2 at 7 of 22: dock it again",)


def test_a_camera_that_its_tile_asks_for_is_not_asked_for_twice() -> None:
    gone = pulled("2")

    shown = said(status([gone], owed=(owed(str(gone.camera)),)))

    assert shown.owed == ()
    assert shown.tiles[0].word == "Re-dock"


def test_a_camera_that_sits_in_its_bay_is_not_asked_for() -> None:
    back = copying("1")

    assert said(status([back], owed=(owed(str(back.camera)),))).owed == ()


NO_NETWORK = ("No network – videos are safe here", "amber")
STOPPED = ("Sending stopped – videos are safe here", "amber")


def a_link(state: LinkState = LinkState.ONLINE, **facts: Any) -> Link:
    return msgspec.structs.replace(ONLINE, state=state, **facts)


def test_no_network_is_never_red_and_says_that_videos_are_safe() -> None:
    captive = msgspec.structs.replace(OFFLINE, state=LinkState.CAPTIVE)

    for links in ((OFFLINE,), (captive,), (captive, OFFLINE)):
        assert link_words(links) == NO_NETWORK


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (a_link(), ("Connected", "good")),
        (a_link(LinkState.METERED), ("Connected", "good")),
        (
            a_link(LinkState.METERED, sends=Sends.MARKED, costs=True),
            ("Connected, saving data", "good"),
        ),
        (
            a_link(LinkState.METERED, sends=Sends.MARKED),  # its window is shut
            ("Connected, sends later", "good"),
        ),
        (a_link(sends=Sends.NOTHING), ("Connected, sends later", "good")),
        (a_link(sends=Sends.MARKED), ("Connected, sends later", "good")),
        (a_link(sends=Sends.REMOVED), ("", "none")),
        (a_link(LinkState.UNKNOWN, last_success=None), UNTRIED_YET),
    ],
)
def test_the_network_has_a_word_for_each_state(
    link: Link, words: tuple[str, str]
) -> None:
    assert link_words((link,)) == words


@pytest.mark.parametrize(
    "link",
    [
        a_link(LinkState.BARRED),  # it answers, and takes nothing
        a_link(LinkState.UNKNOWN),  # nobody sends any more
        a_link(paused=True),
        msgspec.structs.replace(OFFLINE, paused=True),
    ],
)
def test_a_link_that_takes_nothing_is_not_called_connected(link: Link) -> None:
    assert link_words((link,)) == STOPPED
    assert link_words((link, OFFLINE)) == STOPPED


def test_one_place_that_is_reached_does_not_hide_another_that_is_not() -> None:
    words = ("Sends to 1 of 2 – videos are safe here", "amber")

    for link in (OFFLINE, a_link(LinkState.BARRED), a_link(paused=True)):
        assert link_words((ONLINE, link)) == words
    assert link_words((OFFLINE, a_link(sends=Sends.REMOVED))) == NO_NETWORK


def test_a_place_whose_window_is_shut_is_not_said_to_be_sent_to() -> None:
    shut, down = a_link(sends=Sends.NOTHING), a_link(LinkState.OFFLINE)
    words = ("Sends later to 1 of 2 – videos are safe here", "amber")

    assert link_words((shut, down)) == words


def test_videos_are_not_called_safe_here_while_their_storage_is_missing() -> None:
    shown = said(status([ready("1")], vault=GONE, links=(OFFLINE,)))

    assert (shown.footer.link, shown.footer.network) == ("No network", "amber")


LEFT = msgspec.structs.replace(
    ONLINE, name="nas", state=LEFT_OUT, sends=Sends.REMOVED, waiting=5
)


def test_a_destination_that_is_left_out_is_no_network() -> None:
    assert link_words((LEFT,)) == ("", "none")
    assert link_words((OFFLINE, LEFT)) == link_words((OFFLINE,))


def test_what_waits_for_a_destination_that_is_left_out_needs_it() -> None:
    stranded = Queue(waiting=8, bytes=5, oldest_age_s=None, refused=1, stranded=5)

    told = queue(queue=stranded, links=(ONLINE, LEFT))

    assert told == "2 objects to send · 6 need IT"


def waiting(count: int, refused: int = 0, age_s: float | None = None) -> Queue:
    return Queue(waiting=count, bytes=5, oldest_age_s=age_s, refused=refused)


def queue(*, bays: Sequence[BayStatus] = (), **facts: Any) -> str:
    return queue_words(status(bays, **facts)).replace("\N{NO-BREAK SPACE}", " ")


def test_a_station_without_destinations_claims_no_network_and_nothing_sent() -> None:
    assert link_words(()) == ("", "none")
    assert queue(links=()) == "Kept on this station"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (UNSENT, "38 objects to send · oldest 3 h 55 min"),
        (waiting(1), "1 object to send"),
        (waiting(2, refused=2), "2 need IT"),
        (waiting(6, refused=3), "3 objects to send · 3 need IT"),
        (waiting(1, refused=1), "1 needs IT"),
        (waiting(6, 3, 7200), "3 objects to send · 3 need IT · oldest 2 h"),
    ],
)
def test_what_waits_is_counted_once_with_the_age_of_the_oldest(
    what: Queue, words: str
) -> None:
    assert queue(queue=what) == words


UNTRIED = msgspec.structs.replace(ONLINE, name="other", last_success=None)


def test_nothing_is_called_sent_before_a_destination_ever_answered() -> None:
    assert queue(links=(UNTRIED,)) == "Nothing sent yet"
    assert queue(links=(UNTRIED, ONLINE)) == "Nothing is queued"


def test_nothing_is_called_sent_where_nobody_may_have_looked_what_is_missing() -> None:
    """What was sealed without a destination is queued by whoever sends to it first."""
    named_again = a_link(LinkState.UNKNOWN, name="nas")

    assert queue(links=(named_again, ONLINE)) == "Nothing is queued"
    assert queue(links=(named_again,)) == "Nothing is queued"


@pytest.mark.parametrize(
    ("bays", "words"),
    [
        ([ready("1"), bay("2", BayState.EMPTY)], "Everything is sent"),
        *(
            ([ready("1"), bay("2", state)], "Everything here is sent")
            for state in set(BayState) - AT_REST
        ),
    ],
)
def test_everything_is_sent_only_when_no_camera_still_holds_something(
    bays: list[BayStatus], words: str
) -> None:
    assert queue(bays=bays) == words


def test_everything_is_not_sent_while_a_camera_is_owed() -> None:
    assert queue(owed=(owed("KT-Z3:KTZ3A00123"),)) == "Everything here is sent"


def test_room_is_what_is_free_above_the_reserve() -> None:
    days = msgspec.structs.replace(ROOM, days_left=12.5)

    assert room_words(ROOM) == "Room for 412 GB"
    ages = msgspec.structs.replace(ROOM, days_left=103_422.0)
    assert room_words(days) == "Room for 412 GB, about 12 days"
    assert room_words(ages) == "Room for 412 GB, more than a year"
    assert room_words(FULL) == "Dock full"
    assert room_words(GONE) == "Storage is missing"


def test_a_full_dock_asks_for_no_camera() -> None:
    shown = said(status([ready("1"), bay("2", BayState.EMPTY)], vault=FULL))

    assert shown.title == "Don't dock here – dock full"
    assert shown.tiles[1].line == ""
    assert shown.tiles[0].word == "Take me"


def test_long_verdicts_are_shown_smaller() -> None:
    lengths = [
        said(status(bays)).length
        for bays in ([charging("1")], [pulled("1")], [pulled("1"), pulled("2")])
    ]

    assert lengths == ["short", "medium", "long"]


def test_the_board_never_frightens() -> None:
    whole = (
        msgspec.json.encode(said(status(mixed(), links=(OFFLINE,)))).decode().lower()
    )

    assert not [word for word in FORBIDDEN if word in whole]
