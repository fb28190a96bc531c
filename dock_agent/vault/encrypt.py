"""Encrypt one file while it is copied, and open it again while it is read back.

Content is Cobblestone-256 (C2SP chunked-encryption) under a data key of its own, which
is in the memory of this process only, and only until the copy was proved. Each attempt
has an `Envelope` of its own: no key is used for two streams, and no stream goes on
where it broke. Whoever holds the disk afterwards has the wrapped keys, and no other.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Sequence

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from dock_agent.custody.recipients import Recipient, head
from dock_agent.recording import PART_SIZE, Digest
from dock_agent.vault.buffers import BLOCK, PAGE
from dock_agent.vault.parts import Parts

CONTEXT = b"dock-agent/encrypted-file/1\0"
KEY = 32  # bytes
CHUNK, TAG, START = 16 << 10, 16, 56  # bytes: of plaintext, of its tag; salt and so on
MOST = START + (BLOCK // CHUNK + 2) * (CHUNK + TAG)  # of one block's ciphertext

Write = Callable[[memoryview, int], None]


def length(head_size: int, size: int) -> int:
    """Return how long a file of `size` bytes is once it is encrypted."""
    return head_size + START + size + (size // CHUNK + 1) * TAG


class Envelope:
    """The data key of one attempt at one file, and what stands before its ciphertext.

    `forget` it as soon as the copy is proved, or given up.
    """

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        self._key = bytearray(KEY)
        _fill(self._key)
        self.head = head(self._key, recipients)
        self.keys = tuple(recipient.id for recipient in recipients)
        self._used = False

    def length(self, size: int) -> int:
        """Return how long the encrypted file is, of a file of `size` bytes."""
        return length(len(self.head), size)

    def sealing(self, write: Write) -> "Sealing":
        """Return what encrypts to `write`. Only once: raises `ValueError` after."""
        if self._used:
            raise ValueError("its key encrypted something else")
        self._used = True
        return Sealing(Cobblestone256Encryptor(*self._terms()), self.head, write)

    def opening(self, size: int) -> "Opening":
        """Return what opens the file as it is read again, from its first byte.

        It had `size` bytes before it was encrypted.
        """
        parts = Parts() if self.length(size) > PART_SIZE else None
        return Opening(Cobblestone256Decryptor(*self._terms()), self.head, parts)

    def forget(self) -> None:
        """Overwrite the key; as far as the interpreter lets us, it is gone."""
        self._key[:] = bytes(KEY)

    def _terms(self) -> tuple[bytearray, bytes]:
        if not any(self._key):
            raise ValueError("its key was forgotten")
        return self._key, CONTEXT + hashlib.sha256(self.head).digest()


class Sealing:
    """Takes plaintext in order, and writes ciphertext at multiples of a page."""

    def __init__(
        self, stream: Cobblestone256Encryptor, start: bytes, to: Write
    ) -> None:
        self._stream, self._write, self._at = stream, to, 0
        room = max(len(start), PAGE) + MOST
        self._buffer = memoryview(mmap.mmap(-1, room))
        self._buffer[: len(start)] = start
        self._held = len(start)  # bytes that wait for a whole page

    def write(self, block: memoryview, offset: int) -> None:
        """Encrypt the next block; `offset` is for whoever writes without."""
        del offset
        self._held += self._stream.update_into(block, self._buffer[self._held :])
        self._pass_on(self._held - self._held % PAGE)

    def finish(self) -> int:
        """Write the rest; return how long the encrypted file is."""
        last = self._stream.finalize()
        self._buffer[self._held : self._held + len(last)] = last
        self._held += len(last)
        self._pass_on(self._held)
        return self._at

    def _pass_on(self, count: int) -> None:
        if count:
            self._write(self._buffer[:count], self._at)
        self._buffer[: self._held - count] = self._buffer[count : self._held]
        self._at, self._held = self._at + count, self._held - count


class Opening:
    """Takes an encrypted file block by block, and remembers what was in it.

    `parts`, where there are several, are of the encrypted file.
    """

    def __init__(
        self, stream: Cobblestone256Decryptor, start: bytes, parts: Parts | None
    ) -> None:
        self._stream, self._start = stream, start
        self._plain, self._parts = hashlib.sha256(), parts
        self._buffer: bytearray = bytearray()
        self._sound, self._seen, self._size = True, 0, 0

    def take(self, block: memoryview) -> None:
        """Take the next block. What is wrong with it is told by `found`."""
        if self._parts is not None:
            self._parts.update(block)
        if not self._sound:
            return
        ours = block[: max(0, len(self._start) - self._seen)]
        self._sound = ours == self._start[self._seen : self._seen + len(ours)]
        self._seen += len(block)
        if self._sound:
            self._decrypt(block[len(ours) :])

    def found(self) -> tuple[Digest, int] | None:
        """Return digest and length of the plaintext; None if it cannot be opened."""
        if self._sound and self._seen >= len(self._start):
            self._count(lambda: memoryview(self._stream.finalize()))
        else:
            self._sound = False
        return (Digest(self._plain.hexdigest()), self._size) if self._sound else None

    def agrees(self, whole: Digest, size: int) -> bool:
        """Whether it opens, to its very end, to what has this digest and length."""
        return self.found() == (whole, size)

    def parts(self, whole: Digest) -> tuple[Digest, ...]:
        """Return the digests of the encrypted file's parts, PART_SIZE bytes each.

        `whole` is that of the file: the only one where it is no longer than a part.
        """
        if self._parts is None:
            return (whole,)
        self._parts.close()
        return tuple(self._parts.done)

    def _decrypt(self, block: memoryview) -> None:
        if len(self._buffer) < len(block) + CHUNK + START + TAG:
            self._buffer = bytearray(len(block) + CHUNK + START + TAG)
        into = memoryview(self._buffer)
        self._count(lambda: into[: self._stream.update_into(block, into)])

    def _count(self, decrypt: Callable[[], memoryview]) -> None:
        try:
            plain = decrypt()
        except (InvalidTag, ValueError):
            self._sound = False
            return
        self._plain.update(plain)
        self._size += len(plain)


def _fill(key: bytearray) -> None:
    """Have the kernel write the key where it is kept: no other copy is made."""
    fd = os.open("/dev/urandom", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.readv(fd, [key]) != KEY:
            raise OSError("no key was given")
    finally:
        os.close(fd)
