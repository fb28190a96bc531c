"""What one directory lists, and what is put on record for what it may lack."""

import os
import stat
from collections import Counter

from dock_agent.offload.messages import Found
from dock_agent.offload.source import mtime_of

KINDS = {
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}
# These stand for what has no name of its own in a listing.
JOURNAL, LISTING, DEVICE = b"(journal)", b"(listing)", b"(device)"
UNSEEN = "not replayed: what only the journal has is not seen"
UNSURE = "reads failed while it was listed: a directory may be cut short"
CUT_SHORT = "its file system is larger than its device: a directory may be cut short"
NAMELESS = "it is listed, but not found by its name"
HIDDEN = "its name leads to another file of its directory"
TWICE = "its name is there more than once"


def names(folder: int) -> tuple[list[tuple[bytes, int]], OSError | None]:
    """Return the sorted names in an open directory, and how often each is there.

    And what kept it from being listed to its end, if anything did.
    """
    found: Counter[bytes] = Counter()
    failure = None
    try:
        with os.scandir(folder) as entries:
            found.update(os.fsencode(entry.name) for entry in entries)
    except OSError as error:
        failure = error
    return sorted(found.items()), failure


def missed(path: bytes, facts: os.stat_result, why: str) -> Found:
    """Return an entry that may be evidence and cannot be read."""
    return _entry(path, facts, missed=why)


def skipped(path: bytes, facts: os.stat_result, kind: str) -> Found:
    """Return an entry that is no evidence, by what it is."""
    return _entry(path, facts, skipped=kind)


def _entry(
    path: bytes,
    facts: os.stat_result,
    skipped: str | None = None,
    missed: str | None = None,
) -> Found:
    time, place = mtime_of(facts), (facts.st_dev, facts.st_ino)
    return Found(path, 0, time, *place, skipped=skipped, missed=missed)
