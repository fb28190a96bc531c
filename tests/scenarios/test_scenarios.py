"""Whole stories on a still clock; what the custody log says is kept to the byte."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dock_agent.custody import chain
from dock_agent.errors import ConfigError
from dock_agent.simulated.clock import BEGIN
from dock_agent.simulated.scenario import STEPS, Expect, Scenario, load, names, parse
from dock_agent.store import custody, dockings
from dock_agent.store.db import connect_readonly
from dock_agent.story import OtherwiseThanTold, Story, unheard
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from tools.make_golden import GOLDEN, played

ROOT = Path(__file__).parent.parent.parent


def test_the_five_stories_ship() -> None:
    assert names() == [
        "full-disk",
        "shift-change",
        "twin-serials",
        "week-offline",
        "yank-midway",
    ]


@pytest.mark.parametrize("name", names())
def test_the_custody_log_is_the_one_that_is_kept(name: str, tmp_path: Path) -> None:
    golden = (GOLDEN / f"{name}.custody.jsonl").read_text("utf-8")

    assert played(name, tmp_path / "story") == golden


def test_the_log_does_not_depend_on_where_and_by_whom_it_is_played(
    tmp_path: Path,
) -> None:
    here = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    places = {
        "east": here | {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"},
        "west": here | {"TZ": "America/St_Johns", "PYTHONHASHSEED": "2"},
    }
    words = "from pathlib import Path; from tools.make_golden import played"
    play = f"{words}; print(end=played('yank-midway', Path('story')))"

    logs = []
    for umask, (place, environment) in enumerate(places.items(), 0o022):
        (tmp_path / place).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", play],
            cwd=tmp_path / place,
            env=environment,
            umask=umask,
            stdout=subprocess.PIPE,
            check=True,
        )
        logs.append(done.stdout)

    golden = (GOLDEN / "yank-midway.custody.jsonl").read_bytes()
    assert logs == [golden, golden]


@pytest.mark.parametrize("name", names())
def test_nothing_half_there_is_left(name: str, tmp_path: Path) -> None:
    played(name, tmp_path / "story")

    assert list((tmp_path / "story/vault").rglob(".part-*")) == []


def test_a_pull_keeps_what_was_read_whole_and_nothing_of_the_file_in_its_middle(
    tmp_path: Path,
) -> None:
    story = Story(load("yank-midway"), tmp_path / "story", unheard)

    story.take(story.scenario.steps[0])

    sizes = sorted(
        p.stat().st_size for p in (tmp_path / "story/cameras/a").rglob("*.*")
    )
    data = next((tmp_path / "story/vault/dockings").glob("*/*/*/*/*/data"))
    kept = [p.stat().st_size for p in data.rglob("*") if p.is_file()]
    assert 0 < sum(kept) < sum(sizes) // 2 < sum(kept) + sizes[-1]
    story.close()


@pytest.mark.parametrize("name", names())
def test_every_file_of_every_camera_is_in_the_vault_exactly_once(
    name: str, tmp_path: Path
) -> None:
    story = Story(load(name), tmp_path / "story", unheard)
    story.play()
    story.close()

    cards = Counter(digests(tmp_path / "story/cameras"))
    kept = Counter(
        digest
        for data in (tmp_path / "story/vault/dockings").glob("*/*/*/*/*/data")
        for digest in digests(data)
        if digest not in own(data)
    )

    assert kept == cards


@pytest.mark.parametrize("name", names())
def test_every_sealed_docking_passes_its_own_check_and_the_store_s(
    name: str, tmp_path: Path
) -> None:
    story = Story(load(name), tmp_path / "story", unheard)
    story.play()
    key = story.sealer().key.public

    for docking in dockings.sealed(story.conn):
        bag = story.vault / docking.bag
        assert verify_bag(story.disk, bag, docking.id, key).failed == []
        rows = verify_rows(story.conn, story.disk, story.vault, docking)
        assert rows.failed == []
    story.close()


@pytest.mark.parametrize("name", names())
def test_what_arrived_is_what_is_in_the_vault(name: str, tmp_path: Path) -> None:
    story = Story(load(name), tmp_path / "story", unheard)
    story.play()
    story.close()

    vault, nas = tmp_path / "story/vault", tmp_path / "story/nas"
    assert tree(nas / "dockings") == tree(vault / "dockings")


def test_a_story_that_goes_otherwise_is_said_so(tmp_path: Path) -> None:
    scenario = Scenario(
        name="x",
        about="nothing happens",
        bays=1,
        begin=BEGIN,
        cameras=(),
        steps=(Expect(verified=1),),
    )
    story = Story(scenario, tmp_path / "story", unheard)

    with pytest.raises(OtherwiseThanTold, match="files verified: 0"):
        story.play()
    story.close()


def test_an_unknown_story_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="yank-midway"):
        load("yank")


def test_the_log_of_a_story_is_one_whole_chain(tmp_path: Path) -> None:
    log = played("yank-midway", tmp_path / "story")

    assert chain.verify(log.splitlines()).seq == len(log.splitlines())


def test_the_log_in_the_database_is_the_log_that_was_played(tmp_path: Path) -> None:
    log = played("full-disk", tmp_path / "story")

    conn = connect_readonly(tmp_path / "story/store.db")
    assert custody.log(conn) == log
    conn.close()


def test_the_page_about_scenarios_tells_of_each_and_of_every_step() -> None:
    page = (ROOT / "docs/scenarios.md").read_text("utf-8")

    for name in names():
        assert f"| `{name}` | {load(name).about} |" in page
    for word, kind in STEPS.items():
        fields = [f for f in kind.__struct_fields__ if f != "say"]
        row = next(x for x in page.splitlines() if x.startswith(f"| `{word}` |"))
        assert [f for f in fields if f"`{f}`" not in row] == []


def test_the_example_on_that_page_is_a_scenario(tmp_path: Path) -> None:
    page = (ROOT / "docs/scenarios.md").read_text("utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]

    story = Story(parse(text, "one-camera"), tmp_path / "story", unheard)

    assert '"kind":"sealed"' in story.play()
    story.close()


def digests(folder: Path) -> list[str]:
    return [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def own(data: Path) -> set[str]:
    """Return the digest of the list that a bag keeps of what is held elsewhere."""
    held = data / "=held-sha256.txt"
    return {hashlib.sha256(held.read_bytes()).hexdigest()} if held.exists() else set()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
