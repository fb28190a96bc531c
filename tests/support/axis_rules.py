"""What the published API says of names and metadata, as a strict server holds it.

README of the API, v1.6.13: "Clip metadata details", "Rejected content storage", "Error
response descriptions". Each function returns why something is answered 400, or None.
What the API has no rule for is left alone, as a standard Swift does.
"""

import re
from collections.abc import Container
from datetime import UTC, datetime

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MOMENT = r"\d{8}T\d{6}Z"
RECORDING = re.compile(rf"({UUID})_([^_]+)_({MOMENT})")
REJECTED = re.compile(rf"RejectedContent_({MOMENT}|UnknownTime)_{UUID}")
CLIP = re.compile(r"\d{8}_\d{6}_[^_]+\.(mkv|mp4)")
BOOKMARK = re.compile(rf"bookmark_{MOMENT}_[^_]+")
BOOKMARK_KEYS = {
    "categoryid",
    "categoryname",
    "tags",
    "starttime",
    "endtime",
    "location",
}
ORIGINAL = "rejectedcontentoriginalcontainer"
REJECTED_KEYS = {"containername", ORIGINAL, "rejectedcontenttime"}
STATES = {"Transferring", "Complete"}
PAIRS = ("starttime", "stoptime", "triggerontime")


def container(name: str, told: dict[str, str], known: Container[str]) -> str | None:
    """Judge a container's metadata. `known` are users and devices, by their paths."""
    if name.startswith("RejectedContent"):
        return _rejected(name, told)
    if told.get("status", "Complete") not in STATES:
        return f"no such status: {told['status']}"
    if told.get("containername", name) != name:
        return f"{name} is told to be another"
    return _unknown(name, known) or _times(told)


def thing(path: str, told: dict[str, str]) -> str | None:
    """Judge an object's name and metadata."""
    container, _, name = path.partition("/")
    if REJECTED.fullmatch(container):
        ours = name.startswith("about_")
        return None if ours or ORIGINAL in told else f"{name}: from where?"
    if name.startswith("bookmark"):
        sound = BOOKMARK.fullmatch(name) and "starttime" in told
        keys = told.keys() <= BOOKMARK_KEYS
        return None if sound and keys else f"{name} is no bookmark of the API"
    clip = CLIP.fullmatch(name)
    if clip and told.get("containertype") != clip[1]:
        return f"{name} is no {told.get('containertype')}"
    return _times(told) if clip else None


def _unknown(name: str, known: Container[str]) -> str | None:
    recording = RECORDING.fullmatch(name)
    if recording is None:
        return None
    for path in (f"Users/{recording[1]}", f"Devices/{recording[2]}"):
        if path not in known:
            return f"{path} does not exist"
    return None


def _rejected(name: str, told: dict[str, str]) -> str | None:
    if not REJECTED.fullmatch(name):
        return f"{name} is no name of rejected content"
    if "status" in told:
        return "rejected content has no status"
    missing = REJECTED_KEYS - told.keys() if told else set()
    return f"rejected content without {missing}" if missing else None


def _times(told: dict[str, str]) -> str | None:
    for key in PAIRS:
        if key in told and told.get(f"{key}iso") != _iso(told[key]):
            return f"{key} is told in two ways: {told[key]}"
    begin, end = told.get("starttime"), told.get("stoptime")
    if begin and end and int(begin) >= int(end):
        return "it has no duration"
    return None


def _iso(epoch: str) -> str:
    moment = datetime.fromtimestamp(int(epoch), UTC)
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}Z"
