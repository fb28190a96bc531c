"""What a docking's child says to its parent, and what it hears.

The child reads the camera, writes the vault and proves; the parent owns the
database. The child waits for the answer to each message marked so, and gives
up when the pipe closes: without a parent nothing gets its name.
"""

from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.errors import DockError, NoRoom
from dock_agent.offload.root import Root
from dock_agent.recording import Ciphertext, Digest, FileId, ReadBack


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the camera's tree, as the scan saw it.

    `path` is the raw name below the camera's root; `skipped` says why it is not
    evidence ("symlink", "fifo", "hard link", …), `missed` why it cannot be read
    although it may be ("another file system", …); else they are None.
    """

    path: bytes
    size: int
    mtime_ns: int
    device: int
    inode: int
    skipped: str | None = None
    missed: str | None = None

    @property
    def readable(self) -> bool:
        """Whether it is a file to copy."""
        return self.skipped is None and self.missed is None


@dataclass(frozen=True, slots=True)
class Held:
    """A copy that an earlier docking made: where it is, and what it was.

    `digest` is of the file on the camera, `copy` of what the vault has of it.
    """

    path: Path
    digest: Digest
    copy: Digest


@dataclass(frozen=True, slots=True)
class Planned:
    """What the parent says about one listed file.

    `stored` is its name below the bag's `data/`. `held` is what an earlier
    docking of this camera has under the same path, size and time: the camera and
    that copy are read and compared, and the file is copied if either differs.
    """

    id: FileId
    path: bytes
    stored: str
    size: int
    mtime_ns: int
    device: int
    inode: int
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one copy once it was read back.

    `digest` is of the file as the camera gave it; `parts` are of what the vault has.
    """

    id: FileId
    digest: Digest
    parts: tuple[Digest, ...]  # of PART_SIZE bytes each, the last one shorter
    method: ReadBack
    counted: int  # bytes the kernel says were read from the medium
    retries: int = 0  # readings of the camera that failed before
    encrypted: Ciphertext | None = None


# ---- child to parent -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inventory:
    """The whole scan. Answered by `Plan`."""

    found: tuple[Found, ...]
    file_system: str  # "vfat", "exfat", "ext4", "fuse", …
    resolution_ns: int  # of its time stamps


@dataclass(frozen=True, slots=True)
class Proved:
    """These parts were read back and match. Answered by `Go`; then renamed."""

    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """These have their names, durably. Answered by `Go`."""

    files: tuple[FileId, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """The camera still holds what the vault already has. Answered by `Go`."""

    files: tuple[FileId, ...]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """This file was not copied, and why. Answered by `Go`."""

    id: FileId
    reason: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """The second pass read other bytes than were recorded. Answered by `Go`."""

    id: FileId
    reason: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """Files safe and bytes read so far. Not answered."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Looking:
    """The camera's entries are being listed. A sign of life; not answered."""


@dataclass(frozen=True, slots=True)
class AllCopied:
    """Every planned file is settled; the second pass begins. Answered by `Go`."""


@dataclass(frozen=True, slots=True)
class AllPassed:
    """The second pass is over. Answered by `Go`; the child then ends."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """An erase read the whole camera again, and it is as it was offloaded.

    Answered by `Go` once the intent is on record; then files are removed.
    """


@dataclass(frozen=True, slots=True)
class Removing:
    """This file goes next. Answered by `Go`, or by `Stop` if it is kept after all."""

    id: FileId


@dataclass(frozen=True, slots=True)
class Looked:
    """A fresh look after an erase: which files are gone, and which are not.

    `vanished` are gone as well, and were not removed by this erase. `reason` is what
    went wrong besides; `changed`, whether the camera is not what was offloaded, and
    may hold what is not in the vault. Answered by `Go`; the child then ends.
    """

    gone: tuple[FileId, ...]
    still: tuple[FileId, ...]
    vanished: tuple[FileId, ...]
    reason: str | None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The child cannot go on. Not answered; it ends.

    `error` is the class name in `errors.py`, `detail` the sentence.
    """

    error: str
    detail: str
    missing: int = 0  # bytes, for `NoRoom`; 0 where nobody knows


def ended(error: DockError) -> Ended:
    """Return an error as the child tells it."""
    missing = error.missing if isinstance(error, NoRoom) else 0
    return Ended(type(error).__name__, str(error), missing)


Said = (
    Inventory
    | Proved
    | Named
    | Matched
    | GivenUp
    | Doubted
    | Progressed
    | Looking
    | AllCopied
    | AllPassed
    | Agreed
    | Removing
    | Looked
    | Ended
)


# ---- parent to child -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """Where to read, and where to write: the child's whole knowledge."""

    source: Path  # the camera's root directory, mounted
    vault: Path
    bag: Path  # the docking's bag in the vault; `data/` below it
    reserve: int  # bytes of the vault to leave free
    pace: int = 0  # bytes a second to read at most; 0 for no limit
    root: Root | None = None  # what `source` was when the camera was identified
    rest: float = 0.0  # seconds from the first listing to the last, where others write
    recipients: tuple[bytes, ...] = ()  # public files to encrypt to; none: do not


@dataclass(frozen=True, slots=True)
class Expected:
    """One entry of a sealed docking: what the camera must still have.

    `digest` is of a file that is to be erased, `copy` where the vault has it, and
    `copy_digest` what it has; `skipped` says of anything else what it is, and that
    stays where it is.
    """

    id: FileId
    path: bytes
    size: int
    mtime_ns: int
    digest: Digest | None
    skipped: str | None
    copy: Path
    copy_digest: Digest | None


@dataclass(frozen=True, slots=True)
class EraseOrder:
    """What to erase from a camera, and all that it held when it was offloaded."""

    source: Path
    root: Root
    listed: tuple[Expected, ...]
    private: bool = False  # nobody but us can reach the camera's tree to write


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to `Inventory`, once it is committed."""

    files: tuple[Planned, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Go:
    """It is committed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The database could not take it: touch nothing more, and end."""

    reason: str


Heard = Plan | Go | Stop
