"""Encryption as a user turns it on; and off, which takes a recipient."""

import json
from pathlib import Path

import pytest

from dock_agent import dock_decrypt
from support.cards import card, content
from support.programs import Site, site
from support.sealed import keys, opened, recipient

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/1.NMEA": 400, "LOG/empty": 0}
PRIVATE, PUBLIC = keys("default")
TABLE = '\n[encryption]\nrecipients = ["agency.pub"]\n'
IMPORT = ("--camera", "KT-Z1:42", "--json")


@pytest.fixture
def here(tmp_path: Path) -> Site:
    made = site(tmp_path)
    (tmp_path / "agency.pub").write_bytes(PUBLIC)
    encrypt(made, TABLE)
    return made


@pytest.fixture
def camera(tmp_path: Path) -> str:
    return str(card(tmp_path / "card", SIZES))


def encrypt(here: Site, table: str) -> None:
    """Configure it, or take it out again."""
    here.configure()
    with (here.root / "dock.toml").open("a") as file:
        file.write(table)


def signed_order(here: Site, number: int = 0) -> str:
    order = here.root / f"order-{number}"
    order.write_text(here.agent("encryption", "order").out, "utf-8")
    key = here.root / f"key-{number}"
    key.write_bytes(keys("default", number)[0])
    assert dock_decrypt.main(["sign-order", str(order), "--key", str(key)]) == 0
    return str(order)


def test_what_is_imported_is_encrypted_sent_verified_and_opened(
    here: Site, camera: str
) -> None:
    done = here.agent("import", camera, *IMPORT)
    sent = here.agent("sync", "--once", "--json")
    checked = here.agent("verify", "--all", "--json")
    listed = here.agent("recordings", "--json").json

    assert (done.code, sent.code, checked.code) == (0, 0, 0), done.err
    bag = Path(done.json["bag"])
    for name, size in SIZES.items():
        there = here.root / "nas" / bag.relative_to(here.root / "vault") / "data" / name
        file = there.with_name(f"{there.name}.enc").read_bytes()
        assert opened(file, PRIVATE) == content(name, size)
    files = {f["name"]: f for recording in listed for f in recording["files"]}
    assert {name: f["size"] for name, f in files.items()} == SIZES
    assert all(f["encrypted"]["size"] > f["size"] for f in files.values())
    assert all(f["encrypted"]["sha256"] != f["sha256"] for f in files.values())
    assert here.agent("encryption", "show", "--json").json == {
        "on": True,
        "recipients": [recipient("default").id],
    }


def test_once_on_a_configuration_that_lacks_it_copies_nothing(
    here: Site, camera: str
) -> None:
    here.agent("import", camera, *IMPORT)
    before = list((here.root / "vault").rglob("*"))
    encrypt(here, "")
    more = card(here.root / "more", {"VIDEO/2.MP4": 1000})

    done = here.agent("import", str(more), *IMPORT)

    assert done.code == 2
    assert "not encrypted to" in done.err
    assert "Put [encryption] back as it was" in done.err
    assert list((here.root / "vault").rglob("*")) == before


def test_an_order_of_a_recipient_ends_it_and_the_log_keeps_the_order(
    here: Site, camera: str
) -> None:
    here.agent("import", camera, *IMPORT)
    encrypt(here, "")

    done = here.agent("encryption", "off", "--order", signed_order(here))
    plain = here.agent("import", camera, "--camera", "KT-Z1:43", "--json")

    assert (done.code, plain.code) == (0, 0), done.err
    assert f"by order of key {recipient('default').id}" in done.out
    name = "VIDEO/1.MP4"
    data = Path(plain.json["bag"]) / "data"
    assert (data / name).read_bytes() == content(name, SIZES[name])
    assert here.agent("verify", "--all", "--json").json["custody"] == "ok"


def test_nobody_elses_order_ends_it(here: Site, camera: str) -> None:
    here.agent("import", camera, *IMPORT)

    unsigned = here.root / "unsigned"
    unsigned.write_text(here.agent("encryption", "order").out, "utf-8")

    for order in (signed_order(here, 1), str(unsigned)):
        assert here.agent("encryption", "off", "--order", order).code == 50
    assert here.agent("encryption", "show", "--json").json["on"]


def test_an_order_ends_it_once(here: Site, camera: str) -> None:
    here.agent("import", camera, *IMPORT)
    order = signed_order(here)

    first = here.agent("encryption", "off", "--order", order)
    here.agent("import", camera, *IMPORT)  # it is configured still: on again
    second = here.agent("encryption", "off", "--order", order)

    assert "Take [encryption] out" in first.out
    assert (first.code, second.code) == (0, 50)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('\n[encryption]\nrecipients = ["gone.pub"]\n', "gone.pub"),
        (TABLE + 'profile = "fips"\n', "wants p384"),
        ('\n[encryption]\nrecipients = ["agency.pub", "agency.pub"]\n', "named twice"),
        ('\n[encryption]\nrecipients = ["dock.toml"]\n', "not the public keys"),
        ("\n[encryption]\nrecipients = []\n", "recipients"),
    ],
)
def test_what_cannot_be_encrypted_to_is_told_and_copies_nothing(
    here: Site, camera: str, table: str, told: str
) -> None:
    encrypt(here, table)

    done = here.agent("import", camera, *IMPORT)

    assert done.code == 2
    assert told in done.err
    assert list((here.root / "vault").rglob("*.MP4*")) == []


def test_the_log_says_to_whom(here: Site, camera: str) -> None:
    bag = Path(here.agent("import", camera, *IMPORT).json["bag"])

    lines = (bag / "inventory.jsonl").read_text("utf-8").splitlines()

    told = [json.loads(line)["encrypted"]["recipients"] for line in lines]
    assert told == [[recipient("default").id]] * len(SIZES)


def test_what_is_encrypted_is_read_again_and_fetched_back_as_it_was(
    here: Site, camera: str
) -> None:
    done = here.agent("import", camera, *IMPORT).json
    here.agent("sync", "--once")
    sound = here.agent("scrub", "--all", "--json")
    clip = next(Path(done["bag"]).rglob("1.MP4.enc"))
    was = clip.read_bytes()
    clip.chmod(0o600)
    clip.write_bytes(was[:-1] + bytes([was[-1] ^ 1]))

    found = here.agent("scrub", "--all", "--json")
    here.agent("sync", "--once")
    healed = here.agent("scrub", "--all", "--json")

    assert (sound.code, found.code, healed.code) == (0, 20, 0), healed
    assert clip.read_bytes() == was


def test_what_is_encrypted_is_exported_as_it_is_and_the_export_is_whole(
    here: Site, camera: str, tmp_path: Path
) -> None:
    done = here.agent("import", camera, *IMPORT).json
    to = str(tmp_path / "export")

    made = here.agent("export", done["docking"], "--to", to, "--json")
    checked = here.agent("verify-export", to, "--json")

    assert (made.code, checked.code) == (0, 0), made.err + checked.err
    names = {path.name for path in Path(to).rglob("data/**/*") if path.is_file()}
    assert names == {"1.MP4.enc", "1.NMEA.enc", "empty.enc"}
