"""Kill a copy that encrypts at each of its operations; then search what is left."""

import os
import subprocess
import sys
from pathlib import Path

from dock_agent.vault.layout import PART
from support import dying
from support.copying import MIB, FolderCamera, content
from support.sealed import keys, opened

TESTS = Path(__file__).parent.parent
DATA = {"1.jpg": content(700), "2.jpg": b"", "3.mp4": content(17 * MIB + 3)}
PRIVATE, PUBLIC = keys("default")


def run(camera: Path, bag: Path, operation: int) -> bool:
    """Run a copy until it dies; return whether it lived."""
    words = [sys.executable, dying.__file__, camera, bag, operation, bag.parent / "pub"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *sys.path))}
    environment["TMPDIR"] = str(bag.parent / "tmp")
    done = subprocess.run([str(w) for w in words], env=environment, check=False)
    assert done.returncode in {0, -9}
    return done.returncode == 0


def plaintext(place: Path) -> list[str]:
    """Return where a piece of the footage is."""
    marks = [d[at : at + 64] for d in DATA.values() for at in range(0, len(d), 1 << 20)]
    files = {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}
    return [
        path.name
        for path, whole in files.items()
        if any(len(mark) > 3 and mark in whole for mark in marks)
    ]


def test_a_copy_that_is_killed_anywhere_leaves_no_plaintext_and_nothing_half(
    tmp_path: Path,
) -> None:
    camera = FolderCamera(tmp_path / "camera")
    for name, data in DATA.items():
        camera.record(name, data)
    place = tmp_path / "station"
    bag = place / "bag"
    for folder in (bag, place / "tmp"):
        folder.mkdir(parents=True)
    (place / "pub").write_bytes(PUBLIC)

    for operation in range(100):
        lived = run(camera.root, bag, operation)
        assert plaintext(place) == [], f"operation {operation}"
        for path in bag.iterdir():
            if not path.name.startswith(PART):
                whole = opened(path.read_bytes(), PRIVATE)
                assert whole == DATA[path.name], f"operation {operation}"
        if lived:
            break
        for path in bag.iterdir():
            path.unlink()

    assert operation > 30
    assert {path.name for path in bag.iterdir()} == set(DATA)


def test_what_a_killed_copy_left_is_never_gone_on_with(tmp_path: Path) -> None:
    camera = FolderCamera(tmp_path / "camera")
    for name, data in DATA.items():
        camera.record(name, data)
    bag = tmp_path / "bag"
    bag.mkdir()
    (tmp_path / "pub").write_bytes(PUBLIC)

    lives = [run(camera.root, bag, operation) for operation in (9, 20, 30, 1000)]

    assert lives == [False, False, False, True]
    heads = [path.read_bytes()[:2000] for path in bag.iterdir()]
    assert len({head for head in heads if head}) == len([h for h in heads if h])
    assert all(
        opened((bag / name).read_bytes(), PRIVATE) == data
        for name, data in DATA.items()
    )
