"""What a video file says of itself, held against ffprobe's and exiftool's word."""

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.media.boxes import MOST
from dock_agent.media.container import Container, ContainerState, inspect

DATA = Path(__file__).parents[2] / "data"
SPOILT: dict[str, Any] = json.loads((DATA / "negative/expected.json").read_text())
FILMS: dict[str, Any] = json.loads((DATA / "mp4/expected.json").read_text())
CARDS = [
    (card, one)
    for card in ("card-gat947", "card-dcam")
    for one in json.loads((DATA / f"{card}.manifest.json").read_text())["files"]
    if one["kind"] == "video" and "duration_s" in one
]
WHOLE = (DATA / "negative/moov_at_end.mp4").read_bytes()
FASTSTART = DATA / "card-gat947" / CARDS[0][1]["path"]


def read(path: Path) -> Container:
    with path.open("rb") as file:
        return inspect(file)


def box(kind: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return (8 + len(body) if size is None else size).to_bytes(4, "big") + kind + body


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_file_is_called_what_it_is(name: str) -> None:
    assert read(DATA / "negative" / name).state == SPOILT[name]["want"]


@pytest.mark.parametrize("name", FILMS)
def test_the_facts_are_those_that_ffprobe_finds(name: str) -> None:
    told = FILMS[name]
    path = DATA / name if (DATA / name).exists() else DATA / "mp4" / name

    found = read(path)

    assert found.duration is not None
    assert found.duration.total_seconds() == pytest.approx(told["duration"], abs=1e-4)
    assert found.written == datetime.fromisoformat(told["creation_time"])
    shown = [s for s in told["streams"] if s["frames"] is not None]
    assert [stream.samples for stream in found.streams] == [
        int(stream["frames"]) for stream in shown
    ]
    assert (found.video.width, found.video.height) == (  # type: ignore[union-attr]
        shown[0]["w"],
        shown[0]["h"],
    )
    assert [stream.codec for stream in found.streams] == [
        stream["tag"].strip() for stream in shown
    ]


@pytest.mark.parametrize(("card", "told"), CARDS, ids=lambda one: str(one)[:20])
def test_the_facts_are_those_that_made_the_card(
    card: str, told: dict[str, Any]
) -> None:
    found = read(DATA / card / told["path"])

    assert found.state is ContainerState.OK
    assert found.duration == timedelta(seconds=told["duration_s"])
    assert found.written == datetime.fromisoformat(told["mvhd_creation_utc"])
    assert found.place == pytest.approx(told["gps"]["first"], abs=1e-3)
    assert found.has_sound


@given(st.integers(0, len(WHOLE) - 1))
def test_no_cut_leaves_a_file_that_is_called_whole(length: int) -> None:
    found = inspect(io.BytesIO(WHOLE[:length]))

    assert found.state is not ContainerState.OK


@given(st.integers(1, FASTSTART.stat().st_size - 8))
def test_a_cut_behind_the_index_is_seen_and_measured(missing: int) -> None:
    whole = FASTSTART.read_bytes()

    found = inspect(io.BytesIO(whole[:-missing]))

    assert found.state is ContainerState.TRUNCATED
    if missing < len(whole) - 10_000:  # what is before it, the index included
        assert found.missing == missing


@given(st.binary(max_size=200), st.sampled_from([b"", b"\0\0\0\x08free", WHOLE[:40]]))
def test_any_bytes_have_an_answer(data: bytes, head: bytes) -> None:
    found = inspect(io.BytesIO(head + data))

    assert found.size == len(head + data)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_flipped_bits_have_an_answer(at: int, bits: int) -> None:
    spoilt = bytearray(WHOLE)
    spoilt[at] ^= bits

    assert inspect(io.BytesIO(bytes(spoilt))).size == len(WHOLE)


def test_a_box_that_claims_more_than_any_disk_has_is_missing_that_much() -> None:
    head = box(b"ftyp", b"isom") + box(b"moov")
    huge = b"\0\0\0\1mdat" + (1 << 62).to_bytes(8, "big")

    found = inspect(io.BytesIO(head + huge))

    assert found.state is ContainerState.TRUNCATED
    assert found.missing == (1 << 62) - 16


def test_boxes_without_end_are_no_endless_work() -> None:
    found = inspect(io.BytesIO(box(b"ftyp") + box(b"free") * (MOST + 1)))

    assert found.state is not ContainerState.OK


def test_an_index_within_itself_is_broken_and_ends() -> None:
    inner = box(b"trak", box(b"mdia", size=1 << 31))
    found = inspect(io.BytesIO(box(b"ftyp") + box(b"moov", inner) + box(b"mdat")))

    assert found.streams[0].codec == ""


def test_a_table_that_claims_more_runs_than_it_holds_is_not_counted() -> None:
    stts = box(b"stts", b"\0\0\0\0" + b"\xff" * 4)
    stbl = box(b"minf", box(b"stbl", stts))
    film = box(b"ftyp") + box(b"moov", box(b"trak", box(b"mdia", stbl))) + box(b"mdat")

    found = inspect(io.BytesIO(film))

    assert found.streams[0].samples is None


def test_of_a_large_file_little_is_read(tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.write(box(b"ftyp", b"isom"))
        file.write(b"\0\0\0\1mdat" + ((1 << 32) + 16).to_bytes(8, "big"))
        file.seek(1 << 32, io.SEEK_CUR)
        file.write(box(b"moov"))

    with large.open("rb", buffering=0) as raw, _Counting(raw) as counted:
        found = inspect(counted)

    assert found.state is ContainerState.OK
    assert counted.read_bytes < 1 << 12


class _Counting(io.BufferedReader):
    """A file that counts what is read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data
