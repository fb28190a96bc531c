"""What a file is called in the vault: reversible, and legal everywhere.

A name keeps what every file system, BagIt, XML and S3 take as it is; each other
byte becomes `=XX`. The raw name is in the inventory, and can be had back from
the stored one unless it had to be shortened.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

from dock_agent.errors import CameraError
from dock_agent.recording import CameraId, DockingId

LONGEST = 200  # bytes in one component; some file systems stop at 255
PLAIN = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._ ()+,@-"
)
RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?|\.part-.*|ascmhl|\.ds_store",
    re.IGNORECASE,
)
PART = ".part-"  # what a copy is called before it has its name


def stored_path(raw: bytes) -> str:
    """Return the stored name of a path below the camera's root.

    Raises `CameraError` for a path that is no path below anything.
    """
    components = raw.split(b"/")
    if any(c in {b"", b".", b".."} for c in components) or b"\0" in raw:
        raise CameraError(f"the camera lists an impossible name: {raw!r}")
    return "/".join(_component(component) for component in components)


def stored_paths(raws: Sequence[bytes]) -> list[str]:
    """Return stored names for a whole inventory, no two alike on any file system.

    Names that differ only in case or in Unicode form get `~1`, `~2`, … in the
    order of the inventory.
    """
    taken: set[str] = set()
    given = []
    for raw in raws:
        plain = stored_path(raw)
        name, count = plain, 0
        while _folded(name) in taken:
            count += 1
            name = _numbered(plain, count)
        taken.add(_folded(name))
        given.append(name)
    return given


def raw_path(stored: str) -> bytes:
    """Return the raw bytes of a stored name that was neither cut nor numbered."""
    return re.sub(
        rb"=([0-9A-F]{2})",
        lambda found: bytes([int(found[1], 16)]),
        stored.encode("utf-8"),
    )


def bag_path(
    docking: DockingId, camera: CameraId, opened_at: datetime
) -> PurePosixPath:
    """Return where a docking's bag is, below the vault."""
    day = opened_at.astimezone(UTC)
    return PurePosixPath(
        "dockings", f"{day:%Y}", f"{day:%m}", f"{day:%d}", camera_name(camera), docking
    )


def camera_name(camera: CameraId) -> str:
    """Return a camera's id as one legal component."""
    return _component(camera.encode("utf-8", "surrogateescape").replace(b"/", b"_"))


def quarantine_path(docking: DockingId) -> PurePosixPath:
    """Return where what went wrong with a docking is kept."""
    return PurePosixPath("quarantine", docking)


def _component(raw: bytes) -> str:
    text = _kept(raw)
    name = text if text is not None else "".join(_byte(b) for b in raw)
    if name[0] in "-~" or RESERVED.fullmatch(name):
        name = _escape(name[0]) + name[1:]
    if name[-1] in " .":
        name = name[:-1] + _escape(name[-1])
    encoded = name.encode()
    if len(encoded) <= LONGEST:
        return name
    cut = encoded[: LONGEST - 12].decode("utf-8", "ignore")
    cut = re.sub(r"=[0-9A-F]?$", "", cut)
    return f"{cut}~{hashlib.sha256(raw).hexdigest()[:8]}"


def _kept(raw: bytes) -> str | None:
    """Return the name with its letters kept, if it is NFC text; else None."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not unicodedata.is_normalized("NFC", text):
        return None
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    letter = ord(character) > 127 and unicodedata.category(character)[0] in "LN"  # noqa: PLR2004  ASCII
    return character if letter else "".join(_byte(b) for b in character.encode())


def _byte(value: int) -> str:
    return chr(value) if value in PLAIN else f"={value:02X}"


def _escape(character: str) -> str:
    return "".join(f"={b:02X}" for b in character.encode())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _numbered(name: str, count: int) -> str:
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or "/" in ending or stem.endswith("/"):
        return f"{name}~{count}"
    return f"{stem}~{count}.{ending}"
