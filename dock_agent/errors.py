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


class ConfigUnreadable(ConfigError):
    """There is no configuration to read."""

    hint = "Name the file with --config or $DOCK_CONFIG; may this user read it?"


class NoSuchDocking(ConfigError):
    """No sealed docking has this id."""

    hint = "`dock-agent recordings --json` names the docking of each recording."


class NoSuchAlarm(ConfigError):
    """No alarm of this place waits for somebody to see it."""

    hint = "`dock-agent alarms list` names the places."


class NoSuchFile(ConfigError):
    """No file has this id."""

    hint = "`dock-agent recordings --json` names each file's id."


class NoSuchRecording(ConfigError):
    """No recording has this id."""

    hint = "`dock-agent recordings --json` names each recording's id."


class NeedsALook(ConfigError):
    """This machine is not yet what a station needs."""

    hint = "Each line marked LOOK says what it is."


class CameraError(DockError):
    """The camera could not be read."""

    exit_code = 10
    hint = "Dock it again; if it happens twice, tell IT which camera it is."


class CameraGone(CameraError):
    """The camera left its bay before the offload finished."""

    exit_code = 11
    hint = "Dock it again. Nothing on the camera was changed; the offload resumes."


class CardDamaged(CameraError):
    """The file system on the camera's card is damaged."""

    hint = (
        "Nothing is repaired on it. `dock-agent bays image` keeps an image of the"
        " whole card; then copy what a person can get of it."
    )


class NotChosen(CameraError):
    """Of a camera's volumes it is not known which holds the footage."""

    hint = "A person must say: its model's profile names the volume (docs/cameras.md)."


class NoSuchDirectory(CameraGone):
    """There is no such directory."""

    hint = "Is the card mounted? Name the directory that holds its files."


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


class NoDatabase(StoreError):
    """The station's database is not there."""

    hint = "The agent makes it when it first starts; is [store] path the right one?"


class StoreOutOfReach(StoreError):
    """The station's database cannot be opened, or not be written."""

    hint = "Is its disk there, and may this user read and write it and its directory?"


class StoreLocked(StoreError):
    """Another program holds the station's database."""

    hint = "Close the other program (a shell or a backup, perhaps) and try again."


class LeaseLost(StoreError):
    """Another worker has taken over what this one was sending."""

    hint = "Is a second `dock-agent sync` running? One is enough; nothing is lost."


class StoreFull(StoreError):
    """The station's database has no room to grow."""

    hint = "Free some room where the database is. What was offloaded is in the vault."


class StoreDamaged(StoreError):
    """The station's database is damaged."""

    hint = (
        "Keep the file and stop the agent."
        " The evidence itself is in the vault, not in the database."
    )


class VaultUnusable(DockError):
    """The vault is missing or cannot be written."""

    exit_code = 32
    hint = "Is the disk mounted, and writable for the station's user?"


class VaultUnread(VaultUnusable):
    """A file of the vault could not be read."""

    hint = "Look at the vault's disk: the system's log says what is wrong with it."


class AlreadyRunning(DockError):
    """Another agent works on this vault."""

    exit_code = 33
    hint = "One vault has one agent. Stop the other one first."


class SyncError(DockError):
    """Something still has to reach a destination."""

    exit_code = 40
    hint = "It is tried again by itself; `dock-agent status` says when."


class HeldBack(SyncError):
    """Whatever still has to reach a destination is held back by a person."""

    hint = (
        "`dock-agent destinations resume NAME` or `dock-agent transfers resume ID`"
        " lets it go; `dock-agent transfers list --state paused` names the ids."
    )


class LeftOut(SyncError):
    """Something waits for a destination that the configuration no longer names."""

    hint = (
        "Put it back into the configuration, and start `dock-agent sync` again;"
        " or give it up: `dock-agent destinations withdraw NAME --by WHO --why REASON`."
    )


class Unreachable(SyncError):
    """The destination could not be reached; it is tried again."""

    exit_code = 41
    hint = "Check the link with `dock-agent destinations test`."


class Portal(Unreachable):
    """Somebody else's page came back: a captive portal, most likely."""

    hint = "Sign in to the network, or ask for the station to be let through."


class Busy(Unreachable):
    """The destination is busy; it is tried again."""

    def __init__(self, message: str = "", wait_s: float | None = None) -> None:
        """`wait_s` is how many seconds it asks for, if it says so."""
        super().__init__(message)
        self.wait_s = wait_s


class Full(Unreachable):
    """The destination has no room, or takes no more for now."""

    hint = "Make room there; what is here waits for it."


class NotTaken(SyncError):
    """The destination did not take an object this time; it is tried again."""


class Barred(SyncError):
    """The destination will not have this station."""

    exit_code = 42
    hint = "Mend the key, the bucket or the place: then it goes on by itself."


class Refused(SyncError):
    """The destination will never take this as it stands."""

    exit_code = 42
    hint = "A person must look: the destination's own answer is above."


class NotAllowed(DockError):
    """This may not be done by this user, or not now."""

    exit_code = 50


class NotReleased(NotAllowed):
    """A camera's own copies may not be erased."""

    hint = "The footage is safe in the vault; the camera keeps its own copy."


class StillConfigured(NotAllowed):
    """A destination of the configuration has nothing withdrawn."""

    hint = "Take it out of the configuration, and start `dock-agent sync` again."


class NowhereElse(NotAllowed):
    """What would be withdrawn is confirmed at no other destination."""

    hint = (
        "Send it to another one first; or say --although-nowhere-else."
        " The vault keeps it either way."
    )


def every_error(root: type[DockError] = DockError) -> Iterator[type[DockError]]:
    """Yield the tree, parents first: the table of exit codes is made from it."""
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)
