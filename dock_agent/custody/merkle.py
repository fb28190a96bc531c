"""A Merkle tree over the custody log: one hash that stands for every line. Pure.

The tree, its heads and its proofs are those of RFC 6962, 2.1; who checks a proof
does it by the algorithms of RFC 9162, 2.1.3.2 and 2.1.4.2. A leaf is a line's UTF-8
bytes without the newline. Hashes are 32 bytes.

Nothing here holds the tree. `Read` gives the hash of a complete subtree: of level
L and number N it has the 2**L leaves from N * 2**L on, counted from 0. Heads and
proofs ask for O(log n) of them.
"""

import hashlib
from collections.abc import Callable, Sequence

from dock_agent.errors import CustodyError

Read = Callable[[int, int], bytes]
"""Return the hash of the complete subtree of a level and a number."""

EMPTY = hashlib.sha256(b"").digest()  # the head of a tree without leaves


def leaf(line: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\0" + line).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees that lie side by side (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Growing:
    """A tree that leaves are added to, one by one; it keeps O(log n) hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # complete subtrees, the largest first

    def add(self, line: bytes) -> None:
        """Add a line at the end."""
        whole, self.size = leaf(line), self.size + 1
        for _ in range(_trailing_zeros(self.size)):
            whole = node(self._peaks.pop(), whole)
        self._peaks.append(whole)

    def root(self) -> bytes:
        """Return the head of the tree so far."""
        return _joined(self._peaks)


def complete(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a complete subtree from those of 1, 2, 4, … equal ones."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [node(left, right) for left, right in pairs]
    return hashes[0]


def root(size: int, read: Read) -> bytes:
    """Return the head of a tree of `size` leaves."""
    return _subtree(0, size, read) if size else EMPTY


def inclusion(index: int, size: int, read: Read) -> list[bytes]:
    """Return the proof that leaf `index`, from 0, is in the tree of `size` leaves.

    It is PATH of RFC 6962, 2.1.1: the nearest neighbour first. Raises
    `CustodyError` where there is no such leaf.
    """
    if not 0 <= index < size:
        raise CustodyError(f"a tree of {size} lines has no line {index + 1}")
    begin, end, path = 0, size, list[bytes]()
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_subtree(middle, end, read))
            end = middle
        else:
            path.append(_subtree(begin, middle, read))
            begin = middle
    return path[::-1]


def consistency(old: int, size: int, read: Read) -> list[bytes]:
    """Return the proof that the tree of `size` begins with the tree of `old`.

    It is PROOF of RFC 6962, 2.1.2; empty where both are the same tree. Raises
    `CustodyError` where `old` is nothing, or more than `size`.
    """
    if not 0 < old <= size:
        raise CustodyError(f"a tree of {size} lines never began as one of {old}")
    begin, end, path, whole = 0, size, list[bytes](), True
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_subtree(middle, end, read))
            end = middle
        else:
            path.append(_subtree(begin, middle, read))
            begin, whole = middle, False
    if not whole:
        path.append(_subtree(begin, end, read))
    return path[::-1]


def verify_inclusion(
    place: tuple[int, int], line: bytes, proof: Sequence[bytes], head: bytes
) -> None:
    """Raise `CustodyError` unless `line` is in the tree with this head.

    `place` is the leaf's index, from 0, and the tree's size (RFC 9162, 2.1.3.2).
    """
    index, size = place
    if not 0 <= index < size:
        raise CustodyError(f"a tree of {size} lines has no line {index + 1}")
    first, last, found = index, size - 1, leaf(line)
    for step in proof:
        if last == 0:
            raise CustodyError("the proof is too long")
        if first & 1 or first == last:
            found = node(step, found)
            first, last = _climb(first, last)
        else:
            found = node(found, step)
        first, last = first >> 1, last >> 1
    if last or found != head:
        raise CustodyError(f"line {index + 1} is not in the tree of {size} lines")


def verify_consistency(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]
) -> None:
    """Raise `CustodyError` unless the tree `new` begins with the tree `old`.

    Each is a size and a head (RFC 9162, 2.1.4.2). Of no lines at all every tree is
    an extension.
    """
    (before, before_head), (size, head) = old, new
    if not 0 <= before <= size:
        raise CustodyError(f"{size} lines are fewer than {before}")
    if before in {0, size}:
        expected = EMPTY if before == 0 else head
        if proof or before_head != expected:
            raise CustodyError(f"two trees of {before} lines differ")
        return
    if (before_head, head) != _both(before, size, (before_head, proof)):
        raise CustodyError(f"{size} lines are not an extension of {before} lines")


def _both(
    before: int, size: int, told: tuple[bytes, Sequence[bytes]]
) -> tuple[bytes, bytes] | None:
    """Return the two heads that a proof leads to; None where it does not fit."""
    head, proof = told
    path = [head, *proof] if before & (before - 1) == 0 else list(proof)
    first, last = before - 1, size - 1
    zeros = _trailing_ones(first)
    first, last = first >> zeros, last >> zeros
    if not path:
        return None
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return None
        if first & 1 or first == last:
            old, new = node(step, old), node(step, new)
            first, last = _climb(first, last)
        else:
            new = node(new, step)
        first, last = first >> 1, last >> 1
    return None if last else (old, new)


def _climb(first: int, last: int) -> tuple[int, int]:
    """Skip the levels at which a rightmost node has no neighbour."""
    while first and not first & 1:
        first, last = first >> 1, last >> 1
    return first, last


def _subtree(begin: int, end: int, read: Read) -> bytes:
    """Return the hash over the leaves from `begin` to `end`: its peaks, joined."""
    peaks = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        peaks.append(read(level, begin >> level))
        begin += 1 << level
    return _joined(peaks)


def _joined(peaks: Sequence[bytes]) -> bytes:
    """Join complete subtrees, the largest first, from the right."""
    if not peaks:
        return EMPTY
    *others, whole = peaks
    for peak in reversed(others):
        whole = node(peak, whole)
    return whole


def _split(size: int) -> int:
    """Return the largest power of two below `size` (RFC 6962, 2.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _trailing_ones(number: int) -> int:
    return _trailing_zeros(number + 1)
