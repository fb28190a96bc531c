"""The format, its two implementations, and a third that reads as the page tells it."""

import hashlib
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dock_agent import dock_decrypt
from dock_agent.dock_decrypt import CannotOpen
from dock_agent.recording import PART_SIZE, Digest
from dock_agent.vault.encrypt import Envelope
from support.sealed import (
    by_the_page,
    encrypted,
    header,
    keys,
    opened,
    recipient,
    wrapped,
)

CHUNK, SEALED = 16384, 16400
PROFILES = ("default", "fips", "rsa")
SIZES = (0, 1, 16383, 16384, 16385, 524_288, (1 << 20) + 7, PART_SIZE + 1)


def read_back(file: bytes, envelope: Envelope, size: int) -> tuple[str, int] | None:
    opening = envelope.opening(size)
    for at in range(0, len(file), 100_000):
        opening.take(memoryview(file)[at : at + 100_000])
    return opening.found()


def body(file: bytes) -> int:
    """Return where the first chunk begins."""
    return 12 + int.from_bytes(file[8:12], "big") + 56


@pytest.mark.parametrize("size", SIZES)
def test_what_was_encrypted_is_opened_byte_for_byte(size: int) -> None:
    plain = os.urandom(size)

    file = encrypted(plain, recipient("default"))

    assert opened(file, keys("default")[0]) == plain


@pytest.mark.parametrize("profile", PROFILES)
def test_each_recipient_alone_can_open_it(profile: str) -> None:
    plain = os.urandom(20_000)

    file = encrypted(plain, *(recipient(one) for one in PROFILES))

    assert opened(file, keys(profile)[0]) == plain


def test_two_recipients_of_one_profile_can_each_open_it() -> None:
    plain = os.urandom(20_000)

    file = encrypted(plain, recipient("default"), recipient("default", 1))

    assert opened(file, keys("default")[0]) == plain
    assert opened(file, keys("default", 1)[0]) == plain


@pytest.mark.parametrize("profile", PROFILES)
def test_another_key_of_the_same_kind_opens_nothing(profile: str) -> None:
    file = encrypted(b"footage", recipient(profile))

    with pytest.raises(CannotOpen, match="it is not for key"):
        opened(file, keys(profile, 1)[0])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_key_that_calls_itself_the_right_one_opens_nothing(profile: str) -> None:
    right, wrong = recipient(profile).id, recipient(profile, 1).id
    file = encrypted(b"footage", recipient(profile))

    with pytest.raises(CannotOpen):
        opened(file.replace(right.encode(), wrong.encode()), keys(profile, 1)[0])


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_a_file_that_ends_at_a_chunk_is_not_whole(chunks: int) -> None:
    file = encrypted(os.urandom(3 * CHUNK + 5), recipient("default"))
    cut = file[: body(file) + chunks * SEALED]

    with pytest.raises(CannotOpen, match="not whole"):
        opened(cut, keys("default")[0])


def test_chunks_that_changed_places_are_found() -> None:
    file = encrypted(bytes(3 * CHUNK), recipient("default"))
    at = body(file)
    first, second = file[at : at + SEALED], file[at + SEALED : at + 2 * SEALED]
    swapped = file[:at] + second + first + file[at + 2 * SEALED :]

    with pytest.raises(CannotOpen):
        opened(swapped, keys("default")[0])


def test_a_chunk_of_another_file_is_found() -> None:
    one, other = (encrypted(bytes(CHUNK), recipient("default")) for _ in "ab")

    with pytest.raises(CannotOpen):
        opened(one[: body(one)] + other[body(other) :], keys("default")[0])


def test_a_bit_that_flips_anywhere_is_found() -> None:
    plain = os.urandom(100)
    file = encrypted(plain, recipient("default"), recipient("fips"))
    chance = random.Random(5)
    everywhere = [*range(200), *chance.sample(range(len(file)), 400)]

    for at in everywhere:
        bad = bytearray(file)
        bad[at] ^= 1 << chance.randrange(8)
        with pytest.raises(CannotOpen):
            opened(bytes(bad), keys("default")[0])


