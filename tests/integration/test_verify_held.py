"""verify of a docking reads what an earlier docking holds for it, and any name."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dock_agent.config import load
from dock_agent.importing import Wish, import_tree
from dock_agent.recording import Digest
from dock_agent.store.dockings import Docking
from dock_agent.vault.disk import Beat, Reread, silent
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import Result, verify_bag
from dock_agent.vault.verify_rows import verify_rows
from dock_agent.verifying import verify
from support.bench import KEY, Bench
from support.cards import card
from support.programs import Site, site

SIZES = {"VIDEO/1.MP4": 300_000, "LOG/1.LOG": 100}
COPY = "data/VIDEO/1.MP4"
Harm = Callable[[Path], None]


def lose(path: Path) -> None:
    path.unlink()


def flip(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])


def cut(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def lead_elsewhere(path: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    path.symlink_to(aside)


HARMS = [lose, flip, cut, lead_elsewhere]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@dataclass
class CountingDisk(RealDisk):
    """Remembers what was read from the medium."""

    read_again: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        self.read_again.append(path)
        return super().reread(path, beat)


def check_rows(bench: Bench, docking: Docking) -> Result:
    return verify_rows(bench.conn, bench.disk, bench.vault, docking)


@pytest.mark.parametrize("harm", HARMS)
def test_a_docking_is_not_sound_once_what_it_rests_on_is_not(
    bench: Bench, tmp_path: Path, harm: Harm
) -> None:
    source = card(tmp_path / "card", SIZES)
    first, second = bench.dock(source), bench.dock(source)
    assert check_rows(bench, second).failed == []

    harm(bench.bag(first) / COPY)
    found = check_rows(bench, second)

    (failure,) = found.failed
    assert "VIDEO/1.MP4" in failure.reason
    assert f"docking {first.id} is not what it was" in failure.reason
    assert (found.checked, found.ok) == (2, 1)
    alone = verify_bag(bench.disk, bench.bag(second), second.id, KEY.public)
    assert alone.failed == []  # what an independent tool would find as well


def test_a_copy_is_read_once_for_all_the_dockings_that_rest_on_it(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    first, *others = [bench.dock(source) for _ in range(4)]
    disk, seen = CountingDisk(), dict[Path, Digest | None]()

    found = [verify_rows(bench.conn, disk, bench.vault, d, seen) for d in others]

    assert sorted(disk.read_again) == [
        bench.bag(first) / f"data/{n}" for n in sorted(SIZES)
    ]
    assert [(r.checked, r.ok) for r in found] == [(2, 2)] * 3


def test_a_copy_that_is_not_sound_fails_each_docking_that_rests_on_it(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    first, *others = [bench.dock(source) for _ in range(3)]
    lose(bench.bag(first) / COPY)
    seen: dict[Path, Digest | None] = {}

    found = [verify_rows(bench.conn, bench.disk, bench.vault, d, seen) for d in others]

    assert [len(result.failed) for result in found] == [1, 1]


# ---- as the command says it ---------------------------------------------------


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


def imported(here: Site) -> tuple[str, Path]:
    """Import the same camera; return the docking and its bag."""
    camera = card(here.root / "card", SIZES)
    wish = Wish(camera, "KT-Z1:42", "import")
    config = load(here.root / "dock.toml")
    summary = import_tree(config, wish, lambda *_: None).summary
    return summary.docking, Path(summary.bag)


@pytest.mark.parametrize("harm", [lose, flip])
def test_verify_of_a_docking_whose_held_footage_is_not_sound_ends_with_20(
    here: Site, harm: Harm
) -> None:
    first, bag = imported(here)
    second, _ = imported(here)
    sound = here.agent("verify", second, "--json")

    harm(bag / COPY)
    said = here.agent("verify", second, "--json")

    assert sound.code == 0
    assert sound.json["checked"] == sound.json["ok"] == 3  # with the list itself
    assert said.code == 20
    (failure,) = said.json["failed"]
    assert failure["id"].startswith(second)
    assert f"its copy in docking {first} is not what it was" in failure["reason"]


def test_verify_reads_a_copy_once_for_all_the_dockings_that_rest_on_it(
    here: Site,
) -> None:
    (_, bag), _, _ = imported(here), imported(here), imported(here)
    config = load(here.root / "dock.toml")

    def take_it_away(done: int, of: int) -> None:
        """Whoever reads the copy again for the third docking misses it."""
        if (done, of) == (2, 3):
            (bag / COPY).unlink()

    found = verify(config, [], take_it_away)

    assert found.failed == ()
    assert not (bag / COPY).exists()


def smuggled(bag: Path, name: bytes) -> Path:
    return bag / os.fsdecode(name)


@pytest.mark.parametrize("where", [b"", b"data/"])
def test_a_smuggled_name_that_is_not_text_ends_verify_with_20_and_is_printed(
    here: Site, where: bytes
) -> None:
    _, bag = imported(here)
    smuggled(bag, where + b"caf\xe9\xff").write_bytes(b"whose?")

    said = here.agent("verify", "--all", "--json")
    in_words = here.agent("verify", "--all")

    assert (said.code, in_words.code) == (20, 20)
    (failure,) = said.json["failed"]
    assert failure["id"].endswith(r"caf\xe9\xff")
    assert failure["reason"] == "is not in the manifest"
    assert r"caf\xe9\xff: is not in the manifest" in in_words.out
    assert "Traceback" not in said.err + in_words.err


def test_a_smuggled_link_or_directory_whose_name_is_not_text_is_told_of_too(
    here: Site,
) -> None:
    _, bag = imported(here)
    smuggled(bag, b"data/\xff").symlink_to("/etc/passwd")
    smuggled(bag, b"data/\xfe").mkdir()

    said = here.agent("verify", "--all", "--json")

    told = {failure["id"].rpartition("/")[2] for failure in said.json["failed"]}
    assert said.code == 20
    assert told == {r"\xff", r"\xfe"}
