"""Cards as cameras lay them out: all of each arrives as its maker wrote it down."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.recording import FileState
from dock_agent.store.dockings import Docking
from support.bench import Bench

DATA = Path(__file__).parent.parent / "data"
CARDS = ("card-dcam", "card-gat947")
KARMA = "35c2c80530e0d6c5eed8dafd71852dac621db547bef6bf5ad375b91bd0e38347"  # sha256sum


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def told(name: str) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of each file of a card, from its manifest."""
    manifest = json.loads((DATA / f"{name}.manifest.json").read_text("utf-8"))
    return {f["path"]: (f["size"], f["sha256"]) for f in manifest["files"]}


def kept(bench: Bench, docking: Docking) -> dict[str, tuple[int, str]]:
    """Return the same of what is in the vault, by the names on the camera."""
    found = {}
    for file in bench.files(docking).values():
        content = (bench.bag(docking) / "data" / file.stored).read_bytes()
        whole = hashlib.sha256(content).hexdigest()
        found[file.path.decode("utf-8")] = len(content), whole
    return found


@pytest.mark.parametrize("name", CARDS)
def test_a_card_arrives_as_its_manifest_says(name: str, bench: Bench) -> None:
    docking = bench.dock(DATA / name)

    assert docking.complete
    assert kept(bench, docking) == told(name)
    assert {f.state for f in bench.files(docking).values()} == {FileState.VERIFIED}


def test_a_real_camera_s_clip_arrives_whole(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "card/DCIM/100GOPRO").mkdir(parents=True)
    shutil.copy(DATA / "karma.mp4", tmp_path / "card/DCIM/100GOPRO/GOPR0001.MP4")

    docking = bench.dock(tmp_path / "card")

    assert kept(bench, docking)["DCIM/100GOPRO/GOPR0001.MP4"] == (4_134_647, KARMA)


def test_every_sample_says_where_it_is_from() -> None:
    sources = (DATA / "SOURCES.md").read_text("utf-8")

    samples = {path.name for path in DATA.iterdir()} - {".gitattributes", "SOURCES.md"}
    unknown = [name for name in sorted(samples) if name not in sources]
    assert unknown == []
