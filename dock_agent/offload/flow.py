"""One pass over a file's bytes: read, hash, write, all at the same time.

Reader, two hashers and writer share a ring of buffers; hashlib and pwrite let
go of the interpreter, so a pass takes as long as its slowest part.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from dock_agent.recording import PART_SIZE, Digest
from dock_agent.vault.buffers import BLOCK, COUNT, ring
from dock_agent.vault.parts import Parts

SMALL = 4 * BLOCK  # bytes below which threads cost more than they bring

Read = Callable[[memoryview], int]
Write = Callable[[memoryview, int], None]


@dataclass(frozen=True, slots=True)
class Digests:
    """The SHA-256 of the whole and of each PART_SIZE of it, and the bytes read."""

    whole: Digest
    parts: tuple[Digest, ...]
    size: int


def copy_blocks(
    read: Read, write: Write, size: int, parts: Parts | None = None
) -> Digests:
    """Read until the end, pass every block on, and return what was seen.

    Reads past `size` bytes are not written: the caller sees the larger count
    and keeps nothing. `parts` hears every block, too.
    """
    copy = _in_turn if size <= SMALL else _at_once
    return copy(read, write, size, parts or Parts())


def _in_turn(read: Read, write: Write, size: int, parts: Parts) -> Digests:
    whole, done, buffer = hashlib.sha256(), 0, ring()[0]
    while (count := read(buffer)) and done <= size:
        block = buffer[:count]
        whole.update(block)
        if size > PART_SIZE:
            parts.update(block)
        if done + count <= size:
            write(block, done)
        done += count
    return _digests(whole.hexdigest(), parts, done)


def _digests(whole: str, parts: Parts, size: int) -> Digests:
    parts.close()
    one = (Digest(whole),) if size else ()
    return Digests(Digest(whole), tuple(parts.done) or one, size)


def _at_once(read: Read, write: Write, size: int, parts: Parts) -> Digests:
    whole, done, buffers = hashlib.sha256(), 0, ring()
    flying: deque[list[Future[None]]] = deque()
    with (
        ThreadPoolExecutor(1) as hashing,
        ThreadPoolExecutor(1) as parting,
        ThreadPoolExecutor(1) as writing,
    ):
        number = 0
        while done <= size:
            if len(flying) == COUNT:
                _land(flying)
            block = _filled(read, buffers[number % COUNT])
            if not block:
                break
            jobs = [hashing.submit(whole.update, block)]
            jobs.append(parting.submit(parts.update, block))
            if done + len(block) <= size:
                jobs.append(writing.submit(write, block, done))
            flying.append(jobs)
            done, number = done + len(block), number + 1
        while flying:
            _land(flying)
    return _digests(whole.hexdigest(), parts, done)


def _filled(read: Read, buffer: memoryview) -> memoryview:
    """Fill a buffer: a short read in the middle would break the alignment."""
    count = 0
    while count < len(buffer) and (more := read(buffer[count:])):
        count += more
    return buffer[:count]


def _land(flying: deque[list[Future[None]]]) -> None:
    for job in flying.popleft():
        job.result()
