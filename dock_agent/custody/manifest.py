"""The texts of a docking's bag (BagIt 1.0, RFC 8493), from plain facts. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dock_agent.custody.chain import canonical
from dock_agent.recording import Digest

BAGIT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE = "tagmanifest.sig"
TAGS = frozenset(  # what the tag manifest lists
    {
        "bagit.txt",
        "bag-info.txt",
        "custody.jsonl",
        "inventory.jsonl",
        MANIFEST,
        "station-key.pem",
    }
)
OWN = TAGS | {TAG_MANIFEST, SIGNATURE}  # every file of a bag outside data/
KEY_LABEL = "Dock-Signing-Key"
LINE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Payload:
    """One file below `data/`."""

    stored: str
    size: int
    sha256: Digest


@dataclass(frozen=True, slots=True)
class About:
    """What bag-info.txt says of a docking."""

    docking: str
    station: str
    camera: str
    bay: str
    opened_at: datetime
    sealed_at: datetime
    complete: bool
    key: str
    agent: str


def manifest(payload: Sequence[Payload]) -> str:
    """Return manifest-sha256.txt: one digest and name a line, sorted by name."""
    lines = sorted(f"data/{p.stored}\0{p.sha256}" for p in payload)
    pairs = (line.split("\0") for line in lines)
    return "".join(f"{sha256}  {name}\n" for name, sha256 in pairs)


def bag_info(about: About, payload: Sequence[Payload]) -> str:
    """Return bag-info.txt; our own labels begin with `Dock-`."""
    told = {
        "Bag-Software-Agent": about.agent,
        "Bagging-Date": f"{about.sealed_at:%Y-%m-%d}",
        "External-Identifier": about.docking,
        "Payload-Oxum": oxum([p.size for p in payload]),
        "Dock-Station": about.station,
        "Dock-Camera": about.camera,
        "Dock-Bay": about.bay,
        "Dock-Opened": about.opened_at.isoformat(),
        "Dock-Sealed": about.sealed_at.isoformat(),
        "Dock-Complete": "true" if about.complete else "false",
        KEY_LABEL: about.key,
    }
    return "".join(f"{label}: {_one_line(text)}\n" for label, text in told.items())


def oxum(sizes: Sequence[int]) -> str:
    """Return the payload's bytes, a dot, and how many files (RFC 8493, 2.2.2)."""
    return f"{sum(sizes)}.{len(sizes)}"


def inventory(lines: Sequence[Mapping[str, object]]) -> str:
    """Return inventory.jsonl: one canonical line for each entry of the camera."""
    return "".join(canonical(dict(line)) + "\n" for line in lines)


def tag_manifest(files: Mapping[str, bytes]) -> str:
    """Return tagmanifest-sha256.txt for the tag files that are given."""
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(files.items())
    )


def parse(text: str) -> dict[str, Digest]:
    """Read a manifest back: name to digest. Raises `ValueError` if it is not ours."""
    found: dict[str, Digest] = {}
    *lines, rest = text.split("\n")
    for line in lines:
        told = LINE.fullmatch(line)
        if told is None or told["name"] in found:
            raise ValueError(f"not a manifest line: {line!r}")
        found[told["name"]] = Digest(told["sha256"])
    if rest:
        raise ValueError(f"cut off: {rest!r}")
    return found


def labels(text: str) -> dict[str, str]:
    """Read bag-info.txt back. Raises `ValueError` if it is not ours."""
    found: dict[str, str] = {}
    *lines, rest = text.split("\n")
    for line in lines:
        label, colon, value = line.partition(": ")
        if not colon or label in found:
            raise ValueError(f"not a label: {line!r}")
        found[label] = value
    if rest:
        raise ValueError(f"cut off: {rest!r}")
    return found


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
