"""The judge of disks that were cut off sees each kind of damage."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.config import parse
from dock_agent.importing import Wish, import_tree
from hardware.cuts import Court, court
from hardware.image import run
from hardware.judge import CONFIG
from hardware.witness import Seen

CAMERA = "generic:CAM1"
NAMES = ("A.MP4", "B.MP4")
Damage = Callable[[Path], None]


@pytest.fixture
def judges(tmp_path: Path) -> Iterator[Court]:
    (tmp_path / "court").mkdir()
    with court(tmp_path / "court") as made:
        yield made


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """Return the folder of a station that has one camera's files, sealed."""
    root, camera = tmp_path / "station", tmp_path / "camera"
    for folder in (camera, *(root / name for name in ("vault", "state", "keys"))):
        folder.mkdir(parents=True)
    for name in NAMES:
        (camera / name).write_bytes(name.encode() * 3000)
    config = parse(CONFIG, base=root)
    assert import_tree(config, Wish(camera, CAMERA, "1"), lambda *_: None).error is None
    return root


def copy(station: Path) -> Path:
    return next(station.rglob("A.MP4"))


def flip(station: Path) -> None:
    path = copy(station)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def give_it_a_name(station: Path) -> None:
    copy(station).with_name("C.MP4").write_bytes(b"never proved")


def tear_a_page(station: Path) -> None:
    with (station / "state/dock.sqlite").open("r+b") as file:
        file.seek(5 * 4096)
        file.write(bytes([255]) * 2048)


def change(*statements: str) -> Damage:
    def damage(station: Path) -> None:
        with closing(sqlite3.connect(station / "state/dock.sqlite")) as conn:
            for statement in statements:
                conn.execute(statement)
            conn.commit()

    return damage


CUT_OUT = change("DROP TRIGGER custody_keeps", "DELETE FROM custody WHERE seq = 3")
OF_NOTHING = change("UPDATE file SET docking = 'no docking' WHERE stored = 'A.MP4'")
UNSEALED = change("UPDATE docking SET state = 'checking', complete = NULL")
CONFIRMED = change(
    "INSERT INTO destination (name, kind, link) VALUES ('nas', 'directory', 'unknown')",
    "INSERT INTO transfer (destination, docking, path, key, size, sha256, state,"
    " priority, created_at) SELECT 'nas', id, 'x', 'x', 1, 'ab', 'confirmed', 2, ''"
    " FROM docking",
)
DAMAGES: dict[str, tuple[Damage, str]] = {
    "a bit": (flip, "A.MP4 has its name, and is not what was proved"),
    "a file": (lambda at: copy(at).unlink(), "A.MP4 is called verified, and is not"),
    "a name": (give_it_a_name, "C.MP4 has its name, and is not what was proved"),
    "a page": (tear_a_page, "malformed"),
    "a line": (CUT_OUT, "seq is 4, not 3"),
    "a key": (OF_NOTHING, "foreign_key_check says"),
    "an object": (CONFIRMED, "x is called confirmed, and is not there"),
    "a seal": (UNSEALED, f"{CAMERA} was green, and is not sealed"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_is_damaged_is_seen(
    judges: Court, station: Path, tmp_path: Path, kind: str
) -> None:
    damage, sentence = DAMAGES[kind]
    damage(station)

    wrong = judges.judge(disk(tmp_path, station), {}, [green()])

    assert sentence in "; ".join(wrong)


def test_a_line_that_was_read_and_is_gone_is_missed(
    judges: Court, station: Path, tmp_path: Path
) -> None:
    read = Seen(0, {"seq": 4000, "sha256": "ab" * 32})

    wrong = judges.judge(disk(tmp_path, station), {}, [read])

    assert any("line 4000 of the custody log had been read" in text for text in wrong)


def disk(folder: Path, station: Path) -> Path:
    """Return a disk that holds the station's folder."""
    image = folder / "disk.raw"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", station, image, "64M")
    return image


def green() -> Seen:
    return Seen(0, {"colour": "green", "camera": CAMERA})
