"""What documentation can be checked, is."""

import re
from pathlib import Path

import pytest

from tools.make_docs import BEGIN, BLOCKS, PAGES, ROOT, with_blocks

PROSE = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
GUARDS = ROOT / "docs/data-safety.md"


@pytest.mark.parametrize("name", PAGES)
def test_a_made_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("name", BLOCKS)
def test_a_made_block_is_what_the_code_says(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert all(BEGIN.format(block) in text for block in BLOCKS[name])
    assert text == with_blocks(text, BLOCKS[name]), "run `make docs`"


@pytest.mark.parametrize("page", PROSE, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_guard_that_data_safety_names_is_a_test() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", GUARDS.read_text("utf-8"))

    lost = [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).exists()
        or f"def {test}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert len(named) > 20
    assert lost == []


def test_every_decision_is_numbered_once() -> None:
    numbers = [page.name[:4] for page in sorted((ROOT / "docs/adr").glob("*.md"))]

    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]
