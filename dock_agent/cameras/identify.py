"""Which camera is this? Every answer that was given is kept as evidence.

An unknown camera is not refused: its footage is as good as any.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dock_agent.bays.detector import Sighting
from dock_agent.cameras.profile import GENERIC, Profile, find
from dock_agent.recording import CameraId

SERIAL_KEYS = ("serial", "fs_uuid")  # in this order; serials may be absent or shared


@dataclass(frozen=True, slots=True)
class Identity:
    """The camera, the profile it is read by, and what that rests on."""

    camera: CameraId
    profile: Profile
    evidence: Mapping[str, str]


def identify(sighting: Sighting, profiles: Sequence[Profile]) -> Identity:
    """Return which camera was sighted."""
    if "folder" in sighting.facts:
        return _from_folder(sighting, profiles)
    profile = by_facts(sighting.facts, profiles)
    for key in SERIAL_KEYS:
        if sighting.facts.get(key):
            return _identity(sighting, profile, sighting.facts[key], key)
    return _identity(sighting, profile, _unknown(sighting), "contact")


def camera_id(text: str, profiles: Sequence[Profile]) -> tuple[CameraId, Profile]:
    """Read `MODEL:SERIAL` (or `MODEL_SERIAL`), as a person writes it."""
    mark = ":" if ":" in text else "_"
    model, _, serial = text.partition(mark)
    profile = find(profiles, model)
    if not model or not serial or (profile.name == GENERIC.name and mark == "_"):
        return CameraId(f"{GENERIC.name}:{_safe(text)}"), GENERIC
    if profile.name == GENERIC.name:
        return CameraId(f"{_safe(model)}:{_safe(serial)}"), profile
    return CameraId(f"{profile.name}:{_safe(serial)}"), profile


def _from_folder(sighting: Sighting, profiles: Sequence[Profile]) -> Identity:
    camera, profile = camera_id(sighting.facts["folder"], profiles)
    evidence = dict(sighting.facts) | {"identified_by": "folder"}
    return Identity(camera, profile, evidence)


def by_facts(facts: Mapping[str, str], profiles: Sequence[Profile]) -> Profile:
    """Return the profile of a model by what was seen: its USB ids, then its label."""
    usb = f"{facts.get('vendor_id', '')}:{facts.get('product_id', '')}"
    label = facts.get("fs_label", "")
    for profile in profiles:
        if usb in profile.usb:
            return profile
    for profile in profiles:
        if label and any(fnmatchcase(label, glob) for glob in profile.labels):
            return profile
    return GENERIC


def _identity(sighting: Sighting, profile: Profile, serial: str, by: str) -> Identity:
    camera = CameraId(f"{profile.name}:{_safe(serial)}")
    return Identity(camera, profile, dict(sighting.facts) | {"identified_by": by})


def _unknown(sighting: Sighting) -> str:
    return "unknown-" + hashlib.sha256(sighting.token.encode()).hexdigest()[:8]


def _safe(text: str) -> str:
    """Return a serial that every name and page can carry; the raw one is evidence."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:64]
    if plain == text:
        return plain
    return f"{plain[:48]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
