"""What somebody may do to a vault, or to its log, and `verify` says so."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from dock_agent.config import Config, load
from dock_agent.custody import manifest
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import ConfigError, CustodyError
from dock_agent.importing import Wish, import_tree
from dock_agent.verifying import Verified, verify
from support.cards import card
from support.programs import Site, site

STRANGER = SigningKey.from_seed(bytes(range(32)))


@dataclass(frozen=True)
class Victim:
    """A station that nobody works at: two sealed dockings, and their log."""

    config: Config

    @property
    def vault(self) -> Path:
        return self.config.vault_path

    def bag(self, name: str) -> Path:
        """Return a file of the first docking's bag."""
        (*_, first) = sorted(self.vault.glob("dockings/*/*/*/*/*"), reverse=True)
        return first / name

    def segment(self, ending: str) -> Path:
        """Return the largest file of the log in the vault of this kind."""
        found = self.vault.glob(f"custody/*/*.{ending}")
        return max(found, key=lambda path: path.stat().st_size)

    def check(self) -> Verified:
        return verify(self.config, [], unheard)

    def change(self, *statements: str, **known: str) -> None:
        """Change the database as somebody can who has its file."""
        with closing(sqlite3.connect(self.config.store_path)) as conn:
            rows = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            for (name,) in rows.fetchall():
                conn.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                conn.execute(statement, known)
            conn.commit()


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("station")
    here = site(root)
    for number in (1, 2):
        names = {f"VIDEO/{number}.MP4": 30_000, "VIDEO/both.MP4": 9, "LOG/empty": 0}
        source = card(root / f"card-{number}", names)
        wish = Wish(source, "KT-Z3:1", "1")
        import_tree(load(root / "dock.toml"), wish, unheard)
    return here


@pytest.fixture
def victim(station: Site, tmp_path: Path) -> Victim:
    copied = tmp_path / "copied"
    shutil.copytree(station.root, copied)
    return Victim(load(copied / "dock.toml"))


def unheard(done: int, total: int) -> None:
    del done, total


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    rewrite(path, bytes(raw))


def lines(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    before = path.read_bytes().splitlines(keepends=True)
    after = change(before)
    assert after != before
    rewrite(path, b"".join(after))


LINES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "deleted": lambda all_: all_[:1] + all_[2:],
    "the first deleted": lambda all_: all_[1:],
    "cut off": lambda all_: all_[:-1],
    "added": lambda all_: [*all_, all_[-1]],
    "added within": lambda all_: [all_[0], all_[0], *all_[1:]],
    "reordered": lambda all_: [all_[1], all_[0], *all_[2:]],
    "cut within": lambda all_: [*all_[:-1], all_[-1][:-20]],
    "emptied": lambda all_: all_[:0],
}


def sign_by_a_stranger(victim: Victim) -> None:
    """Make a bag anew, whole in itself, with another key."""
    info = victim.bag("bag-info.txt")
    told = manifest.labels(info.read_text())[manifest.KEY_LABEL]
    rewrite(info, info.read_bytes().replace(told.encode(), STRANGER.id.encode()))
    rewrite(victim.bag("station-key.pem"), STRANGER.public.pem())
    tags = {name: victim.bag(name).read_bytes() for name in manifest.TAGS}
    signed = manifest.tag_manifest(tags).encode()
    rewrite(victim.bag(manifest.TAG_MANIFEST), signed)
    rewrite(victim.bag(manifest.SIGNATURE), STRANGER.sign(signed))


BAG: dict[str, Callable[[Victim], object]] = {
    f"flipped {name}": lambda victim, name=name: flip(victim.bag(name))  # type: ignore[misc]
    for name in ("data/VIDEO/1.MP4", "data/VIDEO/both.MP4", *sorted(manifest.OWN))
}
BAG |= {
    f"line {how} in {name}": lambda victim, how=how, name=name: lines(  # type: ignore[misc]
        victim.bag(name), LINES[how]
    )
    for how in LINES
    for name in ("custody.jsonl", "inventory.jsonl", manifest.MANIFEST)
}
BAG |= {
    "renamed file": lambda v: v.bag("data/VIDEO/1.MP4").rename(
        v.bag("data/VIDEO/3.MP4")
    ),
    "renamed tag file": lambda v: v.bag("inventory.jsonl").rename(
        v.bag("inventory.old")
    ),
    "two files exchanged": lambda v: exchange(
        v.bag("data/VIDEO/1.MP4"), v.bag("data/VIDEO/both.MP4")
    ),
    "extra file": lambda v: v.bag("data/VIDEO/4.MP4").write_bytes(b"footage"),
    "extra empty file": lambda v: v.bag("data/LOG/4").touch(),
    "extra tag file": lambda v: v.bag("notes.txt").write_bytes(b"note"),
    "empty directory": lambda v: v.bag("data/NEW").mkdir(),
    "empty directory beside data": lambda v: v.bag("new").mkdir(),
    "file deleted": lambda v: v.bag("data/VIDEO/1.MP4").unlink(),
    "empty file deleted": lambda v: v.bag("data/LOG/empty").unlink(),
    "file cut": lambda v: os.truncate(v.bag("data/VIDEO/1.MP4"), 29_999),
    "file grown": lambda v: os.truncate(v.bag("data/VIDEO/1.MP4"), 30_001),
    "file emptied": lambda v: os.truncate(v.bag("data/VIDEO/1.MP4"), 0),
    "whole bag gone": lambda v: shutil.rmtree(v.bag("")),
    "signed by a stranger": sign_by_a_stranger,
    "another's key file": lambda v: rewrite(
        v.bag("station-key.pem"), STRANGER.public.pem()
    ),
    "key file emptied": lambda v: rewrite(v.bag("station-key.pem"), b""),
    "signature cut": lambda v: os.truncate(v.bag(manifest.SIGNATURE), 63),
}


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


