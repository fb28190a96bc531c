"""Build what is on a simulated camera: playable clips, tracks, snapshots, a log.

The names are those of a GA/T 947-style recorder. With ffmpeg each camera's
clips are its own; otherwise the small one that ships is used for all.
"""

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from dock_agent.simulated.track import walk

CLIP = timedelta(seconds=4)
FREE = b"free"  # an MP4 box that players pass over (ISO/IEC 14496-12, 8.1.2)


@dataclass(frozen=True, slots=True)
class Card:
    """What a camera holds. `begin` is when its first recording was started."""

    model: str
    serial: str
    officer: str
    recordings: int
    begin: datetime = datetime(2026, 3, 5, 8, 15, 30, tzinfo=UTC)

    @property
    def folder(self) -> str:
        """What the card's directory is called when it stands for the camera."""
        return f"{self.model}:{self.serial}"


def build(card: Card, root: Path, ffmpeg: str | None = None) -> None:
    """Fill `root`, which must not exist, with the card's files.

    `ffmpeg` is the program, if there is one; without it equal cards are equal to
    the last byte and time stamp.
    """
    day = f"{card.begin:%Y%m%d}"
    for name in ("VIDEO", "PHOTO", "LOG"):
        (root / name / day).mkdir(parents=True)
    for number in range(card.recordings):
        start = card.begin + number * (CLIP + timedelta(minutes=7))
        stem = f"{card.serial}_{card.officer}_{start:%Y%m%d%H%M%S}_{number + 1:04d}"
        if number and number == card.recordings - 1:
            stem += "_IMP"  # the officer marked it as evidence
        video = root / "VIDEO" / day / f"{stem}.MP4"
        _clip(card, number, video, ffmpeg)
        track, photo = video.with_suffix(".NMEA"), root / "PHOTO" / day / f"{stem}.JPG"
        seed = f"{card.serial} {number}"
        track.write_text(walk(start, CLIP.seconds, seed), "ascii", newline="")
        _put("snapshot.jpg", photo)
        for path in (video, track, photo):
            _date(path, start + CLIP)
    log = root / "LOG" / day / f"{card.serial}.LOG"
    log.write_text(f"{card.begin:%F %T} POWER ON bat=100\n", encoding="utf-8")
    _date(log, card.begin)


def size(root: Path) -> int:
    """Return how many bytes a card's files are."""
    return sum(file.stat().st_size for file in root.rglob("*") if file.is_file())


def _date(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


def _clip(card: Card, number: int, path: Path, ffmpeg: str | None) -> None:
    if ffmpeg is None or not _encoded(ffmpeg, card, number, path):
        _put("clip.mp4", path)
        note = f"{card.serial} {card.officer} {number}".encode()
        with path.open("ab") as video:  # no two clips are alike
            video.write((8 + len(note)).to_bytes(4, "big") + FREE + note)


def _encoded(ffmpeg: str, card: Card, number: int, path: Path) -> bool:
    hue = (sum(card.serial.encode()) * 37 + number * 60) % 360
    picture = f"testsrc2=size=640x360:rate=25,hue=h={hue}"
    tone = f"sine=frequency={440 + 55 * number}"
    command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", picture]
    command += ["-f", "lavfi", "-i", tone, "-t", str(CLIP.seconds)]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-flags", "+bitexact", "-fflags", "+bitexact"]
    command += ["-threads", "1", "-f", "mp4", "-y", str(path)]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  our own words


def _put(name: str, path: Path) -> None:
    source = resources.files("dock_agent.simulated") / "footage" / name
    path.write_bytes(source.read_bytes())
