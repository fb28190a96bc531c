"""`category` and `retention` as a user types them, against a real directory."""

from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import load
from dock_agent.recording import Proof
from dock_agent.store import kept
from dock_agent.store.db import connect
from dock_agent.sync.asking import Asking
from dock_agent.sync.open import open_lanes
from support.cards import card
from support.programs import Said, Site, site

MORE = """
[retention]
expire = true
[[categories]]
name = "traffic"
keep_days = 30
"""


@pytest.fixture
def here(tmp_path: Path) -> Site:
    made = site(tmp_path)
    with (tmp_path / "dock.toml").open("a") as out:
        out.write(MORE)
    camera = card(tmp_path / "card", {"VIDEO/1.MP4": 5000})
    made.agent("import", str(camera), "--camera", "KT-Z1:42")
    made.agent("sync", "--once")
    return made


def recording(here: Site) -> str:
    return str(here.agent("recordings", "--json").json[0]["id"])


def classify(here: Site, name: str) -> Said:
    return here.agent("category", "set", recording(here), name, "--by", "A. Clerk")


def test_a_recording_is_classified_and_listed(here: Site) -> None:
    assert here.agent("category", "list").out.startswith("Nothing is classified")

    said = classify(here, "traffic")

    assert said.code == 0
    (one,) = here.agent("category", "list", "--json").json
    assert (one["name"], one["by"]) == ("traffic", "A. Clerk")


def test_a_category_or_recording_that_nobody_knows_is_refused(here: Site) -> None:
    assert classify(here, "parking").code == 2
    said = here.agent("category", "set", "01X", "traffic", "--by", "A")
    assert said.code == 2
    assert "no recording" in said.err


def test_a_plan_shows_what_waits_and_why_the_rest_stays(here: Site) -> None:
    said = here.agent("retention", "plan")

    assert said.code == 0
    assert "0 copies would go" in said.out
    assert "1 stay, 5000 bytes: unclassified" in said.out
    assert "local copies expire" in said.out
    assert "retention approve" in said.out


def test_a_plan_that_is_not_the_one_shown_is_not_approved(here: Site) -> None:
    said = here.agent("retention", "approve", "0" * 64, "--actor", "A. Chief")

    assert said.code == 50


def test_nothing_goes_that_nobody_approved(here: Site) -> None:
    classify(here, "traffic")

    said = here.agent("retention", "expire", "--json")

    assert said.code == 0
    assert said.json == {
        "files": 0,
        "bytes": 0,
        "stays": {"this station expires nothing": 1},
    }


def asked(here: Site) -> list[Proof]:
    """Ask the real destination about every file that is classified."""
    config, clock = load(here.root / "dock.toml"), SystemClock()
    lanes = open_lanes(config, clock, {}, lambda _: None)
    with closing(connect(config.store_path)) as conn:
        asking = Asking(conn, config.vault_path, lanes)
        return [
            asking.proof(sent)
            for ident in kept.classified(conn)
            for sent in kept.transfers(conn, ident)
        ]


def test_a_destination_is_asked_for_every_byte_again(here: Site) -> None:
    classify(here, "traffic")
    before = asked(here)
    (copy,) = (here.root / "nas").rglob("1.MP4")
    copy.chmod(0o600)
    copy.write_bytes(b"x" + copy.read_bytes()[1:])

    assert before == [Proof.READ_BACK]
    assert Proof.READ_BACK not in asked(here)
