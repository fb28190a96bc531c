"""What a process is told from outside: to end, or that its parent is gone."""

import ctypes
import os
import resource
import signal
import threading
from collections.abc import Callable
from types import FrameType

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


def until_told() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    return stop


def interrupt_on_any_end() -> None:
    """Let SIGTERM, and SIGHUP unless it is ignored (nohup), do what Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def leave_no_dump() -> None:
    """From now on no memory is written out if this process crashes, or a child of it.

    A dump that goes to a program is not bound by a limit of 0, as core(5) says; by
    one of 1 the kernel gives none (fs/coredump.c).
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    least = 0 if most == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))


def die_with_parent() -> None:
    """From now on this process is killed when the thread that began it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def dies_with(parent: int) -> Callable[[], None]:
    """Return what a child of process `parent` calls before it becomes a program."""

    def begin() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it ended before it was asked for
            os.kill(os.getpid(), signal.SIGKILL)

    return begin
