"""Digests of a file's parts: sync sends it in parts of PART_SIZE bytes each."""

import hashlib
from typing import Any

from dock_agent.recording import PART_SIZE, Digest


class Parts:
    """Digests of consecutive parts, fed block by block; `done` are those that ended."""

    def __init__(self) -> None:
        self.done: list[Digest] = []
        self._now: Any = hashlib.sha256()
        self._size = 0

    def update(self, block: memoryview) -> None:
        """Take the next block, of any length."""
        while block:
            room = PART_SIZE - self._size
            self._now.update(block[:room])
            self._size += len(block[:room])
            block = block[room:]
            if self._size == PART_SIZE:
                self.close()

    def close(self) -> None:
        """The last part ends here."""
        if self._size:
            self.done.append(Digest(self._now.hexdigest()))
            self._now, self._size = hashlib.sha256(), 0


class NoParts(Parts):
    """Of what is nowhere sent as it is: a file that is encrypted as it is copied."""

    def update(self, block: memoryview) -> None:
        del block
