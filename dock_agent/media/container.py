"""What a video file says of itself: an MP4 or QuickTime container, by its structure.

ISO/IEC 14496-12, and Apple's QuickTime File Format for what is older. Nothing is
decoded, and of a file of gigabytes some kilobytes are read. Libraries that play
films call a file whole that was cut off after its index; here it is `TRUNCATED`.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import BinaryIO

from dock_agent.media.boxes import Box, BrokenBoxes, CutOff, boxes

BEGINNINGS = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot")
)
EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
PLACE = re.compile(rb"([+-]\d{2}(?:\.\d+)?)([+-]\d{3}(?:\.\d+)?)")  # ISO 6709
SMALL = 4096  # bytes that any box read here needs at most
TRACKS = 64


class ContainerState(StrEnum):
    """Whether all of a container is there."""

    OK = "ok"
    EMPTY = "empty"  # a file without a byte
    TRUNCATED = "truncated"  # it ends before it says, or has no index
    BROKEN = "broken"  # its structure contradicts itself
    NOT_MP4 = "not_mp4"


@dataclass(frozen=True, slots=True)
class Stream:
    """One track: `kind` is its handler ("vide", "soun", …), `codec` its sample entry.

    `width` and `height` in pixels, of pictures only; `samples` is how many it has.
    """

    kind: str
    codec: str
    width: int | None = None
    height: int | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """The facts. `missing` are the bytes that the last box claims and the file lacks.

    `written` is the container's creation time as it stands there: the clock of the
    camera, and for Android the *end* of the recording. `place` is latitude and
    longitude in degrees. `fragmented` files keep their duration elsewhere.
    """

    state: ContainerState
    size: int
    missing: int = 0
    duration: timedelta | None = None
    written: datetime | None = None
    streams: tuple[Stream, ...] = ()
    place: tuple[float, float] | None = None
    fragmented: bool = False

    @property
    def video(self) -> Stream | None:
        return next((s for s in self.streams if s.kind == "vide" and s.width), None)

    @property
    def has_sound(self) -> bool:
        return any(stream.kind == "soun" for stream in self.streams)


def inspect(file: BinaryIO) -> Container:
    """Return what a file says of itself: any bytes have an answer.

    Raises only the `OSError` of reading them.
    """
    size = file.seek(0, 2)
    if size == 0:
        return Container(ContainerState.EMPTY, 0)
    found, fault = _side_by_side(file, size)
    if not found or found[0].kind not in BEGINNINGS:
        return Container(ContainerState.NOT_MP4, size)
    state, missing = _state(found, size, fault)
    seen = Container(state, size, missing)
    index = next((box for box in found if box.kind == b"moov"), None)
    if index is None:
        return seen
    try:
        return _read_index(file, index, seen)
    except BrokenBoxes:
        if state is ContainerState.OK:
            return replace(seen, state=ContainerState.BROKEN)
        return seen


def _side_by_side(file: BinaryIO, size: int) -> tuple[list[Box], BrokenBoxes | None]:
    """Return the boxes of the file up to the first that cannot be, and why it can't."""
    found: list[Box] = []
    try:
        found.extend(boxes(file, 0, size))  # keeps those before one that raises
    except BrokenBoxes as fault:
        return found, fault
    return found, None


def _state(
    found: list[Box], size: int, fault: BrokenBoxes | None
) -> tuple[ContainerState, int]:
    missing = max(0, found[-1].end - size)
    has_index = any(box.kind == b"moov" for box in found)
    if missing or not has_index or isinstance(fault, CutOff):
        return ContainerState.TRUNCATED, missing
    return (ContainerState.OK if fault is None else ContainerState.BROKEN), 0


