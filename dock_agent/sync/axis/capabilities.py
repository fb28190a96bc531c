"""What an Axis content destination says it supports (README, "Capability API").

A list that is missing, damaged or not as the API has it supports nothing.
"""

import hashlib

import msgspec

SYSTEM_ID = "StoreReadSystemID"
USER_KEY = "StoreUserIDKey"
BOOKMARKS = "StoreBookmarks"
REJECTED = "StoreRejectedContent"
NOTHING: frozenset[str] = frozenset()
EVERYTHING = frozenset(
    {
        "ReadCategories",
        SYSTEM_ID,
        USER_KEY,
        BOOKMARKS,
        "StoreSignedVideo",
        "StoreGNSSTrackRecording",
        REJECTED,
    }
)
GROUPS = {"Read": "Read", "Store": "Store", "StoreAndRead": "StoreRead"}


def supported(body: bytes, etag: str) -> frozenset[str]:
    """Return what `System/Capabilities.json` says; nothing if it is not sound.

    Its ETag must be the MD5 of its bytes. A capability counts in its own group.
    """
    if plain(etag) != hashlib.md5(body, usedforsecurity=False).hexdigest():
        return NOTHING
    try:
        groups = msgspec.json.decode(body, type=dict[str, dict[str, bool]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return NOTHING
    return frozenset(
        name
        for group, listed in groups.items()
        for name, on in listed.items()
        if on and name in EVERYTHING and _group(name) == group
    )


def plain(etag: str) -> str:
    """Return an ETag without its quotes, in lower case."""
    return etag.strip().removeprefix("W/").strip('"').lower()


def _group(name: str) -> str:
    starts = {prefix: group for group, prefix in GROUPS.items()}
    longest = max((p for p in starts if name.startswith(p)), key=len)
    return starts[longest]
