"""An image of the card in a bay: a loop device is the card, the vault is real."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from dock_agent.bays.detector import Sighting
from dock_agent.clock import SystemClock
from dock_agent.config import Config, parse
from dock_agent.errors import (
    CameraError,
    CameraGone,
    ConfigError,
    DockError,
    NoRoom,
    NotAllowed,
    VaultUnusable,
)
from dock_agent.imaging import InTheClear, Order, image_bay
from dock_agent.opened import opened
from dock_agent.recording import BayName
from dock_agent.store import custody, encryption
from dock_agent.store.db import connect, connect_readonly, transaction
from dock_agent.store.encryption import Encryption
from dock_agent.vault.layout import MARKER
from support.cards import content
from support.disks import MAY_MOUNT
from support.sealed import keys

pytestmark = pytest.mark.skipif(not MAY_MOUNT, reason="needs root and loop devices")
STATION = """
[station]
id = "bench-1"
[vault]
path = "vault"
reserve_bytes = {reserve}
cached = "accept"
[store]
path = "store.db"
[[bays]]
name = "1"
port = "pci-0000:00:14.0-usb-0:1.2"
"""
WHOLE = content("card", 1 << 20) + bytes(4 << 20) + content("end", 1 << 20)
ORDER = Order(BayName("1"), "A. Smith", "its directory is rubbish")
Plug = Callable[..., Sighting]


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Plug]:
    """Return what makes a card, read-only as the rules have it, and sights it."""
    with ExitStack() as stack:

        def plugged(*options: str, whole: bytes = WHOLE) -> Sighting:
            (tmp_path / "card").write_bytes(whole)
            attach = ["losetup", *options, "--show", "--find", str(tmp_path / "card")]
            node = subprocess.check_output(attach, text=True).strip()
            stack.callback(subprocess.run, ["losetup", "-d", node], check=True)
            path = Path(f"/sys/block/{Path(node).name}/diskseq")
            facts = {"diskseq": path.read_text("ascii").strip(), "serial": "A17"}
            return Sighting(BayName("1"), f"{facts['diskseq']}:loop", node, facts)

        yield plugged


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = parse(STATION.format(reserve=1000), base=tmp_path)
    with opened(made, SystemClock()):
        return made


def nobody(done: int, total: int) -> None:
    assert done <= total


def said(config: Config) -> list[dict[str, object]]:
    with closing(connect_readonly(config.store_path)) as conn:
        lines = [json.loads(line) for line in custody.log(conn).splitlines()]
    return [line for line in lines if line["kind"].startswith("card image")]


def left(config: Config) -> list[str]:
    found = (config.vault_path / "quarantine").rglob("*")
    return sorted(path.name for path in found if path.is_file())


def test_a_card_is_kept_whole_in_quarantine_and_the_log_says_who_and_why(
    config: Config, plug: Plug
) -> None:
    (kept,) = image_bay(config, ORDER, [plug("--read-only")], nobody)

    image = config.vault_path / kept.image
    assert image.read_bytes() == WHOLE
    assert image.parent.parent == config.vault_path / "quarantine/images"
    assert kept.sha256 == hashlib.sha256(WHOLE).hexdigest()
    assert json.loads((image.parent / "image.json").read_bytes())["sha256"] == (
        kept.sha256
    )
    begun, ended = said(config)
    assert (begun["kind"], ended["kind"]) == ("card image begun", "card image kept")
    assert {begun["actor"], ended["actor"]} == {"A. Smith"}
    facts = ended["facts"]
    assert isinstance(facts, dict)
    assert facts["why"] == "its directory is rubbish"
    assert (facts["sha256"], facts["unread_bytes"]) == (kept.sha256, 0)
    assert facts["seen"]["serial"] == "A17"


def test_an_agent_that_starts_again_leaves_the_image_where_it_is(
    config: Config, plug: Plug
) -> None:
    (kept,) = image_bay(config, ORDER, [plug("--read-only")], nobody)

    with opened(config, SystemClock()):
        pass

    assert (config.vault_path / kept.image).read_bytes() == WHOLE


def test_an_image_is_kept_while_the_agent_runs(config: Config, plug: Plug) -> None:
    with opened(config, SystemClock()):
        (kept,) = image_bay(config, ORDER, [plug("--read-only")], nobody)

    assert (config.vault_path / kept.image).read_bytes() == WHOLE


def test_a_card_that_could_be_written_is_not_read(config: Config, plug: Plug) -> None:
    with pytest.raises(CameraError, match="could be written"):
        image_bay(config, ORDER, [plug()], nobody)

    assert (left(config), said(config)) == ([], [])


def test_another_disk_by_the_same_name_is_not_read(config: Config, plug: Plug) -> None:
    card = plug("--read-only")
    other = Sighting(card.bay, card.token, card.node, {"diskseq": "1"})

    with pytest.raises(CameraGone, match="another disk took the place"):
        image_bay(config, ORDER, [other], nobody)

    assert left(config) == []


def test_a_link_in_the_place_of_a_card_is_not_followed(
    config: Config, plug: Plug, tmp_path: Path
) -> None:
    card = plug("--read-only")
    (tmp_path / "link").symlink_to(card.node)
    led = Sighting(card.bay, card.token, str(tmp_path / "link"), card.facts)

    with pytest.raises(CameraGone):
        image_bay(config, ORDER, [led], nobody)


def test_where_the_vault_is_not_nothing_is_written(config: Config, plug: Plug) -> None:
    (config.vault_path / MARKER).unlink()

    with pytest.raises(VaultUnusable):
        image_bay(config, ORDER, [plug("--read-only")], nobody)

    assert left(config) == []


def test_into_another_vault_nothing_is_written(config: Config, plug: Plug) -> None:
    marker = config.vault_path / MARKER
    marker.unlink()
    marker.write_text('{"id": "another"}', "ascii")

    with pytest.raises(VaultUnusable, match="another vault"):
        image_bay(config, ORDER, [plug("--read-only")], nobody)

    assert left(config) == []


def test_where_there_is_no_room_nothing_is_left_and_the_log_says_so(
    config: Config, plug: Plug, tmp_path: Path
) -> None:
    del config
    full = parse(STATION.format(reserve=1 << 60), base=tmp_path)

    with pytest.raises(NoRoom):
        image_bay(full, ORDER, [plug("--read-only")], nobody)

    assert left(full) == []
    assert [line["kind"] for line in said(full)] == [
        "card image begun",
        "card image not kept",
    ]


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (Order(BayName("1"), " ", "why"), NotAllowed),
        (Order(BayName("1"), "who", ""), NotAllowed),
        (Order(BayName("9"), "who", "why"), ConfigError),
        (Order(BayName("1"), "who", "why"), CameraGone),
    ],
)
def test_without_a_bay_a_card_a_name_or_a_reason_there_is_no_image(
    config: Config, order: Order, refusal: type[DockError]
) -> None:
    with pytest.raises(refusal):
        image_bay(config, order, [], nobody)


def test_nobody_but_the_vault_s_owner_writes_into_it(
    config: Config, plug: Plug
) -> None:
    os.chown(config.vault_path, 65534, -1)

    with pytest.raises(NotAllowed, match="only the owner"):
        image_bay(config, ORDER, [plug("--read-only")], nobody)


def test_where_everything_is_encrypted_no_image_is_kept_in_the_clear(
    config: Config, plug: Plug
) -> None:
    told = Encryption("01JD", (keys("default")[1].decode(),))
    with closing(connect(config.store_path)) as conn, transaction(conn):
        encryption.turn_on(conn, told, SystemClock().now())

    with pytest.raises(InTheClear, match="in the clear"):
        image_bay(config, ORDER, [plug("--read-only")], nobody)

    assert (left(config), said(config)) == ([], [])


def test_a_station_that_is_about_to_encrypt_keeps_no_image_in_the_clear(
    config: Config, plug: Plug, tmp_path: Path
) -> None:
    """Its agent was not started since `[encryption]` was configured."""
    del config
    table = '[encryption]\nrecipients = ["agency.pub"]\n'
    told = parse(STATION.format(reserve=1000) + table, base=tmp_path)

    with pytest.raises(InTheClear):
        image_bay(told, ORDER, [plug("--read-only")], nobody)

    assert left(told) == []
