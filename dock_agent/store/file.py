"""One file of one docking: what its row holds, and what is told of its encryption."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dock_agent.recording import (
    Ciphertext,
    Digest,
    DockingId,
    FileId,
    FileState,
    ReadBack,
    RecordingId,
)


@dataclass(frozen=True, slots=True)
class FileProof:
    """What was found when a copy was read back."""

    id: FileId
    sha256: Digest
    parts: tuple[Digest, ...]
    method: ReadBack
    counted: int
    retries: int = 0  # readings of the camera that failed before
    encrypted: Ciphertext | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One file of one docking, as it is now.

    `size` and `sha256` are of the file as its camera had it.
    """

    id: FileId
    docking: DockingId
    recording: RecordingId | None
    path: bytes
    stored: str
    size: int
    mtime_ns: int
    state: FileState
    sha256: Digest | None
    method: ReadBack | None
    counted: int | None
    held_by: FileId | None
    reason: str | None
    retries: int | None = None  # None: not known
    encrypted: Ciphertext | None = None

    @property
    def copy_sha256(self) -> Digest | None:
        """Return the digest of what the vault has of it."""
        return self.sha256 if self.encrypted is None else self.encrypted.sha256

    @property
    def copy_size(self) -> int:
        """Return the length of what the vault has of it."""
        return self.size if self.encrypted is None else self.encrypted.size


def encrypted(file: File) -> dict[str, Any]:
    """Return what the log and the inventory say of an encrypted file; else nothing."""
    if file.encrypted is None:
        return {}
    told = file.encrypted
    return {
        "encrypted": {
            "sha256": told.sha256,
            "size": told.size,
            "recipients": list(told.keys),
        }
    }


def told_encrypted(facts: Mapping[str, Any]) -> Ciphertext | None:
    """Read back what `encrypted` says; None where it says nothing."""
    told = facts.get("encrypted")
    if told is None:
        return None
    return Ciphertext(Digest(told["sha256"]), told["size"], tuple(told["recipients"]))


def columns(told: Ciphertext | None) -> tuple[str | int | None, ...]:
    """Return what the three columns of an encrypted copy hold."""
    return (
        (None,) * 3 if told is None else (told.sha256, told.size, " ".join(told.keys))
    )


def ciphertext(row: sqlite3.Row) -> Ciphertext | None:
    """Return what the vault has of a row's file, if it is encrypted."""
    if row["cipher_sha256"] is None:
        return None
    keys = tuple(row["cipher_keys"].split())
    return Ciphertext(row["cipher_sha256"], row["cipher_size"], keys)


def file_of(row: sqlite3.Row) -> File:
    """Return a row of the table `file`."""
    return File(
        id=FileId(row["id"]),
        docking=DockingId(row["docking"]),
        recording=row["recording"],
        path=bytes(row["path"]),
        stored=row["stored"],
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        state=FileState(row["state"]),
        sha256=row["sha256"],
        method=None if row["method"] is None else ReadBack(row["method"]),
        counted=row["counted"],
        held_by=row["held_by"],
        reason=row["reason"],
        retries=row["retries"],
        encrypted=ciphertext(row),
    )
