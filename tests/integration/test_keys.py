"""The key a station signs with: lost or exchanged, it is never taken in silence."""

import fcntl
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load
from dock_agent.custody import manifest
from dock_agent.custody.signing import PublicKey, SigningKey
from dock_agent.custody.signing import load as load_key
from dock_agent.importing import Wish, import_tree
from dock_agent.keys import KeyChanged, begin_new, signing_key
from dock_agent.opened import opened
from dock_agent.store import custody, station
from dock_agent.store.db import connect, reading
from dock_agent.verifying import verify
from support.cards import card
from support.programs import Site, site

OTHER = SigningKey.from_seed(bytes(31) + b"\1")


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def config(here: Site) -> Config:
    return load(here.root / "dock.toml")


@pytest.fixture
def key(config: Config) -> SigningKey:
    """The key that the station made at its first start."""
    with opened(config, SystemClock()):
        return load_key(config.signing_path)


def lose(path: Path) -> None:
    path.unlink()


def exchange(path: Path) -> None:
    path.write_bytes(OTHER.pem())


def start(config: Config) -> str:
    """Start a station; return the key it signs with."""
    with opened(config, SystemClock()) as held:
        return held.sealer.key.id


def log(config: Config) -> list[dict[str, Any]]:
    with reading(config.store_path) as conn:
        return [json.loads(line) for line in custody.log(conn).splitlines()]


def known(config: Config) -> dict[str, PublicKey]:
    with reading(config.store_path) as conn:
        return station.keys(conn)


def signs_with(config: Config) -> str | None:
    with reading(config.store_path) as conn:
        return station.signs_with(conn)


def new_key(config: Config) -> PublicKey:
    with opened(config, SystemClock()) as held:
        return begin_new(config, held.conn, SystemClock())


def test_a_station_remembers_the_key_it_made_and_goes_on_with_it(
    config: Config, key: SigningKey
) -> None:
    assert start(config) == key.id == signs_with(config)
    assert known(config)[key.id].pem() == key.public.pem()


@pytest.mark.parametrize("harm", [lose, exchange])
def test_a_key_that_was_lost_or_exchanged_stops_the_station_and_is_left_as_it_is(
    config: Config, key: SigningKey, harm: Callable[[Path], None]
) -> None:
    harm(config.signing_path)
    before, lines = content(config.signing_path), log(config)

    with pytest.raises(KeyChanged, match=key.id) as refused:
        start(config)

    assert refused.value.exit_code == 2
    assert "dock-agent keys new" in refused.value.hint
    assert content(config.signing_path) == before
    assert log(config) == lines
    assert signs_with(config) == key.id


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_the_right_key_put_back_is_taken_again(config: Config, key: SigningKey) -> None:
    lose(config.signing_path)
    config.signing_path.write_bytes(key.pem())

    assert start(config) == key.id


def test_a_new_key_keeps_the_old_file_and_says_so_in_the_custody_log(
    config: Config, key: SigningKey
) -> None:
    fresh = new_key(config)

    path = config.signing_path
    assert kept(config, key).read_bytes() == key.pem()
    assert load_key(path).id == fresh.id == start(config) != key.id
    assert path.stat().st_mode & 0o777 == 0o600
    (told,) = [line for line in log(config) if line["kind"] == "key changed"]
    assert told["facts"] == {
        "key": fresh.id,
        "before": key.id,
        "public": fresh.pem().decode(),
    }
    assert known(config).keys() == {key.id, fresh.id}


def test_a_key_that_was_put_in_the_place_of_the_old_one_is_taken_as_the_new_one(
    config: Config, key: SigningKey
) -> None:
    exchange(config.signing_path)

    with reading(config.store_path) as conn, pytest.raises(KeyChanged):
        signing_key(config, conn)
    fresh = renew(config)

    assert fresh.id == OTHER.id == start(config)
    assert known(config).keys() == {key.id, OTHER.id}


def renew(config: Config) -> PublicKey:
    """Begin a new key as the command does, without a station that starts."""
    with closing(connect(config.store_path)) as conn:
        return begin_new(config, conn, SystemClock())


def kept(config: Config, key: SigningKey) -> Path:
    """Return where the file of a key that was left is kept."""
    path = config.signing_path
    return path.with_name(f"{path.name}.{key.id}")


def come_back(config: Config, key: SigningKey) -> None:
    """Sign with another key, and then with this one again."""
    renew(config)
    config.signing_path.write_bytes(key.pem())
    renew(config)


def die_midway(config: Config, key: SigningKey) -> None:
    """Keep the file, and be killed before it was taken from its place."""
    kept(config, key).hardlink_to(config.signing_path)


