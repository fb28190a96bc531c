from datetime import timedelta

import msgspec

from support.boards import NOW, OFFLINE, ONLINE, copying, fault, instant, ready, status
from web_status.objects import status_object, tagged_part
from web_status.snapshot import judge, nothing


def test_a_live_status_is_passed_on_whole() -> None:
    written = status([ready("1"), fault("2")], links=(OFFLINE,))

    found = status_object(judge(written, instant(NOW)), "harbour-1", everything=True)

    assert found == msgspec.to_builtins(written)


def test_a_status_that_is_not_live_is_nowhere_green() -> None:
    stale = judge(
        status([ready("1"), copying("2")]), instant(NOW + timedelta(minutes=1))
    )

    found = status_object(stale, "harbour-1", everything=True)

    assert found["live"] is False
    assert found["verdict"]["key"] == "not_live"
    assert "green" not in [bay["colour"] for bay in found["bays"]]


def test_a_status_that_is_not_live_tells_no_rate() -> None:
    fast = msgspec.structs.replace(ONLINE, goodput=5_000_000)
    stale = judge(status([], links=(fast,)), instant(NOW + timedelta(minutes=1)))

    found = status_object(stale, "harbour-1", everything=True)

    assert found["links"][0]["goodput"] is None


def test_a_missing_snapshot_has_the_shape_of_any_other() -> None:
    shape = msgspec.to_builtins(status([]))

    found = status_object(nothing(), "harbour-1", everything=True)

    assert found.keys() == shape.keys()
    assert (found["station"], found["live"]) == ("harbour-1", False)
    assert found["verdict"]["text"] == "Not live – leave cameras docked"


def test_anybody_may_have_the_boards_part_and_no_reasons() -> None:
    written = status([fault("2")], links=(OFFLINE,))

    found = status_object(judge(written, instant(NOW)), "harbour-1", everything=False)

    assert found["bays"][0]["code"] == "D-17"
    assert found["bays"][0]["reason"] is None
    assert found["links"][0]["state"] == "offline"
    assert found["links"][0]["failure"] is None


def test_time_alone_is_no_change() -> None:
    first = status([copying("1")])
    later = msgspec.structs.replace(
        first, at="2026-11-24T06:58:13.000000Z", monotonic_ns=first.monotonic_ns + 1
    )

    tags = [
        tagged_part(status_object(judge(each, instant(NOW)), "x", everything=True))
        for each in (first, later)
    ]

    assert tags[0] == tags[1]
