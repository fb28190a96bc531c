"""Kill a copy at each of its operations; what it leaves must never be a lie."""

import os
import subprocess
import sys
from pathlib import Path

from dock_agent.offload.copy import copy_one
from dock_agent.vault.disk import silent
from dock_agent.vault.layout import PART
from dock_agent.vault.real import RealDisk
from support import dying
from support.copying import MIB, FolderCamera, content

TESTS = Path(__file__).parent.parent
DATA = {"1.jpg": content(700), "2.jpg": b"", "3.mp4": content(17 * MIB + 3)}


def run(camera: Path, bag: Path, operation: int) -> bool:
    """Run a copy until it dies; return whether it lived."""
    command = [sys.executable, dying.__file__, str(camera), str(bag)]
    command.append(str(operation))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *sys.path))}
    done = subprocess.run(command, env=environment, check=False)
    assert done.returncode in {0, -9}
    return done.returncode == 0


def named(bag: Path) -> list[Path]:
    return [path for path in bag.iterdir() if not path.name.startswith(PART)]


def test_a_copy_killed_at_any_operation_leaves_no_name_without_its_bytes(
    tmp_path: Path,
) -> None:
    camera = FolderCamera(tmp_path / "camera")
    for name, data in DATA.items():
        camera.record(name, data)
    bag = tmp_path / "bag"
    bag.mkdir()
    proofs = bag.with_suffix(".proofs")
    proofs.touch()

    for operation in range(100):
        lived = run(camera.root, bag, operation)
        proven = proofs.read_text()
        for path in named(bag):
            assert path.read_bytes() == DATA[path.name], f"operation {operation}"
            assert f"{path.name} " in proven, f"operation {operation}"
        if lived:
            break
        for path in bag.iterdir():
            path.unlink()
        proofs.write_text("")

    assert operation > 30
    assert {path.name for path in bag.iterdir()} == set(DATA)


def test_what_a_killed_copy_left_does_not_keep_the_next_from_ending(
    tmp_path: Path,
) -> None:
    camera = FolderCamera(tmp_path / "camera")
    for name, data in DATA.items():
        camera.record(name, data)
    bag = tmp_path / "bag"
    bag.mkdir()

    lives = [run(camera.root, bag, operation) for operation in (3, 9, 20, 30, 1000)]

    assert lives == [False, False, False, False, True]
    assert {path.name for path in named(bag)} == set(DATA)
    assert all(path.read_bytes() == DATA[path.name] for path in named(bag))


def test_the_dying_disk_is_otherwise_a_disk(tmp_path: Path) -> None:
    camera = FolderCamera(tmp_path / "camera")
    camera.record("1.jpg", DATA["1.jpg"])
    disk = dying.DyingDisk(RealDisk(), dying.Fate(1000))

    copied = copy_one(camera, camera.wanted("1.jpg", tmp_path), disk, silent)

    assert copied.part.read_bytes() == DATA["1.jpg"]