@pytest.mark.parametrize("earlier", [come_back, die_midway])
def test_a_key_whose_file_is_kept_already_can_be_left(
    config: Config, key: SigningKey, earlier: Callable[[Config, SigningKey], None]
) -> None:
    earlier(config, key)

    fresh = renew(config)

    assert fresh.id != key.id
    assert kept(config, key).read_bytes() == key.pem()
    assert start(config) == fresh.id


# ---- as the commands say it -----------------------------------------------------


def imported(config: Config, name: str) -> Path:
    """Offload a camera; return its bag."""
    camera = card(config.vault_path.with_name(name), {"1.MP4": 300_000, name: 10})
    wish = Wish(camera, f"KT-Z1:{name}", "import")
    return Path(import_tree(config, wish, lambda *_: None).summary.bag)


def test_a_lost_key_ends_an_import_with_2_and_a_way_out(
    here: Site, config: Config
) -> None:
    camera = imported(config, "1")
    ident = load_key(config.signing_path).id
    lose(config.signing_path)

    said = here.agent("import", str(camera), "--camera", "KT-Z1:2")
    checked = verify(config, [], lambda *_: None)

    assert said.code == 2
    assert f"the signing key {config.signing_path} is gone; it was {ident}" in said.err
    assert "or begin a new one with `dock-agent keys new`" in said.err
    assert not config.signing_path.exists()
    assert checked.failed == ()  # to check a signature nobody needs the secret


def test_dockings_sealed_with_either_key_pass_and_one_with_a_strangers_does_not(
    here: Site, config: Config
) -> None:
    bags = [imported(config, "1")]
    first = here.agent("keys", "show", "--json").json
    made = here.agent("keys", "new", "--yes")
    bags.append(imported(config, "2"))
    second = here.agent("keys", "show", "--json").json

    checked = here.agent("verify", "--all", "--json")

    assert made.code == 0
    assert second["key"] in made.out
    assert first["key"] != second["key"]
    assert second["pem"] == load_key(config.signing_path).public.pem().decode()
    assert [key_of(bag) for bag in bags] == [first["key"], second["key"]]
    assert checked.code == 0
    assert checked.json["ok"] == checked.json["checked"] == 4

    sign_as(OTHER, bags[0])
    forged = verify(config, [], lambda *_: None)
    told = {failure.reason for failure in forged.failed}
    assert f"not signed by key {second['key']}" in told


def key_of(bag: Path) -> str:
    info = manifest.labels((bag / "bag-info.txt").read_text("utf-8"))
    return info[manifest.KEY_LABEL]


def sign_as(key: SigningKey, bag: Path) -> None:
    """Sign a bag with a key that this station never had, and name it."""
    files = {
        "station-key.pem": key.public.pem(),
        "bag-info.txt": (bag / "bag-info.txt")
        .read_bytes()
        .replace(key_of(bag).encode(), key.id.encode()),
    }
    for name, text in files.items():
        rewrite(bag / name, text)
    tags = {name: (bag / name).read_bytes() for name in manifest.TAGS}
    rewrite(bag / manifest.TAG_MANIFEST, manifest.tag_manifest(tags).encode())
    signed = (bag / manifest.TAG_MANIFEST).read_bytes()
    rewrite(bag / manifest.SIGNATURE, key.sign(signed))


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def test_a_new_key_is_begun_only_by_whoever_says_yes(
    here: Site, config: Config, key: SigningKey
) -> None:
    said = here.agent("keys", "new")

    assert said.code == 1
    assert "Sign with another key from now on?" in said.out
    assert load_key(config.signing_path).id == key.id == signs_with(config)


def test_a_new_key_is_not_begun_under_an_agent_that_signs(
    here: Site, config: Config, key: SigningKey
) -> None:
    lock = os.open(config.vault_path / ".lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    said = here.agent("keys", "new", "--yes")

    os.close(lock)
    assert said.code == 33
    assert load_key(config.signing_path).id == key.id == signs_with(config)


def test_a_lost_key_is_not_shown_and_can_be_followed_by_a_new_one(
    here: Site, config: Config, key: SigningKey
) -> None:
    lose(config.signing_path)

    shown = here.agent("keys", "show", "--json")
    made = here.agent("keys", "new", "--yes")
    after = here.agent("keys", "show")

    assert shown.code == 2
    assert made.code == 0
    assert after.out.startswith(f"Key {signs_with(config)}:\n-----BEGIN PUBLIC KEY")
    assert known(config).keys() == {key.id, signs_with(config)}
