"""A receipt counts if the gateway signed it for just this object."""

from pathlib import Path

import pytest

from dock_agent.custody.signing import SigningKey
from dock_agent.errors import Barred, ConfigError
from dock_agent.sync.tus.content import note
from dock_agent.sync.tus.receipt import Receipt, Receipts, fault
from support.tus_gateway import receipt

KEY = SigningKey.from_seed(bytes(32))
ITEM = note("a/b.MP4", b"evidence")
NAME = "harbour-1/a/b.MP4"
RIGHT = {"key": NAME, "sha256": str(ITEM.digest), "size": 8}
RECEIPTS = Receipts(KEY.public)


def test_a_receipt_for_just_this_object_has_no_fault() -> None:
    said = RECEIPTS.read(receipt(RIGHT, KEY))

    assert fault(said, NAME, ITEM) == ""


def test_padding_is_taken_as_it_comes() -> None:
    said, _, signature = receipt(RIGHT, KEY).partition(".")

    assert RECEIPTS.read(f"{said}.{signature}==") == Receipt(NAME, ITEM.digest, 8)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"key": "a/b.MP4"}, "for 'a/b.MP4'"),
        ({"size": 7}, "7 bytes of 8"),
        ({"sha256": "0" * 64}, "other bytes"),
    ],
)
def test_a_receipt_for_anything_else_is_a_fault(
    other: dict[str, object], words: str
) -> None:
    said = RECEIPTS.read(receipt({**RIGHT, **other}, KEY))

    assert words in fault(said, NAME, ITEM)


def test_another_gateways_receipt_bars_the_place() -> None:
    another = SigningKey.from_seed(bytes(31) + b"x")

    with pytest.raises(Barred, match="is this the right place"):
        RECEIPTS.read(receipt(RIGHT, another))


def test_a_signature_holds_for_every_letter_that_was_signed() -> None:
    said, _, signature = receipt(RIGHT, KEY).partition(".")
    changed = ("B" if said[0] == "A" else "A") + said[1:]

    with pytest.raises(Barred):
        RECEIPTS.read(f"{changed}.{signature}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "é.é",
        "a.b.c",
        receipt({"key": NAME}, KEY),
        receipt({**RIGHT, "more": 1}, KEY),
        receipt({**RIGHT, "size": "8"}, KEY),
    ],
)
def test_what_is_no_receipt_bars_the_place(text: str) -> None:
    with pytest.raises(Barred):
        RECEIPTS.read(text)


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.public.pem())

    assert Receipts.of(tmp_path / "key.pem").key.id == KEY.id


@pytest.mark.parametrize("content", [None, b"", b"no key", KEY.pem()])
def test_a_key_that_is_none_is_said_at_the_start(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key.pem").write_bytes(content)

    with pytest.raises(ConfigError, match="receipt key"):
        Receipts.of(tmp_path / "key.pem")
