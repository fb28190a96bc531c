"""Which place a directory is, and whether it is still that one."""

from pathlib import Path

from dock_agent.errors import Barred, Unreachable
from dock_agent.sync.directory import marker
from dock_agent.vault.disk import Disk


class Place:
    """A directory and its id. Every method may raise `OSError`.

    A place without a marker gets one only on a file system of its own: not on that of
    one of `ours`, where a mount point without its share would be taken for the share.
    """

    def __init__(self, root: Path, disk: Disk, ours: tuple[Path, ...]) -> None:
        self.root, self._disk, self._ours = root, disk, ours
        # As it was read last, and as it was when it was first used, which is after
        # whoever knows it had agreed to it. The latter never changes.
        self._read: str | None = None
        self._ident: str | None = None

    def marker(self) -> str | None:
        """Return the id; None if it has none. What was read before counts no more."""
        self.mounted()
        found = marker.read(self._disk, self.root)
        self._read = found or self._read  # an empty mount point is missed all the same
        return found

    def mark(self, ident: str) -> None:
        """Give it its id; raise `Barred` if it has another, or may get none."""
        self.mounted()
        found = marker.read(self._disk, self.root)
        if found is None:
            self._require_share()
            marker.write(self._disk, self.root, ident)
            found = marker.read(self._disk, self.root)
        if found != ident:
            raise Barred(f"{self.root} is another place: its id is {found}")
        self._ident = ident

    def use(self) -> None:
        """Raise unless it is there and the one that it was; it must be from now on."""
        self._ident = self.require() or self._ident

    def require(self) -> str | None:
        """Return its id, if it has one; raise unless it is the one that it was."""
        return self._same(self._ident or self._read)

    def reach(self) -> None:
        """Raise unless it is there, and no other than the one that was used."""
        self._same(self._ident)

    def mounted(self) -> None:
        """Raise `Unreachable` unless there is a directory."""
        if not self.root.is_dir():
            raise Unreachable(f"{self.root} is not there: is the share mounted?")

    def _same(self, ident: str | None) -> str | None:
        self.mounted()
        if ident is None:
            return None
        found = marker.read(self._disk, self.root)
        if found is None:
            raise Unreachable(f"{self.root}: its marker is gone: is the share mounted?")
        if found != ident:
            raise Barred(f"{self.root} is another place: its id is {found}")
        return found

    def _require_share(self) -> None:
        if _beside(self.root, self._ours):
            raise Barred(
                f"{self.root} is on a disk of this machine: is the share mounted?"
                " Mount it; if an ordinary directory is meant, say `local = true`"
            )


def _beside(root: Path, ours: tuple[Path, ...]) -> bool:
    """Whether `root` is on the file system of one of `ours`, as far as those exist.

    A subvolume (btrfs) counts as a file system of its own, as stat(2) has it.
    """
    device = root.stat().st_dev
    return any(path.stat().st_dev == device for path in ours if path.exists())
