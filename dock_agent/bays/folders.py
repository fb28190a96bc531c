"""Bays that are directories: a directory that appears in one is a docked camera.

For simulated docks, and for network cameras whose footage lands in a folder.
Names that begin with a dot are left alone, so that a card can be built aside
and renamed into place.
"""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from dock_agent.bays.detector import Seen, Sighting, Vanished
from dock_agent.errors import ConfigError
from dock_agent.recording import BayName


class FolderDetector:
    """Meets `Detector`. `folders` says which directory is which bay."""

    def __init__(self, folders: Mapping[BayName, Path]) -> None:
        for bay, folder in folders.items():
            if not folder.is_dir():
                raise ConfigError(f"bay {bay}: there is no directory {folder}")
        self._folders = dict(folders)
        self._observer = Observer()

    def start(self, post: Callable[[Seen], None]) -> None:
        for bay, folder in self._folders.items():
            watch = _Watch(bay, folder, post)
            self._observer.schedule(watch, str(folder), recursive=False)
        self._observer.start()
        for sighting in self.present():
            post(sighting)

    def present(self) -> list[Sighting]:
        return [
            sighting
            for bay, folder in self._folders.items()
            for sighting in _cameras(bay, folder)
        ]

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
        if event.event_type in {"opened", "closed", "closed_no_write", "modified"}:
            return
        now = {s.token: s for s in _cameras(self._bay, self._folder)}
        gone = [token for token in self._known if token not in now]
        for token in gone:
            self._post(Vanished(self._bay, token))
        for token, sighting in now.items():
            if token not in self._known:
                self._post(sighting)
        self._known = now


def _cameras(bay: BayName, folder: Path) -> list[Sighting]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    found = []
    for name in names:
        if name.startswith("."):
            continue
        try:
            facts = (folder / name).lstat()
        except OSError:
            continue  # it left while we looked
        if stat.S_ISDIR(facts.st_mode):
            found.append(_sighting(bay, folder / name, facts))
    return found


def _sighting(bay: BayName, path: Path, facts: os.stat_result) -> Sighting:
    token = f"{facts.st_dev}:{facts.st_ino}"
    shown = {"folder": os.fsencode(path.name).decode("utf-8", "backslashreplace")}
    return Sighting(bay, token, str(path), shown)
