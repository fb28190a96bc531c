from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dock_agent.recording import BayState, LinkState
from dock_agent.watch.status import Queue, Status
from support.boards import (
    FULL,
    NOW,
    OFFLINE,
    ONLINE,
    ROOM,
    SENT,
    UNSENT,
    bay,
    charging,
    copying,
    mixed,
    owed,
    pulled,
    ready,
    status,
)
from web_status.snapshot import judge, nothing
from web_status.words import Board, board, link_words, queue_words, room_words

LONDON = ZoneInfo("Europe/London")
FORBIDDEN = ("error", "fail", "corrupt")


def said(what: Status, *, age_s: float = 0) -> Board:
    return board(judge(what, NOW + timedelta(seconds=age_s)), LONDON)


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


def test_no_network_is_never_red_and_says_that_videos_are_safe() -> None:
    captive = msgspec.structs.replace(OFFLINE, state=LinkState.CAPTIVE)

    for links in ((OFFLINE,), (captive,), (ONLINE, OFFLINE)):
        assert link_words(links) == ("No network – videos are safe here", "amber")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (LinkState.ONLINE, ("Connected", "good")),
        (LinkState.METERED, ("Connected, saving data", "good")),
        (LinkState.UNKNOWN, ("Network not tried yet", "none")),
    ],
)
def test_the_network_has_a_word_for_each_state(
    state: LinkState, words: tuple[str, str]
) -> None:
    assert link_words((msgspec.structs.replace(ONLINE, state=state),)) == words


def test_a_station_without_destinations_claims_no_network_and_nothing_sent() -> None:
    assert link_words(()) == ("", "none")
    assert queue_words(SENT, ()) == "Kept on this station"


def test_what_waits_is_counted_with_the_age_of_the_oldest() -> None:
    one = Queue(waiting=1, bytes=5, oldest_age_s=None, refused=0)
    refused = Queue(waiting=0, bytes=0, oldest_age_s=None, refused=2)

    assert queue_words(UNSENT, (ONLINE,)) == "38 files to send, oldest 3 h 55 min"
    assert queue_words(one, (ONLINE,)) == "1 file to send"
    assert queue_words(refused, (ONLINE,)) == "2 need IT"
    assert queue_words(SENT, (ONLINE,)) == "Everything is sent"


def test_room_is_what_is_free_above_the_reserve() -> None:
    days = msgspec.structs.replace(ROOM, days_left=12.5)

    assert room_words(ROOM) == "Room for 412 GB"
    assert room_words(days) == "Room for 412 GB, about 12 days"
    assert room_words(FULL) == "Dock full"


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
