"""Bays that are directories: a directory that appears in one is a docked camera.

For simulated docks, and for network cameras whose footage lands in a folder.
Names that begin with a dot are left alone, so that a card can be built aside
and renamed into place.
"""

import ctypes
import logging
import os
import stat
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from dock_agent.bays.detector import Presence, Seen, Sighting, Vanished
from dock_agent.errors import ConfigError
from dock_agent.recording import BayName

log = logging.getLogger(__name__)

AT_FDCWD, AT_SYMLINK_NOFOLLOW = -100, 0x100
STATX_BTIME, BTIME_OFFSET = 0x800, 80
_libc = ctypes.CDLL(None, use_errno=True)


class FolderDetector:
    """Meets `Detector`. `folders` says which directory is which bay."""

    def __init__(self, folders: Mapping[BayName, Path]) -> None:
        for bay, folder in folders.items():
            if not folder.is_dir():
                raise ConfigError(f"bay {bay}: there is no directory {folder}")
        self._folders = dict(folders)
        self._observer = Observer()

    def start(self, post: Callable[[Seen], None]) -> None:
        # What happens between this look and the start of the observer is found
        # by the next reconciliation.
        for bay, folder in self._folders.items():
            watch = _Watch(bay, folder, post)
            watch.look()
            self._observer.schedule(watch, str(folder), recursive=False)
        self._observer.start()

    def present(self) -> Presence:
        found: list[Sighting] = []
        unknown: set[BayName] = set()
        for bay, folder in self._folders.items():
            try:
                found += _cameras(bay, folder)
            except OSError as error:
                log.warning("bay cannot be looked at bay=%s %s", bay, error)
                unknown.add(bay)
        return Presence(tuple(found), frozenset(unknown))

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()


class _Watch(FileSystemEventHandler):
    """Looks at the bay itself whenever something happens in it.

    The event only says that there is something to see: what is there is read
    from the directory, so a lost or doubled event does no harm.
    """

    def __init__(
        self, bay: BayName, folder: Path, post: Callable[[Seen], None]
    ) -> None:
        self._bay, self._folder, self._post = bay, folder, post
        self._known: dict[str, Sighting] = {}

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in {"created", "deleted", "moved"}:
            self.look()

    def look(self) -> None:
        """Read the directory, and post what came and went since the last look."""
        try:
            now = {s.token: s for s in _cameras(self._bay, self._folder)}
        except OSError:
            return  # the next reconciliation looks again, and says so
        gone = [token for token in self._known if token not in now]
        for token in gone:
            self._post(Vanished(self._bay, token))
        for token, sighting in now.items():
            if token not in self._known:
                self._post(sighting)
        self._known = now


def _cameras(bay: BayName, folder: Path) -> list[Sighting]:
    try:
        sightings = [_sighting(bay, path) for path in sorted(folder.iterdir())]
    except FileNotFoundError:
        return []
    return [sighting for sighting in sightings if sighting is not None]


def _sighting(bay: BayName, path: Path) -> Sighting | None:
    try:
        facts = path.lstat()
    except OSError:
        return None  # it left while we looked
    if path.name.startswith(".") or not stat.S_ISDIR(facts.st_mode):
        return None
    token = f"{facts.st_dev}:{facts.st_ino}:{born_ns(path)}"
    shown = {"folder": os.fsencode(path.name).decode("utf-8", "backslashreplace")}
    return Sighting(bay, token, str(path), shown)


def born_ns(path: Path) -> int:
    """Return when a file was made (statx(2), stx_btime), in ns; 0 if not known.

    Inode numbers are used again at once; together with the birth they are not.
    """
    buffer = ctypes.create_string_buffer(256)
    name = os.fsencode(path)
    if _libc.statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, buffer):
        return 0
    seconds, nanoseconds = struct.unpack_from("<qI", buffer.raw, BTIME_OFFSET)
    return int(seconds * 1_000_000_000 + nanoseconds)