def _read_index(file: BinaryIO, moov: Box, seen: Container) -> Container:
    end = min(moov.end, seen.size)
    streams: list[Stream] = []
    for box in boxes(file, moov.body, end):
        if box.kind == b"mvhd":
            written, duration = _times(_content(file, box))
            seen = replace(seen, written=written, duration=duration)
        elif box.kind == b"trak" and len(streams) < TRACKS:
            streams.append(_stream(file, box, end))
        elif box.kind == b"udta":
            seen = replace(seen, place=_place(file, box, end))
        elif box.kind == b"mvex":
            seen = replace(seen, fragmented=True)
    return replace(seen, streams=tuple(streams))


def _times(mvhd: bytes) -> tuple[datetime | None, timedelta | None]:
    """Return when it was written, and how long it lasts (ISO/IEC 14496-12 §8.2.2)."""
    wide = 8 if mvhd[:1] == b"\1" else 4
    created, scale = _number(mvhd, 4, wide), _number(mvhd, 4 + 2 * wide, 4)
    length = _number(mvhd, 8 + 2 * wide, wide)
    written = duration = None
    if created:
        written = _moment(created)
    unknown = (1 << (8 * wide)) - 1
    if scale and length not in {0, None, unknown}:
        duration = _duration(length or 0, scale)
    return written, duration


def _moment(seconds: int) -> datetime | None:
    try:
        return EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _duration(length: int, scale: int) -> timedelta | None:
    try:
        return timedelta(microseconds=length * 1_000_000 // scale)
    except OverflowError:
        return None


def _stream(file: BinaryIO, trak: Box, end: int) -> Stream:
    """Read one track: what handles it, and its first sample entry."""
    inside = _path(file, trak, end, b"mdia")
    handler = _first(file, inside, end, b"hdlr")
    kind = _content(file, handler)[8:12] if handler else b""
    table = _path(file, inside, end, b"minf", b"stbl")
    entry = _first(file, table, end, b"stsd")
    described = _content(file, entry) if entry else b""
    times = _first(file, table, end, b"stts")
    stream = Stream(
        _words(kind),
        _words(described[12:16]),
        samples=_samples(file, times, end) if times else None,
    )
    if kind != b"vide":
        return stream
    return replace(
        stream, width=_number(described, 40, 2), height=_number(described, 42, 2)
    )


def _samples(file: BinaryIO, stts: Box, end: int) -> int | None:
    """Count the samples in a table of times (§8.6.1.2), as far as it may be read."""
    file.seek(stts.body)
    runs = _number(file.read(8), 4, 4) or 0
    if runs * 8 > min(stts.end, end) - stts.body - 8:
        return None
    total = 0
    while runs:
        block = file.read(8 * min(runs, SMALL))
        if not block:
            return None
        total += sum(
            int.from_bytes(block[at : at + 4], "big") for at in range(0, len(block), 8)
        )
        runs -= len(block) // 8
    return total


def _place(file: BinaryIO, udta: Box, end: int) -> tuple[float, float] | None:
    """Return where it was taken: Android writes one point (`©xyz`, ISO 6709)."""
    try:
        box = _first(file, udta, end, b"\xa9xyz")
    except BrokenBoxes:
        return None  # QuickTime ends this one with four zero bytes
    found = PLACE.search(_content(file, box)) if box else None
    return (float(found[1]), float(found[2])) if found else None


def _path(file: BinaryIO, box: Box | None, end: int, *kinds: bytes) -> Box | None:
    for kind in kinds:
        box = _first(file, box, end, kind)
    return box


def _first(file: BinaryIO, box: Box | None, end: int, kind: bytes) -> Box | None:
    if box is None:
        return None
    inside = boxes(file, box.body, min(box.end, end))
    return next((one for one in inside if one.kind == kind), None)


def _content(file: BinaryIO, box: Box) -> bytes:
    file.seek(box.body)
    return file.read(max(0, min(box.end - box.body, SMALL)))


def _number(data: bytes, at: int, wide: int) -> int | None:
    part = data[at : at + wide]
    return int.from_bytes(part, "big") if len(part) == wide else None


def _words(code: bytes) -> str:
    """Return a four-character code as text that shows anywhere."""
    return code.decode("latin-1").encode("ascii", "backslashreplace").decode().strip()
