"""Have PID 1 mount a camera for writing, and read-only again when that is over.

The agent may not mount anything. It wishes, by an empty file that is called as the
camera's place is: bay, diskseq, partition. What grants it (`systemd/dock-erase`) looks
at all of it again. The wish goes with whoever has it, so the door never stays open.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from dock_agent.bays import rules
from dock_agent.bays.mount import MOUNTINFO, Mount, parse, versions
from dock_agent.errors import CameraError, CameraGone
from dock_agent.offload.root import Root

PATIENCE = 620.0  # seconds: a large card's file system is looked through first
STEP = 1.0  # seconds between two signs of life
RUN = Path(rules.RUN)


class Door(Protocol):
    """Opens a camera that may else only be read; `kinds` of file systems."""

    @property
    def kinds(self) -> Collection[str]: ...

    @contextmanager
    def opened(self, beat: Callable[[], None]) -> Iterator[Path]:
        """Give the root of its tree, writable; in the end it may only be read again.

        `beat` is called while we wait. Raises `CameraError` if it is not granted, or
        cannot be read again, and `CameraGone`.
        """
        ...


class BayDoor:
    """The door of a USB bay. Meets `Door`. `source` is where the camera is read."""

    kinds: Collection[str] = rules.ERASABLE

    def __init__(
        self,
        source: Path,
        root: Root,
        run: Path = RUN,
        mountinfo: Path = MOUNTINFO,
    ) -> None:
        self._source, self._root, self._mountinfo = source, root, mountinfo
        place, name = source.parts[-2:], "-".join(source.parts[-2:])
        self._writing = run.joinpath(rules.CLEARING.name, *place)
        self._wish = run / rules.WISHES.name / name
        self._answer = run / rules.ANSWERS.name / name

    @contextmanager
    def opened(self, beat: Callable[[], None]) -> Iterator[Path]:
        try:
            self._wish.touch(mode=0o400, exist_ok=False)
        except OSError as error:
            raise CameraError(f"it cannot be opened: {error}") from error
        try:
            self._wait(self._granted, beat)
        except CameraGone:
            self.close()
            raise
        except CameraError:
            self.close()
            self._wait(self._shut, beat)
            raise
        try:
            yield self._writing
        finally:
            self.close()
        self._wait(self._shut, beat)

    def close(self) -> None:
        """Take the wish back, if there is one."""
        self._wish.unlink(missing_ok=True)

    def _wait(
        self, done: Callable[[list[Mount]], bool], beat: Callable[[], None]
    ) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for text in versions(self._mountinfo, STEP):
                if not self._root.attached():
                    raise CameraGone(f"{self._source}: it left")
                if done(list(parse(text))):
                    return
            beat()
        raise CameraError(f"PID 1 did not mount it within {PATIENCE:.0f} s")

    def _granted(self, mounts: list[Mount]) -> bool:
        if self._is_mounted(mounts, self._writing, rules.NEEDED_TO_CLEAR):
            return True
        if self._answer.exists():
            raise CameraError(self._answer.read_text("utf-8").strip())
        return False

    def _shut(self, mounts: list[Mount]) -> bool:
        if any(mount.point == self._writing for mount in mounts):
            return False
        return self._is_mounted(mounts, self._source, rules.NEEDED)

    def _is_mounted(
        self, mounts: list[Mount], point: Path, needed: tuple[str, ...]
    ) -> bool:
        here = [mount for mount in mounts if mount.point == point]
        if not here:
            return False
        missing = set(needed) - here[-1].options
        if missing:
            without = ", ".join(sorted(missing))
            raise CameraError(f"{point} is mounted without {without}")
        ours = f"{os.major(self._root.device)}:{os.minor(self._root.device)}"
        if here[-1].device != ours:
            raise CameraError(f"{point} holds {here[-1].device}, not {ours}")
        return True


def door_of(source: Path, root: Root) -> BayDoor | None:
    """Return the door of a camera that PID 1 mounted; a folder has none."""
    return BayDoor(source, root) if source.parent.parent == RUN / "bays" else None
