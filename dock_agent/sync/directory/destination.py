"""A directory as a destination: a NAS share that is mounted here.

A copy is written beside its name, flushed, and only then renamed; it is confirmed
once it was read back past our page cache. What a network file system's server keeps
in its own memory cannot be seen from here. A file in the root says which place this
is: while the share is not mounted it is not there, and nothing is written.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dock_agent.clock import Clock, SystemClock, stamp
from dock_agent.config import Config
from dock_agent.config_tables import Destination as Table
from dock_agent.errors import (
    Barred,
    ConfigError,
    FixityError,
    Full,
    NotTaken,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import Digest, Proof, ReadBack
from dock_agent.sync.content import FileContent, unkept
from dock_agent.sync.destination import (
    NOTHING_KNOWN,
    Capabilities,
    Confirmation,
    Look,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.directory import marker, parts
from dock_agent.sync.directory.place import Place
from dock_agent.sync.directory.share import ShareDisk
from dock_agent.vault.disk import Disk, Reread
from dock_agent.vault.layout import PART

PROBE = bytes(range(256)) * 32
MEANS: dict[int, type[SyncError]] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), Full),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR), Barred),
    **dict.fromkeys((errno.EIO, errno.EUCLEAN, errno.EBADMSG), Unreachable),
    **dict.fromkeys((errno.ESTALE, errno.ENOTCONN, errno.ENODEV), Unreachable),
    **dict.fromkeys((errno.EHOSTDOWN, errno.EHOSTUNREACH), Unreachable),
    **dict.fromkeys((errno.ETIMEDOUT, errno.ENETUNREACH), Unreachable),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.EILSEQ, errno.EFBIG), Refused),
}
OURS = (Path("/"),)
NO_FILE = {errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOENT}  # a link, a socket, …


class Directory:
    """Meets `destination.Destination`. `root` must be there: it is the mount.

    `least` is the least proof that the configuration asks for. A share whose copies
    come from our own page cache however they are read proves nothing of what is
    there: it is `Barred`, unless `CACHED` is asked for. Where only one file is in
    the cache, that one is `NotTaken`.

    Unless `local` says that an ordinary directory of this machine is meant, a first
    marker is written only where a file system of its own is mounted.
    """

    def __init__(
        self,
        root: Path,
        disk: Disk,
        least: Proof = Proof.READ_BACK,
        clock: Clock | None = None,
        *,
        local: bool = False,
    ) -> None:
        self._root, self._disk, self._least = root, disk, least
        self._clock = clock or SystemClock()
        self._local = local
        self._place = Place(root, disk, () if local else OURS)
        self._known = NOTHING_KNOWN

    def keep_apart(self, vault: Path) -> None:
        """Write no first marker on the vault's file system, unless `local` is meant."""
        if not self._local:
            self._place = Place(self._root, self._disk, (*OURS, vault))

    @property
    def capabilities(self) -> Capabilities:
        return self._known

    def close(self) -> None:
        """Nothing is left open."""

    def probe(self) -> None:
        """Until it was used, it may be another place than before: its marker tells."""
        with self._translated():
            self._place.reach()

    def check(self) -> str:
        with self._translated():
            self._place.require()
            proof = self._proof_of_place()
        at = stamp(self._clock.now().utc)
        self._known = Capabilities(objects=False, parts=False, locks=False, asked_at=at)
        if proof is Proof.READ_BACK:
            return "writable; every copy is read back"
        return "writable; a copy is read back, but from this machine's own memory"

    def marker(self) -> str | None:
        with self._translated():
            return self._place.marker()

    def mark(self, ident: str) -> None:
        with self._translated():
            self._place.mark(ident)

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        del done, remember  # a copy that was cut is begun anew: nothing is kept
        with self._translated():
            self._place.use()
            target = self._root / item.key
            if self._size(target) is None:
                self._copy(item, target)
            else:
                self._require_ours(item, target)
        return Progress(sent=item.size)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        del done, sent  # nobody but us hashes anything there: all is read again
        target = self._root / item.key
        with self._translated():
            self._place.require()
            if self._size(target) is None:
                return None
            self._make_lasting(target)
            found = self._read_back(item, target)
            if found is not None and item.keep is not unkept:
                self._keep(item, target)
            if found is None or found.digest != item.digest:
                return None
            proof = self._proof(item, found)
        return Confirmation(proof, item.digest)

    @staticmethod
    def _keep(item: Object, target: Path) -> None:
        at = 0
        for piece in FileContent(target).blocks(0, item.size):
            item.moved(len(piece))
            item.keep(at, piece)
            at += len(piece)

    def look(self, item: Object, done: Progress) -> Look | None:
        del done
        target = self._root / item.key
        with self._translated():
            self._place.require()
            size = self._size(target)
        return None if size is None else Look(size)

    def _proof(self, item: Object, found: Reread) -> Proof:
        """Return what a read-back proves; raise where that is too little."""
        if found.method is not ReadBack.CACHED:
            return Proof.READ_BACK
        if self._least is Proof.CACHED:
            return Proof.CACHED
        self._proof_of_place()  # raises if it is no better for any file
        raise NotTaken(f"{item.key} could only be read from this machine's memory")

    def _proof_of_place(self) -> Proof:
        """Return what a read-back proves here; `Barred` where that is too little."""
        if self._tried() is not ReadBack.CACHED:
            return Proof.READ_BACK
        if self._least is not Proof.CACHED:
            raise Barred(
                f"{self._root}: copies are read back from this machine's own memory,"
                " which proves nothing of what is there. Mount the share itself (nfs,"
                " cifs), without a cache on this machine; or accept in writing that"
                ' confirmed means less: `cached = "accept"`'
            )
        return Proof.CACHED

    def _require_ours(self, item: Object, target: Path) -> None:
        found = self._read_back(item, target)
        if found is not None and found.digest == item.digest:
            return
        self._place.require()
        if self._size(target) is None:
            raise NotTaken(f"{item.key} was there a moment ago")
        raise Refused(f"another file is already called {item.key}")

    def _size(self, path: Path) -> int | None:
        """Return how long a file is; None only if there is none of that name.

        Whether a name "exists" is not asked for: a share in trouble says no to that.
        """
        try:
            return self._disk.size(path)
        except FileNotFoundError:
            return None

    def _read_back(self, item: Object, target: Path) -> Reread | None:
        """Read a file again; None if it is not one of that size."""
        try:
            if self._size(target) != item.size:
                return None
            return self._disk.reread(target, item.moved)
        except OSError as error:
            if error.errno in NO_FILE:
                return None
            raise

    def _copy(self, item: Object, target: Path) -> None:
        now = self._clock.now().utc
        part = parts.new(target, now)
        self._disk.make_directory(target.parent)
        parts.remove_abandoned(self._disk, target.parent, now)
        try:
            self._write(item, part)
            # Unmounted meanwhile: what was written went elsewhere.
            self._place.require()
            self._name(part, target, item.key)
            parts.remove_all(self._disk, target)
        finally:
            marker.remove(self._disk, part)

    def _name(self, part: Path, target: Path, key: str) -> None:
        try:
            self._disk.rename(part, target)
        except FileExistsError as error:
            raise Refused(f"another file is already called {key}") from error

    def _write(self, item: Object, part: Path) -> None:
        whole, offset = hashlib.sha256(), 0
        begun = item.about.start or item.about.opened_at
        writer = self._disk.create(part, item.size)
        try:
            for block in item.content.blocks(0, item.size):
                item.moved(len(block))
                whole.update(block)
                writer.write(memoryview(block), offset)
                offset += len(block)
            if Digest(whole.hexdigest()) != item.digest:
                raise FixityError(f"our copy of {item.key} is no longer what it was")
            writer.finish(item.size, int(begun.timestamp()) * 10**9)
            writer.sync()
        finally:
            writer.close()

    def _make_lasting(self, target: Path) -> None:
        """Flush a name and the directories above it: `send` leaves that to `confirm`.

        So it is done for a name that was found there, too, whoever gave it.
        """
        self._disk.make_directory(target.parent)
        self._disk.sync_directory(target.parent)

    def _tried(self) -> ReadBack:
        """Write a block, read it back, remove it; return how it was read."""
        probe = self._root / f"{PART}probe-{secrets.token_hex(4)}"
        try:
            marker.put(self._disk, probe, PROBE)
            found = self._disk.reread(probe)
        finally:
            marker.remove(self._disk, probe)
        if found.digest != hashlib.sha256(PROBE).hexdigest():
            raise Barred(f"{self._root}: what is read back is not what was written")
        return found.method

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            means = MEANS.get(error.errno or 0, NotTaken)
            if error.errno == errno.ENOENT and not os.path.isdir(self._root):  # noqa: PTH112  raises nothing
                means = Unreachable
            raise means(f"{self._root}: {error.strerror}") from error


def open_directory(whole: Config, table: Table, clock: Clock) -> Directory:
    """Return the destination of a table of the configuration; nothing is looked for.

    Raises `ConfigError` where the table names no path.
    """
    if table.path is None:
        raise ConfigError(f"destination {table.name} has no path")
    least = Proof.CACHED if table.cached == "accept" else Proof.READ_BACK
    root = whole.resolve(table.path)
    made = Directory(root, ShareDisk(), least, clock, local=table.local)
    made.keep_apart(whole.vault_path)
    return made
