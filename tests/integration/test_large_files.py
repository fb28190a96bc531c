"""Large files: every byte is read, written and hashed, and none is passed over.

They are sparse, and the disk keeps none of it. `LARGE` says how many MiB they have,
about; with 4096 they are where 32 bits end.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.offload.copy import copy_one
from dock_agent.recording import PART_SIZE
from support.copying import FolderCamera
from support.counting import CountingDisk

SIZE = int(os.environ.get("LARGE", "64")) << 20
ENDING = b"the end"  # so that the last bytes are no zeros


@pytest.fixture
def camera(tmp_path: Path) -> FolderCamera:
    root = tmp_path / "card"
    root.mkdir()
    return FolderCamera(root)


def sparse(camera: FolderCamera, size: int) -> None:
    """Put a file on the camera that has no blocks but the last."""
    with (camera.root / "1.MP4").open("wb") as file:
        file.seek(size - len(ENDING))
        file.write(ENDING)


def zeros() -> Iterator[bytes]:
    """Yield what such a file begins with, but for less than a page."""
    block = bytes(1 << 20)
    for _ in range(SIZE // len(block) - 1):
        yield block
    yield block[:-4096]


@pytest.fixture(scope="module")
def begun() -> "hashlib._Hash":
    """The digest of SIZE - 4096 zeros, unfinished."""
    whole = hashlib.sha256()
    for block in zeros():
        whole.update(block)
    return whole


@pytest.mark.parametrize("by", [-1, 0, 1])
def test_a_large_file_is_copied_to_its_last_byte(
    camera: FolderCamera, tmp_path: Path, begun: "hashlib._Hash", by: int
) -> None:
    size = SIZE + by
    sparse(camera, size)
    wanted = camera.wanted("1.MP4", tmp_path / "bag")
    disk, heard = CountingDisk(), list[int]()

    copied = copy_one(camera, wanted, disk, heard.append)

    expected = begun.copy()
    expected.update(bytes(4096 + by - len(ENDING)) + ENDING)
    assert wanted.size == size
    assert copied.digest == expected.hexdigest()
    assert disk.size(copied.part) == sum(heard) == copied.counted == size
    assert len(copied.parts) == -(-size // PART_SIZE)
    assert copied.parts[0] == hashlib.sha256(bytes(PART_SIZE)).hexdigest()
