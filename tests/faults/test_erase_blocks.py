"""A card that is a real file system of the kernel's, whose blocks go wrong. As root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dock_agent.bays.machine import Cleared, Failed
from dock_agent.offload.messages import Agreed, Said
from dock_agent.recording import ClearState
from dock_agent.store import erasures
from support.bench import Bench
from support.cards import card, content, digests
from support.disks import MAY_MOUNT, small_file_system
from support.erasing import Clearing, told
from support.erasing import erasures as recorded

pytestmark = pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root")
SIZES = {f"DCIM/{n:04d}.MP4": 200_000 for n in range(6)}
BLOCK = 4096


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_bytes_that_the_card_lost_are_not_read_from_the_page_cache(
    bench: Bench, tmp_path: Path
) -> None:
    with small_file_system(tmp_path, 32 << 20) as root:
        source = card(root / "card", SIZES)
        flush(root)
        docking, before = bench.dock(source), digests(source)
        lose(tmp_path / "image", content("DCIM/0003.MP4", BLOCK))
        assert digests(source) == before, "the cache still has what was offloaded"

        why = Clearing(bench, source).of(docking)

        assert why is not None
        assert "other bytes" in why
        assert isinstance(bench.events[-1], Failed)
        assert recorded(bench, docking.id) == {}


def lose(image: Path, block: bytes) -> None:
    """Overwrite one block of the image that a card is mounted from."""
    at = image.read_bytes().index(block)
    fd = os.open(image, os.O_WRONLY)
    os.pwrite(fd, bytes(len(block)), at)
    os.fsync(fd)
    os.close(fd)


def test_a_removal_that_the_card_takes_and_cannot_keep_is_not_called_one(
    bench: Bench, tmp_path: Path
) -> None:
    with (
        small_disk(tmp_path / "memory") as memory,
        small_file_system(memory, 64 << 20) as root,
    ):
        source = card(root / "card", SIZES)
        flush(root)
        docking = bench.dock(source)

        def fill(said: Said) -> None:
            if isinstance(said, Agreed):
                fill_up(memory / "filler")

        why = Clearing(bench, source, then=fill).of(docking)
        (memory / "filler").unlink()

        assert digests(source) == {}, "the removal itself succeeds"
        assert why is not None
        assert why.startswith("the whole card: ")
        assert isinstance(bench.events[-1], Cleared), "every file is in the vault"
        assert set(recorded(bench, docking.id).values()) == {"intended"}
        assert told(bench, docking.id, "erased") == []
        assert erasures.state(bench.conn, docking.id) is ClearState.FAILED


def flush(root: Path) -> None:
    subprocess.run(["sync", "-f", root], check=True)


@contextmanager
def small_disk(point: Path) -> Iterator[Path]:
    """Mount a few megabytes of memory: an image on it has no room to be written."""
    point.mkdir()
    size = ["-o", "size=10m"]
    subprocess.run(["mount", "-t", "tmpfs", *size, "none", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(BLOCK))
        except OSError:
            return