def test_what_is_added_at_the_end_is_found() -> None:
    file = encrypted(b"footage", recipient("default"))

    with pytest.raises(CannotOpen):
        opened(file + b"\0", keys("default")[0])


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_what_is_no_encrypted_file_is_refused_with_a_sentence(noise: bytes) -> None:
    for file in (noise, b"DOCKENC1" + noise):
        with pytest.raises(CannotOpen):
            opened(file, keys("default")[0])


@pytest.mark.parametrize("size", [0, 13, CHUNK, 2 * CHUNK, 50_000])
def test_a_reader_that_is_written_from_the_page_reads_the_same(size: int) -> None:
    plain = os.urandom(size)
    file = encrypted(plain, recipient("fips"))
    key = dock_decrypt.private(keys("fips")[0])

    data_key = key.unwrap(wrapped(file, recipient("fips").id))

    assert by_the_page(file, data_key) == plain


def test_no_key_no_salt_and_no_wrapping_is_ever_used_twice() -> None:
    private = dock_decrypt.private(keys("default")[0])
    to = recipient("default")
    files = [encrypted(b"the same", to) for _ in range(500)]

    salts = {file[body(file) - 56 : body(file) - 32] for file in files}
    data_keys = {private.unwrap(wrapped(file, to.id)) for file in files}
    ends = {file[body(file) :] for file in files}

    assert len(salts) == len(data_keys) == len(ends) == len(files)


def test_the_read_back_knows_the_plaintext_and_the_parts() -> None:
    plain, envelope = os.urandom(PART_SIZE + 99), Envelope([recipient("default")])
    file = encrypted(plain, envelope=envelope)
    opening = envelope.opening(len(plain))

    opening.take(memoryview(file))

    assert opening.found() == (hashlib.sha256(plain).hexdigest(), len(plain))
    assert opening.parts(Digest("")) == tuple(
        hashlib.sha256(piece).hexdigest()
        for piece in (file[:PART_SIZE], file[PART_SIZE:])
    )


def test_the_read_back_agrees_to_nothing_but_what_was_read_from_the_camera() -> None:
    plain = bytes(40_000)
    digest = Digest(hashlib.sha256(plain).hexdigest())
    other = Digest(hashlib.sha256(b"other").hexdigest())

    for told, size, agrees in (
        (digest, 40_000, True),
        (other, 40_000, False),  # the memory failed between the digest and the cipher
        (digest, 39_999, False),
    ):
        envelope = Envelope([recipient("default")])
        opening = envelope.opening(40_000)
        opening.take(memoryview(encrypted(plain, envelope=envelope)))
        assert opening.agrees(told, size) is agrees


def test_the_read_back_finds_a_bit_that_flipped_anywhere() -> None:
    plain, envelope = bytes(40_000), Envelope([recipient("default")])
    file = encrypted(plain, envelope=envelope)
    assert read_back(file, envelope, len(plain)) is not None

    for at in range(0, len(file), 97):
        bad = bytearray(file)
        bad[at] ^= 4
        assert read_back(bytes(bad), envelope, len(plain)) is None


@pytest.mark.parametrize("short", [1, 16, 7232, SEALED + 7232, 40_000])
def test_the_read_back_finds_what_is_cut_off(short: int) -> None:
    plain, envelope = bytes(40_000), Envelope([recipient("default")])
    file = encrypted(plain, envelope=envelope)

    assert read_back(file[:-short], envelope, len(plain)) is None
    assert read_back(b"", envelope, len(plain)) is None


def test_a_key_that_was_forgotten_encrypts_and_opens_nothing_more() -> None:
    envelope = Envelope([recipient("default")])

    envelope.forget()

    with pytest.raises(ValueError, match="forgotten"):
        envelope.opening(0)
    with pytest.raises(ValueError, match="forgotten"):
        encrypted(b"", envelope=envelope)


def test_the_header_says_whom_it_is_for_and_nothing_of_the_file() -> None:
    to = recipient("default"), recipient("fips")

    told = header(encrypted(b"footage", *to))

    assert told.keys() == {"content", "recipients", "version"}
    assert [one["id"] for one in told["recipients"]] == [one.id for one in to]
