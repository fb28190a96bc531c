import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.custody import merkle
from dock_agent.custody.merkle import (
    EMPTY,
    Growing,
    consistency,
    inclusion,
    root,
    verify_consistency,
    verify_inclusion,
)
from dock_agent.errors import CustodyError

# The leaves and heads that the reference implementations of RFC 6962 are tested by.
KNOWN = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
HEADS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive(lines: Sequence[bytes]) -> bytes:
    """Return the head, word by word as RFC 6962, 2.1 defines it."""
    if not lines:
        return hashlib.sha256(b"").digest()
    if len(lines) == 1:
        return hashlib.sha256(b"\0" + lines[0]).digest()
    half = 1
    while half * 2 < len(lines):
        half *= 2
    both = naive(lines[:half]) + naive(lines[half:])
    return hashlib.sha256(b"\1" + both).digest()


def reader(lines: Sequence[bytes]) -> merkle.Read:
    return lambda level, number: naive(lines[number << level : (number + 1) << level])


def made(size: int) -> list[bytes]:
    return [f"line {number}".encode() for number in range(size)]


SIZES = st.integers(1, 70)


@pytest.mark.parametrize("size", range(9))
def test_the_heads_are_those_of_the_reference_implementations(size: int) -> None:
    growing = Growing()
    for line in KNOWN[:size]:
        growing.add(line)

    assert root(size, reader(KNOWN)).hex() == HEADS[size]
    assert growing.root().hex() == HEADS[size]


def test_the_proofs_are_those_of_the_reference_implementations() -> None:
    read = reader(KNOWN)

    assert [step.hex() for step in inclusion(5, 8, read)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [step.hex() for step in consistency(6, 8, read)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(SIZES)
def test_a_head_is_the_one_that_the_definition_gives(size: int) -> None:
    lines, growing = made(size), Growing()
    for line in lines:
        growing.add(line)

    assert root(size, reader(lines)) == growing.root() == naive(lines)
    assert growing.size == size


@given(SIZES, st.data())
def test_every_line_is_proved_to_be_in_the_tree(size: int, data: st.DataObject) -> None:
    lines = made(size)
    index = data.draw(st.integers(0, size - 1))

    proof = inclusion(index, size, reader(lines))

    assert len(proof) <= (size - 1).bit_length()
    verify_inclusion((index, size), lines[index], proof, naive(lines))


@given(SIZES, st.data())
def test_every_tree_is_proved_to_begin_with_an_older_one(
    size: int, data: st.DataObject
) -> None:
    lines = made(size)
    old = data.draw(st.integers(1, size))

    proof = consistency(old, size, reader(lines))

    verify_consistency((old, naive(lines[:old])), (size, naive(lines)), proof)


@pytest.mark.parametrize("size", range(1, 18))
def test_no_changed_proof_of_a_line_is_taken(size: int) -> None:
    lines = made(size)
    head = naive(lines)
    for index in range(size):
        proof = inclusion(index, size, reader(lines))
        for mutant in mutants(proof):
            refused_line((index, size), lines[index], mutant, head)
        for other in {index + 1, index - 1} & set(range(size)):
            refused_line((other, size), lines[index], proof, head)
        refused_line((index, size), lines[index] + b"x", proof, head)
        refused_line((index, size), lines[index], proof, naive(made(size + 1)))


@pytest.mark.parametrize("size", range(1, 18))
def test_no_changed_proof_of_an_extension_is_taken(size: int) -> None:
    lines = made(size)
    new = size, naive(lines)
    for before in range(1, size + 1):
        old = before, naive(lines[:before])
        proof = consistency(before, size, reader(lines))
        for mutant in mutants(proof):
            refused_extension(old, new, mutant)
        other = before, naive([*lines[: before - 1], b"another line"])
        refused_extension(other, new, proof)
        refused_extension(old, (size, naive([b"another line", *lines[1:]])), proof)


@given(SIZES, st.data())
def test_a_log_that_was_changed_is_no_extension_whatever_the_proof(
    size: int, data: st.DataObject
) -> None:
    """Whoever rewrote the log makes his best proof of it: over his own tree."""
    lines = made(size)
    before = data.draw(st.integers(1, size))
    where = data.draw(st.integers(0, before - 1))
    forged = [*lines[:where], b"another line", *lines[where + 1 :]]
    old = before, naive(lines[:before])

    proof = consistency(before, size, reader(forged))

    refused_extension(old, (size, naive(forged)), proof)


def test_what_is_shorter_than_before_is_no_extension() -> None:
    lines = made(9)

    refused_extension((9, naive(lines)), (8, naive(lines[:8])), [])
    refused_extension((-1, EMPTY), (8, naive(lines[:8])), [])


def test_of_no_lines_every_log_is_an_extension() -> None:
    verify_consistency((0, EMPTY), (3, naive(made(3))), [])
    verify_consistency((0, EMPTY), (0, EMPTY), [])
    refused_extension((0, b"x" * 32), (3, naive(made(3))), [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_line_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(CustodyError, match="has no line"):
        inclusion(index, size, reader(made(3)))
    refused_line((index, size), b"", [], EMPTY)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_proof_of_a_tree_that_never_was(old: int, size: int) -> None:
    with pytest.raises(CustodyError, match="never began"):
        consistency(old, size, reader(made(3)))


def mutants(proof: Sequence[bytes]) -> list[list[bytes]]:
    """Return the proof with each hash changed, left out, doubled or exchanged."""
    found = [[*proof, b"\0" * 32]]
    for number, step in enumerate(proof):
        before, after = list(proof[:number]), list(proof[number + 1 :])
        flipped = bytes([step[0] ^ 1]) + step[1:]
        found += [[*before, flipped, *after], [*before, *after]]
        found += [[*before, step, step, *after]]
        if after:
            found += [[*before, after[0], step, *after[1:]]]
    return found


def refused_line(
    place: tuple[int, int], line: bytes, proof: Sequence[bytes], head: bytes
) -> None:
    with pytest.raises(CustodyError):
        verify_inclusion(place, line, proof, head)


def refused_extension(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]
) -> None:
    with pytest.raises(CustodyError):
        verify_consistency(old, new, proof)


def test_a_proof_for_a_tree_of_another_size_is_not_taken() -> None:
    """Each hash of it is right, and so are the heads: only the sizes are lies."""
    lines = made(8)
    read = reader(lines)
    heads = [naive(lines[:size]) for size in range(9)]

    refused_line((1, 2), lines[3], inclusion(3, 4, read), heads[4])
    refused_line((3, 8), lines[3], inclusion(3, 4, read), heads[4])
    refused_extension((3, heads[7]), (4, heads[8]), consistency(7, 8, read))
    refused_extension((7, heads[7]), (16, heads[8]), consistency(7, 8, read))
    refused_extension((8, heads[7]), (7, heads[7]), [])
