"""What is on a simulated camera."""

import hashlib
import struct
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dock_agent.simulated.cards import CLIP, Card, build, size

CARD = Card("KT-Z3", "KTZ3A00017", "000123", 3)
WHOLE = 1_500_000  # bytes: what ships for a demonstration


def built(card: Card, root: Path) -> dict[str, tuple[str, int]]:
    """Build a card; return the digest and time of each file by its name."""
    build(card, root)
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def boxes(content: bytes) -> list[bytes]:
    """Return the types of an MP4's boxes; they must fill it (ISO/IEC 14496-12)."""
    found, at = [], 0
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        found.append(kind)
        at += length
    assert at == len(content)
    return found


def test_equal_cards_are_equal_to_the_last_byte_and_time(tmp_path: Path) -> None:
    first = built(CARD, tmp_path / "first")

    assert built(CARD, tmp_path / "second") == first


def test_each_recording_has_a_clip_a_track_and_a_snapshot(tmp_path: Path) -> None:
    names = built(CARD, tmp_path / "card")

    ends = [name.rpartition(".")[2] for name in names]
    assert {end: ends.count(end) for end in ends} == {
        "LOG": 1,
        "JPG": 3,
        "MP4": 3,
        "NMEA": 3,
    }


def test_a_name_tells_camera_officer_time_and_number(tmp_path: Path) -> None:
    names = [Path(name).name for name in built(CARD, tmp_path / "card")]

    assert "KTZ3A00017_000123_20260305081530_0001.MP4" in names
    assert "KTZ3A00017_000123_20260305082938_0003_IMP.MP4" in names


def test_no_two_clips_are_alike_on_one_card_or_on_two(tmp_path: Path) -> None:
    one = built(CARD, tmp_path / "one")
    two = built(replace(CARD, serial="KTZ3A00018"), tmp_path / "two")

    clips = [d for n, (d, _) in [*one.items(), *two.items()] if n.endswith("MP4")]
    assert len(set(clips)) == len(clips) == 6


def test_every_clip_is_a_whole_mp4(tmp_path: Path) -> None:
    build(CARD, tmp_path / "card")

    for path in (tmp_path / "card").rglob("*.MP4"):
        assert {b"ftyp", b"moov", b"mdat"} <= set(boxes(path.read_bytes()))


def test_a_file_s_time_is_when_its_recording_ended(tmp_path: Path) -> None:
    card = replace(CARD, begin=datetime(2026, 11, 24, 9, 0, tzinfo=UTC))

    times = built(card, tmp_path / "card")

    first = next(time for name, (_, time) in times.items() if "_0001.MP4" in name)
    assert first == int((card.begin + CLIP).timestamp()) * 10**9


def test_a_camera_without_recordings_still_has_its_log(tmp_path: Path) -> None:
    names = built(replace(CARD, recordings=0), tmp_path / "card")

    assert list(names) == ["LOG/20260305/KTZ3A00017.LOG"]


def test_the_size_of_a_card_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "VIDEO").mkdir()
    (tmp_path / "VIDEO/a").write_bytes(bytes(10))
    (tmp_path / "b").write_bytes(bytes(5))

    assert size(tmp_path) == 15


@pytest.mark.parametrize("ends", [0, 1], ids=["encoder works", "encoder fails"])
def test_an_encoder_is_used_where_it_works(ends: int, tmp_path: Path) -> None:
    encoder = tmp_path / "ffmpeg"
    shell = f'#!/bin/sh\nfor last; do :; done\necho made > "$last"\nexit {ends}\n'
    encoder.write_text(shell, encoding="utf-8")
    encoder.chmod(0o755)

    build(CARD, tmp_path / "card", str(encoder))

    made = [p.read_bytes() == b"made\n" for p in (tmp_path / "card").rglob("*.MP4")]
    assert made == [ends == 0] * 3


def test_what_ships_for_a_demonstration_is_small() -> None:
    footage = Path(__file__).parents[3] / "dock_agent/simulated/footage"

    told = (footage / "SOURCES.md").read_text("utf-8")
    shipped = [path for path in footage.iterdir() if path.name != "SOURCES.md"]
    assert sum(path.stat().st_size for path in shipped) < WHOLE
    assert [path.name for path in shipped if f"`{path.name}`" not in told] == []
