import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.custody.checkpoint import (
    Checkpoint,
    Proof,
    key_id,
    open_note,
    origin,
    read,
    read_proof,
    sign_note,
    signed,
)
from dock_agent.custody.merkle import Growing, inclusion, leaf, node
from dock_agent.custody.signing import PublicKey, SigningKey
from dock_agent.errors import CustodyError

KEY, OTHER = SigningKey.from_seed(bytes(32)), SigningKey.from_seed(b"x" * 32)
NAME = origin("harbour-1")
LINES = ["first", "second", "third"]

# The example of the format's first implementation, which many others are tested by.
NEUMANN = "PeterNeumann"
NEUMANNS_KEY = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANNS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
    "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def of_three() -> Checkpoint:
    growing = Growing()
    for line in LINES:
        growing.add(line.encode())
    return Checkpoint(NAME, 3, growing.root())


def test_a_note_of_another_implementation_is_opened() -> None:
    raw = base64.b64decode(NEUMANNS_KEY)[1:]
    key = PublicKey(Ed25519PublicKey.from_public_bytes(raw))

    assert key_id(NEUMANN, key).hex() == "c74f20a3"
    assert open_note(NEUMANNS_NOTE, NEUMANN, [key]).startswith("If you think")


def test_a_checkpoint_says_origin_size_and_head_each_in_its_line() -> None:
    checkpoint = of_three()

    first, size, head, empty, signature, end = signed(checkpoint, KEY).split("\n")

    assert (first, size) == ("dock-agent/harbour-1", "3")
    assert base64.b64decode(head) == checkpoint.root
    assert (empty, end) == ("", "")
    assert signature.startswith("— dock-agent/harbour-1 ")


def test_a_checkpoint_is_read_back_by_any_key_of_the_station() -> None:
    note = signed(of_three(), KEY)

    assert read(note, [OTHER.public, KEY.public], NAME) == of_three()


@pytest.mark.parametrize("where", range(len(signed(of_three(), KEY).encode())))
def test_any_flipped_bit_of_a_checkpoint_is_noticed(where: int) -> None:
    raw = signed(of_three(), KEY).encode()
    for bit in range(8):
        flipped = bytearray(raw)
        flipped[where] ^= 1 << bit

        with pytest.raises(CustodyError):
            read(flipped.decode("utf-8", "replace"), [KEY.public], NAME)


@given(st.text())
def test_no_other_text_is_a_checkpoint(text: str) -> None:
    with pytest.raises(CustodyError):
        read(text, [KEY.public], NAME)
    with pytest.raises(CustodyError):
        read_proof(text)


def test_a_checkpoint_of_another_key_is_none() -> None:
    note = signed(of_three(), OTHER)

    with pytest.raises(CustodyError, match="not signed by a key"):
        read(note, [KEY.public], NAME)


def test_a_checkpoint_of_another_station_is_none_whoever_signed_it() -> None:
    note = signed(of_three(), KEY)

    with pytest.raises(CustodyError):
        read(note, [KEY.public], origin("harbour-2"))


def test_a_name_that_is_not_the_origin_vouches_for_nothing() -> None:
    text = of_three().text().replace("harbour-1", "harbour-2")
    note = sign_note(text, NAME, KEY)

    with pytest.raises(CustodyError, match="not a checkpoint of"):
        read(note, [KEY.public], NAME)


@pytest.mark.parametrize(
    "text",
    [
        f"{NAME}\n3\n",
        f"{NAME}\n03\n{'A' * 43}=\n",
        f"{NAME}\n+3\n{'A' * 43}=\n",
        f"{NAME}\n-1\n{'A' * 43}=\n",
        f"{NAME}\n3 \n{'A' * 43}=\n",
        f"{NAME}\n٣\n{'A' * 43}=\n",
        f"{NAME}\n3\n{'A' * 42}B=\n",  # bits that no byte has
        f"{NAME}\n3\n{'A' * 42}==\n",
        f"{NAME}\n3\n{'A' * 43}=\nmore\n",
        f"{NAME}\n{'9' * 30}\n{'A' * 43}=\n",
    ],
)
def test_a_checkpoint_is_written_in_one_way_only(text: str) -> None:
    note = sign_note(text, NAME, KEY)

    with pytest.raises(CustodyError):
        read(note, [KEY.public], NAME)


