"""Runs a program that never flushes anything: what the bench must be able to see.

Runs in the guest, instead of the agent; the program's words are its arguments.
"""

import ctypes
import os
import struct
import sys

# Numbers of calls on x86-64: fsync, fdatasync, sync, msync, sync_file_range, syncfs.
FLUSHES = (74, 75, 162, 26, 277, 306)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # prctl(2)
LOAD_NUMBER, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # of the kernel's packet filter
ALLOW, DONE = 0x7FFF0000, 0x00050000  # DONE: returns 0, and nothing was done


def instructions() -> bytes:
    """Return a filter by which each of `FLUSHES` succeeds and does nothing."""
    checks = (
        (IF_EQUAL, len(FLUSHES) - number, 0, call)
        for number, call in enumerate(FLUSHES)
    )
    program = ((LOAD_NUMBER, 0, 0, 0), *checks, (RETURN, 0, 0, ALLOW))
    return b"".join(
        struct.pack("HBBI", *words) for words in (*program, (RETURN, 0, 0, DONE))
    )


if __name__ == "__main__":
    code = instructions()
    kept = ctypes.create_string_buffer(code)
    what = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, what):
        raise OSError(ctypes.get_errno(), "prctl")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  this is what it is for
