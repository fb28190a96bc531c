"""Names that are no text: nothing stops at them, and the log tells of each."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dock_agent.custody import chain
from dock_agent.offload.messages import AllCopied
from dock_agent.offload.recover import recover
from dock_agent.store import custody, dockings
from dock_agent.store.dockings import Docking
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import verify_bag
from support.bench import KEY, Bench, Died
from support.cards import card, digests
from support.disks import MAY_MOUNT
from support.programs import Site, site

SIZES = {"VIDEO/1.MP4": 300_000, "LOG/1.LOG": 100}
CAFE = b"caf\xe9"
SHOWN = r"caf\xe9"


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def raw(folder: Path, name: bytes) -> Path:
    return folder / os.fsdecode(name)


def test_a_directory_whose_name_is_not_text_is_imported_like_any_other(
    here: Site,
) -> None:
    camera = card(raw(here.root, CAFE), SIZES)

    said = here.agent("import", str(camera), "--camera", "KT-Z1:42", "--json")
    checked = here.agent("verify", "--all", "--json")

    assert (said.code, checked.code) == (0, 0)
    assert said.json["verified"] == len(SIZES)
    bag = Path(said.json["bag"])
    assert digests(bag / "data") == digests(camera)
    lines = chain.split((bag / "custody.jsonl").read_text("utf-8"))
    identity = json.loads(lines[0])["facts"]["identity"]
    assert identity["imported_from"] == str(here.root / SHOWN)


def test_a_directory_that_is_not_there_is_named_although_its_name_is_not_text(
    here: Site,
) -> None:
    camera = raw(here.root, CAFE)

    said = here.agent("import", str(camera), "--camera", "KT-Z1:42")

    assert said.code > 1  # which would be: unexpected
    assert f"there is no directory {here.root}/caf" in said.err
    assert "Traceback" not in said.err


# ---- strays in a bag --------------------------------------------------------------


def with_stray(bench: Bench, source: Path, name: bytes) -> tuple[Docking, Path]:
    """Leave a docking in the midst, and in its bag what no row proves."""
    docking = bench.dies_at(source, AllCopied, before=True)
    stray = raw(bench.bag(docking) / "data", name)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"whose?")
    return docking, stray


def strays(bench: Bench, docking: Docking) -> list[Any]:
    lines = map(json.loads, custody.lines(bench.conn, docking.id))
    return [line["facts"]["file"] for line in lines if line["kind"] == "stray"]


@pytest.mark.parametrize("name", [CAFE, b"VIDEO/" + CAFE])
def test_a_stray_whose_name_is_not_text_is_told_of_and_set_aside_once(
    bench: Bench, tmp_path: Path, name: bytes
) -> None:
    source = card(tmp_path / "card", SIZES)
    docking, stray = with_stray(bench, source, name)

    found = [recover(bench.conn, bench.sealer).strays for _ in range(3)]

    assert found == [1, 0, 0]
    assert not stray.exists()
    kept = raw(bench.vault / "quarantine" / docking.id, name)
    assert kept.read_bytes() == b"whose?"
    assert strays(bench, docking) == [name.decode("utf-8", "backslashreplace")]
    assert whole_again(bench, source, docking)


def whole_again(bench: Bench, source: Path, docking: Docking) -> bool:
    """Dock once more; then the docking that had strays is sealed, and sound."""
    again = bench.dock(source)
    assert dockings.unfinished(bench.conn) == []
    checked = verify_bag(bench.disk, bench.bag(docking), docking.id, KEY.public)
    assert checked.failed == []
    return again.complete is True


def test_a_directory_that_no_row_proves_does_not_spoil_the_seal(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    docking, stray = with_stray(bench, source, CAFE + b"/\xff")

    recover(bench.conn, bench.sealer)

    assert not stray.exists()
    assert whole_again(bench, source, docking)


@dataclass
class MortalDisk(RealDisk):
    """The agent is killed as it moves something aside."""

    alive: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def rename(self, source: Path, target: Path) -> None:
        if not self.alive and "quarantine" in target.parts:
            raise Died
        super().rename(source, target)


def test_a_stray_is_told_of_before_it_is_moved(bench: Bench, tmp_path: Path) -> None:
    source = card(tmp_path / "card", SIZES)
    docking, stray = with_stray(bench, source, CAFE)
    disk = MortalDisk()
    bench.disk = disk

    with pytest.raises(Died):
        recover(bench.conn, bench.sealer)
    told, there = strays(bench, docking), stray.exists()
    disk.alive = True
    again = recover(bench.conn, bench.sealer)

    assert (told, there) == ([SHOWN], True)
    assert again.strays == 1
    assert strays(bench, docking) == [SHOWN, SHOWN]
    assert not stray.exists()
    assert whole_again(bench, source, docking)


def test_links_that_lead_nowhere_are_set_aside_however_often_they_come(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    docking = bench.dies_at(source, AllCopied, before=True)
    link = raw(bench.bag(docking) / "data", CAFE)

    found = []
    for _ in range(3):
        link.symlink_to("/nowhere")
        found.append(recover(bench.conn, bench.sealer).strays)

    assert found == [1, 1, 1]
    kept = bench.vault / "quarantine" / docking.id
    assert sorted(os.fsencode(path.name) for path in kept.iterdir()) == [
        CAFE,
        CAFE + b"~1",
        CAFE + b"~2",
    ]
    assert whole_again(bench, source, docking)


# ---- elsewhere on the machine -----------------------------------------------------


@pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root")
@pytest.mark.parametrize("name", [b"CAM\xc9RA", b"form\x0cfeed", b"new\nline"])
def test_a_mount_whose_name_is_not_text_keeps_no_camera_from_being_read(
    bench: Bench, tmp_path: Path, name: bytes
) -> None:
    with mounted(raw(tmp_path, name)), mounted(tmp_path / "card") as root:
        docking = bench.dock(card(root, SIZES))

    assert docking.complete


@contextmanager
def mounted(point: Path) -> Iterator[Path]:
    """Mount an empty file system at `point` for the length of the block."""
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)  # its tree stays open
