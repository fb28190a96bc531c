"""Page-aligned buffers, as O_DIRECT wants them, made once for each thread."""

import mmap
import threading

PAGE = 4096  # bytes: what O_DIRECT aligns to on every disk the vault may be on
BLOCK = 512 << 10  # bytes in one buffer of a ring
COUNT = 6  # buffers in a ring: 3 MiB for each lane of a docking

_own = threading.local()


def ring() -> list[memoryview]:
    """Return this thread's ring of COUNT buffers of BLOCK bytes each."""
    held: list[memoryview] | None = getattr(_own, "ring", None)
    if held is None:
        whole = memoryview(mmap.mmap(-1, BLOCK * COUNT))
        held = [whole[n * BLOCK : (n + 1) * BLOCK] for n in range(COUNT)]
        _own.ring = held
    return held