LOG: dict[str, Callable[[Victim], object]] = {
    f"line {how} in the vault's log": lambda victim, how=how: lines(  # type: ignore[misc]
        victim.segment("jsonl"), LINES[how]
    )
    for how in LINES
}
LOG |= {
    "flipped custody line": lambda v: flip(v.segment("jsonl")),
    "flipped checkpoint": lambda v: flip(v.segment("checkpoint")),
    "checkpoint emptied": lambda v: rewrite(v.segment("checkpoint"), b""),
    "lines gone": lambda v: v.segment("jsonl").unlink(),
    "flipped line in the database": lambda v: v.change(
        'UPDATE custody SET line = replace(line, \'"kind":"docked"\','
        ' \'"kind":"dockee"\')'
    ),
    "line deleted in the database": lambda v: v.change(
        "DELETE FROM custody WHERE seq = 3"
    ),
    "log cut off in the database": lambda v: v.change(
        "DELETE FROM custody WHERE seq = (SELECT max(seq) FROM custody)"
    ),
    "log and checkpoints cut off in the database": lambda v: v.change(
        "DELETE FROM checkpoint WHERE number = (SELECT max(number) FROM checkpoint)",
        "DELETE FROM custody WHERE seq > (SELECT max(size) FROM checkpoint)",
        "DELETE FROM custody_tree",
    ),
    "lines exchanged in the database": lambda v: v.change(
        "UPDATE custody SET seq = -1 WHERE seq = 4",
        "UPDATE custody SET seq = 4 WHERE seq = 5",
        "UPDATE custody SET seq = 5 WHERE seq = -1",
    ),
    "line added in the database": lambda v: v.change(
        "INSERT INTO custody SELECT seq + 1, docking, docking_seq, line, 'x'"
        " FROM custody ORDER BY seq DESC LIMIT 1"
    ),
    "flipped checkpoint in the database": lambda v: v.change(
        "UPDATE checkpoint SET note = replace(note, substr(note, -9, 1), 'A')"
        " WHERE number = 1 AND substr(note, -9, 1) <> 'A'",
        "UPDATE checkpoint SET note = replace(note, substr(note, -12, 1), 'B')"
        " WHERE number = 1",
    ),
}


def test_a_vault_that_nobody_touched_passes(victim: Victim) -> None:
    told = victim.check()

    assert (told.failed, told.custody) == ((), "ok")
    assert told.checked == told.ok > 0


@pytest.mark.parametrize("attack", BAG)
def test_what_is_done_to_a_bag_fails_the_check(victim: Victim, attack: str) -> None:
    BAG[attack](victim)

    assert victim.check().failed != ()


@pytest.mark.parametrize("attack", LOG)
def test_what_is_done_to_the_log_fails_the_check(victim: Victim, attack: str) -> None:
    LOG[attack](victim)

    assert victim.check().custody != "ok"


def test_a_damaged_key_file_signs_nothing_more(victim: Victim, tmp_path: Path) -> None:
    flip(victim.config.signing_path)
    wish = Wish(card(tmp_path / "new", {"1.MP4": 1}), "KT-Z3:1", "1")

    with pytest.raises(ConfigError):
        import_tree(victim.config, wish, unheard)

    assert victim.check().failed == ()


def test_a_key_exchanged_in_the_database_vouches_for_nothing(victim: Victim) -> None:
    pem = STRANGER.public.pem().decode()
    victim.change("UPDATE station SET value = :pem WHERE key LIKE 'key %'", pem=pem)

    assert "not signed by a key" in victim.check().custody


def test_a_key_damaged_in_the_database_stops_the_check(victim: Victim) -> None:
    victim.change("UPDATE station SET value = 'x' WHERE key LIKE 'key %'")

    with pytest.raises(CustodyError):
        victim.check()