def test_signatures_of_others_are_let_through() -> None:
    text = of_three().text()
    witness = sign_note(text, "witness.example", OTHER).rpartition("\n\n")[2]
    ours = signed(of_three(), KEY)

    for note in (ours + witness, ours.replace("\n\n", f"\n\n{witness}")):
        assert read(note, [KEY.public], NAME) == of_three()


def test_a_signature_that_claims_our_key_and_does_not_hold_spoils_the_note() -> None:
    ours = signed(of_three(), KEY)
    claimed = base64.b64encode(key_id(NAME, KEY.public) + bytes(64)).decode()

    with pytest.raises(CustodyError, match="not signed by key"):
        read(f"{ours}— {NAME} {claimed}\n", [KEY.public], NAME)


@pytest.mark.parametrize("end", ["", "\n", "x\n", "— \n", "— a b c\n", "-- a AAAA\n"])
def test_what_follows_a_note_is_part_of_it(end: str) -> None:
    ours = signed(of_three(), KEY)
    note = ours + end if end else ours[:-1]

    with pytest.raises(CustodyError):
        read(note, [KEY.public], NAME)


def test_a_note_that_is_cut_off_in_its_last_signature_is_none() -> None:
    witness = sign_note(of_three().text(), "witness.example", OTHER)
    note = signed(of_three(), KEY) + witness.rpartition("\n\n")[2]

    with pytest.raises(CustodyError, match="not a signed note"):
        read(note[:-1], [KEY.public], NAME)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_no_key_has_a_name_with_a_space_or_a_plus(name: str) -> None:
    with pytest.raises(CustodyError, match="no name"):
        sign_note("text\n", name, KEY)


@pytest.mark.parametrize("text", ["", "\n", "text", "te\rxt\n", "te\0xt\n"])
def test_only_whole_lines_are_signed(text: str) -> None:
    with pytest.raises(CustodyError, match="not the text"):
        sign_note(text, NAME, KEY)


def proof_of(index: int) -> Proof:
    def hashed(level: int, number: int) -> bytes:
        if level == 0:
            return leaf(LINES[number].encode())
        return node(hashed(level - 1, number * 2), hashed(level - 1, number * 2 + 1))

    return Proof(index, inclusion(index, 3, hashed), signed(of_three(), KEY))


@pytest.mark.parametrize("index", range(3))
def test_a_proof_of_a_line_is_whole_in_one_text(index: int) -> None:
    proof = read_proof(proof_of(index).text())

    assert proof.verify(LINES[index], [KEY.public], NAME) == of_three()


def verified(text: str) -> Checkpoint:
    return read_proof(text).verify(LINES[1], [KEY.public], NAME)


def test_any_flipped_bit_of_a_proof_is_noticed() -> None:
    raw = proof_of(1).text().encode()
    for where in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[where // 8] ^= 1 << where % 8

        with pytest.raises(CustodyError):
            verified(flipped.decode("utf-8", "replace"))


def test_a_proof_proves_no_other_line() -> None:
    proof = proof_of(1)

    with pytest.raises(CustodyError, match="not in the tree"):
        proof.verify(LINES[0], [KEY.public], NAME)


def test_a_proof_without_end_is_not_read() -> None:
    head, _, note = proof_of(1).text().partition("\n\n")
    long = head + f"\n{'A' * 43}=" * 100

    with pytest.raises(CustodyError, match="too long"):
        read_proof(f"{long}\n\n{note}")
