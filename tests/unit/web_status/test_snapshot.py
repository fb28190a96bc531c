from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dock_agent.watch.verdict import VerdictKey
from support.boards import NOW, copying, instant, ready, show, station, status
from web_status.snapshot import judge, look


def test_a_snapshot_just_written_is_live(tmp_path: Path) -> None:
    config = station(tmp_path)
    show(config, status([copying("1")]))

    seen = look(config.snapshot_path, instant(NOW + timedelta(seconds=5)))

    assert seen.live
    assert seen.since == NOW
    assert seen.verdict.key is VerdictKey.CAN_GO


@pytest.mark.parametrize("seconds", [5.001, 3600, -5.001])
def test_a_snapshot_of_another_time_is_not_live(seconds: float) -> None:
    seen = judge(status([ready("1")]), instant(NOW + timedelta(seconds=seconds)))

    assert not seen.live
    assert seen.verdict.key is VerdictKey.NOT_LIVE


def test_a_clock_that_was_set_back_makes_no_old_snapshot_live() -> None:
    later = replace(instant(NOW), monotonic_ns=instant(NOW).monotonic_ns + 7200 * 10**9)

    assert not judge(status([ready("1")]), later).live


def test_a_snapshot_from_before_the_machine_was_started_is_not_live() -> None:
    seen = judge(status([ready("1")]), replace(instant(NOW), boot="another"))

    assert not seen.live
    assert seen.verdict.key is VerdictKey.NOT_LIVE


def test_a_clock_that_steps_does_not_veil_a_live_board() -> None:
    stepped = replace(instant(NOW), utc=NOW + timedelta(hours=1))

    assert judge(status([ready("1")]), stepped).live


def test_an_agent_that_says_it_is_not_live_is_believed() -> None:
    seen = judge(
        msgspec.structs.replace(status([ready("1")]), live=False), instant(NOW)
    )

    assert not seen.live


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"{}", b'{"station": "\xff"}', b"\x00" * 4096, b"null"],
)
def test_what_cannot_be_read_is_not_live(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(text)

    seen = look(path, instant(NOW))

    assert not seen.live
    assert seen.status is None


def test_a_missing_snapshot_is_not_live(tmp_path: Path) -> None:
    seen = look(tmp_path / "status.json", instant(NOW))

    assert (seen.live, seen.status, seen.age(NOW)) == (False, None, None)


@pytest.mark.parametrize("at", ["yesterday", "2026-11-24T06:58:12", ""])
def test_a_snapshot_without_a_time_is_not_live(tmp_path: Path, at: str) -> None:
    config = station(tmp_path)
    show(config, msgspec.structs.replace(status([ready("1")]), at=at))

    seen = look(config.snapshot_path, instant(NOW))

    assert not seen.live
    assert seen.status is None
