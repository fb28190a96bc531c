"""What a bay hears, and what it asks for: plain facts. Pure."""

from dataclasses import dataclass

from dock_agent.recording import CameraId, Colour


@dataclass(frozen=True, slots=True)
class Docked:
    """Something was put in the bay; `token` tells this contact from the next."""

    token: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The camera said which one it is, and whether it can report its battery."""

    camera: CameraId
    reports_charge: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """The inventory is committed: so many files, so many bytes.

    `fresh` are the bytes that no earlier docking holds: the vault needs that room.
    """

    files: int
    size: int
    fresh: int = 0


@dataclass(frozen=True, slots=True)
class Advanced:
    """So many files are safe, so many bytes are read, since the docking began."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Copied:
    """Every file is verified or held; the second full pass begins."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The docking is sealed, and this many of its files are safe."""

    files: int


@dataclass(frozen=True, slots=True)
class ToClear:
    """The docking is sealed, so many files are safe; the camera is cleared now."""

    files: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """The erase is over; `reason` says why the camera still has its files.

    The footage is safe either way, so it holds nobody; IT reads the reason.
    """

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OutOfRoom:
    """The vault cannot take what is on the camera."""

    needed: int  # bytes that must be free in it, the reserve included


@dataclass(frozen=True, slots=True)
class ChargeRead:
    """The camera reported its battery."""

    percent: int


@dataclass(frozen=True, slots=True)
class Undocked:
    """The camera was taken out, whether or not it was time."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The camera no longer answers: it is being pulled, or its contact is bad."""

    reason: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The camera that was pulled from here is docked again, or was let go."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong that only a person can put right."""

    code: str  # what the page shows: "D-20"
    reason: str  # what IT reads


Event = (
    Docked
    | Identified
    | Listed
    | Advanced
    | Copied
    | Sealed
    | ToClear
    | Cleared
    | OutOfRoom
    | ChargeRead
    | Undocked
    | Lost
    | Returned
    | Failed
)


@dataclass(frozen=True, slots=True)
class Identify:
    """Find out which camera this is."""

    token: str


@dataclass(frozen=True, slots=True)
class Offload:
    """Copy, verify and seal everything on the camera."""

    camera: CameraId


@dataclass(frozen=True, slots=True)
class Clear:
    """Erase the camera's own copies of what is sealed."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop whatever is being done in this bay."""


@dataclass(frozen=True, slots=True)
class Show:
    """Change the light."""

    colour: Colour


Effect = Identify | Offload | Clear | Cancel | Show
