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
    r"(?:con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\..*)?"
    r"|\.part-.*|ascmhl|\.ds_store",
    re.IGNORECASE,
)
MARKER = "dock-agent.vault"  # the file in a vault's root that says which one it is
PART = ".part-"  # what a copy is called before it has its name


def stored_path(raw: bytes) -> str:
    """Return the stored name of a path below the camera's root.

    Raises `CameraError` for a path that is no path below anything.
    """
    return "/".join(_component(component) for component in _components(raw))


def stored_paths(raws: Sequence[bytes]) -> list[str]:
    """Return stored names for a whole inventory, no two alike on any file system.

    Where names in one directory differ only in case or in Unicode form, the
    later ones in the inventory's order get `~1`, `~2`, …; what lies below a
    directory that got one has it in its path. Raises as `stored_path`.
    """
    folders: dict[bytes, str] = {b"": ""}
    taken: dict[str, int] = {}

    def below(raw: bytes) -> str:
        if raw not in folders:
            above, _, name = raw.rpartition(b"/")
            folders[raw] = _free(below(above), name, taken) + "/"
        return folders[raw]

    given = []
    for raw in raws:
        *above, name = _components(raw)
        given.append(_free(below(b"/".join(above)), name, taken))
    return given


def _components(raw: bytes) -> list[bytes]:
    found = raw.split(b"/")
    if any(c in {b"", b".", b".."} for c in found) or b"\0" in raw:
        raise CameraError(f"the camera lists an impossible name: {raw!r}")
    return found


def _free(folder: str, raw: bytes, taken: dict[str, int]) -> str:
    """Return a name that is not taken; `taken` counts those that were alike."""
    plain = _component(raw)
    first = _folded(folder + plain)
    name = plain
    while _folded(folder + name) in taken:
        taken[first] += 1
        name = _numbered(plain, taken[first])
    taken[_folded(folder + name)] = 0
    return folder + name


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
    return _component(camera.encode("utf-8", "surrogateescape"))


def quarantine_path(docking: DockingId) -> PurePosixPath:
    """Return where what went wrong with a docking is kept."""
    return PurePosixPath("quarantine", docking)


def image_path(ident: str) -> PurePosixPath:
    """Return the directory of the image of a whole card."""
    return PurePosixPath("quarantine", "images", ident)


def _component(raw: bytes) -> str:
    text = _kept(raw)
    name = text if text is not None else "".join(_byte(b) for b in raw)
    if name[0] in "-~" or RESERVED.fullmatch(name):
        name = _escape(name[0]) + name[1:]
    if name[-1] in " .":
        name = name[:-1] + _escape(name[-1])
    if len(name.encode()) <= LONGEST:
        return name
    return f"{_cut(name, LONGEST - 12)}~{hashlib.sha256(raw).hexdigest()[:8]}"


def _cut(name: str, longest: int) -> str:
    """Shorten to `longest` bytes, splitting no character and no escape."""
    short = name.encode()[:longest].decode("utf-8", "ignore")
    return re.sub(r"=[0-9A-F]?$", "", short)


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
    if not stem or len(ending) > LONGEST // 2:
        stem, dot, ending = name, "", ""
    tail = f"~{count}{dot}{ending}"
    return _cut(stem, LONGEST - len(tail.encode())) + tail
