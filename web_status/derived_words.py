"""What was derived of a file, in one line for people. Pure; none of it is evidence."""

from collections.abc import Mapping
from typing import Any

STATES = {
    "empty": "it has no content",
    "broken": "its structure contradicts itself",
    "not_mp4": "it is no video of a kind that is known here",
}


def derived(facts: Mapping[str, Any]) -> str:
    """Return the facts of a video or a track as `FileLine.facts` has them."""
    if facts.get("type") == "track":
        return _track(facts)
    return _video(facts)


def _video(facts: Mapping[str, Any]) -> str:
    parts = []
    if facts["state"] == "truncated":
        lacks = f", {facts['missing']} bytes are missing" if facts["missing"] else ""
        parts.append(f"it is cut off{lacks}")
    elif facts["state"] in STATES:
        parts.append(STATES[facts["state"]])
    if facts["seconds"] is not None:
        parts.append(f"{facts['seconds']:.1f} s")
    if facts["width"] and facts["height"]:
        parts.append(f"{facts['width']} x {facts['height']} pixels")
    if facts["codec"]:
        parts.append("with sound" if facts["sound"] else "without sound")
    return ", ".join(parts) or "nothing is known of it"


def _track(facts: Mapping[str, Any]) -> str:
    if not facts["points"]:
        return "no position"
    parts = [f"{facts['points']} positions", f"{facts['metres']:.0f} m"]
    if facts["fastest"] is not None:
        parts.append(f"at most {facts['fastest'] * 3.6:.0f} km/h")
    parts += [f"{name} {count}" for name, count in sorted(facts["in_view"].items())]
    if facts["broken"]:
        parts.append("the rest cannot be read")
    return ", ".join(parts)
