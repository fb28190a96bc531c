"""Every error the station raises on purpose, and the exit code of each.

The docstring of a class is the sentence its operator reads; `hint` says what to
do. Temporary or permanent is in the type: `Unreachable` is tried again,
`Refused` goes to a person.
"""

from collections.abc import Iterator
from typing import ClassVar


class DockError(Exception):
    """Something the station knows how to name went wrong."""

    exit_code: ClassVar[int] = 1
    hint: ClassVar[str] = ""


class ConfigError(DockError):
    """The configuration or the command line is wrong."""

    exit_code = 2
    hint = "Run `dock-agent check-config` for the whole picture."


class CameraError(DockError):
    """The camera could not be read."""

    exit_code = 10
    hint = "Dock it again; if it happens twice, tell IT which camera it is."


class CameraGone(CameraError):
    """The camera left its bay before the offload finished."""

    exit_code = 11
    hint = "Dock it again. Nothing on the camera was changed; the offload resumes."


class SourceChanged(CameraError):
    """A file on the camera changed while it was being copied."""

    hint = "Nothing of it was kept. It is copied again at the next docking."


class FixityError(DockError):
    """A copy does not match what was read from the camera."""

    exit_code = 20
    hint = "The camera was not released. Run `dock-agent verify` and check the disk."


class CustodyError(DockError):
    """The custody log does not prove what it should."""

    exit_code = 21
    hint = "Keep the vault and the database as they are, and call whoever audits them."


class NoRoom(DockError):
    """The vault has no room for what is on the camera."""

    exit_code = 30
    hint = "Leave the footage on the camera; free or add space, then dock it again."

    def __init__(self, message: str = "", missing: int = 0) -> None:
        """`missing` is how many bytes too few there are, if that is known."""
        super().__init__(message)
        self.missing = missing


class StoreError(DockError):
    """The station's database could not be used."""

    exit_code = 31
    hint = "The evidence itself is in the vault, not in the database."


class StoreLocked(StoreError):
    """Another program holds the station's database."""

    hint = "Close the other program (a shell or a backup, perhaps) and try again."


class StoreFull(StoreError):
    """The station's database has no room to grow."""

    hint = "Free some room where the database is. What was offloaded is in the vault."


class StoreDamaged(StoreError):
    """The station's database is damaged."""

    hint = "Keep the file, stop the agent; the database can be rebuilt from the vault."


class VaultUnusable(DockError):
    """The vault is missing or cannot be written."""

    exit_code = 32
    hint = "Is the disk mounted, and writable for the station's user?"


class AlreadyRunning(DockError):
    """Another agent works on this vault."""

    exit_code = 33
    hint = "One vault has one agent. Stop the other one first."


class SyncError(DockError):
    """Something still has to reach a destination."""

    exit_code = 40
    hint = "It is tried again by itself; `dock-agent status` says when."


class Unreachable(SyncError):
    """The destination could not be reached; it is tried again."""

    exit_code = 41
    hint = "Check the link with `dock-agent destinations test`."


class Refused(SyncError):
    """The destination will never take this as it stands."""

    exit_code = 42
    hint = "A person must look: the destination's own answer is above."


class NotAllowed(DockError):
    """This may not be done by this user, or not now."""

    exit_code = 50


def every_error(root: type[DockError] = DockError) -> Iterator[type[DockError]]:
    """Yield the tree, parents first: the table of exit codes is made from it."""
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)
