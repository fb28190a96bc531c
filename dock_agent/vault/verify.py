"""Check a sealed docking against itself, its signature, and the store.

Independent tools check the same bag (`sha256sum -c`, `bagit.py --validate`);
this also notices what they let pass: a directory, a link or a file that nobody
listed, an inventory that says something else, a custody line that was cut out.
"""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dock_agent.custody import chain, manifest
from dock_agent.custody.manifest import OWN, TAGS
from dock_agent.custody.signing import PublicKey
from dock_agent.errors import CustodyError
from dock_agent.recording import Digest, DockingId, FileState
from dock_agent.vault.bag import HELD
from dock_agent.vault.disk import Disk

SETTLED = {FileState.VERIFIED, FileState.HELD, FileState.SKIPPED}
LANES = 2  # files that are read at a time
HELD_LIST = f"data/{HELD}"


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong, and with what: a file of the bag, or the bag itself."""

    id: str
    reason: str


@dataclass(slots=True)
class Result:
    """What a check found. `checked` counts files whose bytes were read."""

    checked: int = 0
    ok: int = 0
    failed: list[Failure] = field(default_factory=list)

    def fail(self, ident: str, reason: str) -> None:
        self.failed.append(Failure(ident, reason))


def verify_bag(
    disk: Disk,
    bag: Path,
    docking: DockingId,
    key: PublicKey,
    gone: Collection[str] = frozenset(),
) -> Result:
    """Check one sealed bag by itself. Says what is wrong; raises nothing.

    `gone` are stored names of copies that expired: they need not be there.
    """
    check = _Check(disk, bag, docking, key)
    check.gone = frozenset(f"data/{name}" for name in gone)
    try:
        check.run()
    except OSError as error:
        check.result.fail(docking, f"cannot be read: {error.strerror}")
    return check.result


def digests(disk: Disk, paths: Sequence[Path]) -> Iterator[Digest | OSError]:
    """Yield the digest of each file, read from the medium, or why there is none.

    Some are read at a time: while one is hashed the disk brings another.
    """

    def digest(path: Path) -> Digest | OSError:
        try:
            return disk.reread(path).digest
        except OSError as error:
            return error

    with ThreadPoolExecutor(LANES) as pool:
        yield from pool.map(digest, paths)


class _Check:
    """One bag by itself. `result` tells what was found so far."""

    gone: frozenset[str] = frozenset()  # what expired

    def __init__(
        self, disk: Disk, bag: Path, docking: DockingId, key: PublicKey
    ) -> None:
        self._disk, self._bag, self._docking, self._key = disk, bag, docking, key
        self.result = Result()

    def run(self) -> None:
        """Raises `OSError` where directories cannot be listed."""
        odd = {self._name(path) for path in self._disk.oddities(self._bag)}
        for name in sorted(odd):
            self.result.fail(name, "is neither a file nor a directory")
        there = {self._name(path) for path in self._disk.listing(self._bag)} - odd
        tags = {
            n: text for n in sorted(OWN) if (text := self._text(n, odd)) is not None
        }
        if tags.keys() != OWN:
            return
        self._signature(tags)
        payload = self._parsed(tags, manifest.MANIFEST)
        self._payload(payload, there)
        for name in sorted(there - payload.keys() - OWN):
            self.result.fail(name, "is not in the manifest")
        entries = self._entries(tags["inventory.jsonl"])
        self._inventory(entries, payload, there)
        self._directories(payload, entries)
        self._info(tags, entries, [n for n in payload if n in there])
        self._custody(tags["custody.jsonl"])

    def _name(self, path: Path) -> str:
        return os.fsencode(path.relative_to(self._bag)).decode(
            "utf-8", "backslashreplace"
        )

    def _text(self, name: str, odd: set[str]) -> bytes | None:
        if name in odd:
            return None
        try:
            return self._disk.read(self._bag / name)
        except OSError as error:
            self.result.fail(name, f"cannot be read: {error.strerror}")
            return None

    def _signature(self, tags: Mapping[str, bytes]) -> None:
        try:
            self._key.verify(tags[manifest.SIGNATURE], tags[manifest.TAG_MANIFEST])
        except CustodyError as error:
            self.result.fail(manifest.SIGNATURE, str(error))
        listed = self._parsed(tags, manifest.TAG_MANIFEST)
        if listed.keys() != TAGS:
            self.result.fail(manifest.TAG_MANIFEST, "lists other files than it should")
        for name in sorted(TAGS & listed.keys()):
            if hashlib.sha256(tags[name]).hexdigest() != listed[name]:
                self.result.fail(name, "is not what was signed")

    def _parsed(self, tags: Mapping[str, bytes], name: str) -> dict[str, Digest]:
        try:
            return manifest.parse(tags[name].decode())
        except ValueError as error:
            self.result.fail(name, str(error))
            return {}

    def _payload(self, payload: Mapping[str, Digest], there: set[str]) -> None:
        for name in sorted(payload.keys() - there - set(self.gone)):
            self.result.fail(name, "is missing")
        read = [name for name in payload if name in there]
        paths = [self._bag / name for name in read]
        for name, found in zip(read, digests(self._disk, paths), strict=True):
            digest = payload[name]
            self.result.checked += 1
            if isinstance(found, OSError):
                self.result.fail(name, f"cannot be read: {found.strerror}")
            elif found == digest:
                self.result.ok += 1
            else:
                self.result.fail(name, f"is {found}, should be {digest}")

    def _entries(self, text: bytes) -> list[dict[str, Any]]:
        try:
            lines = chain.split(text.decode())
            return [chain.parse(line, number) for number, line in enumerate(lines, 1)]
        except (ValueError, CustodyError) as error:
            self.result.fail("inventory.jsonl", str(error))
            return []

    def _inventory(
        self,
        entries: list[dict[str, Any]],
        payload: Mapping[str, Digest],
        there: set[str],
    ) -> None:
        copied = {n: d for n, d in payload.items() if n != HELD_LIST}
        verified = [e for e in entries if e.get("state") == FileState.VERIFIED]
        if {
            f"data/{e.get('file')}": _kept(e).get("sha256") for e in verified
        } != copied:
            self.result.fail("inventory.jsonl", "and the manifest differ")
            return
        for entry in verified:
            name = f"data/{entry.get('file')}"
            size = _kept(entry).get("size")
            if name in there and self._disk.size(self._bag / name) != size:
                self.result.fail(name, f"should have {size} bytes")
        held = [_held(e) for e in entries if e.get("state") == FileState.HELD]
        listed = self._text(HELD_LIST, set()) if HELD_LIST in there else b""
        told = [
            line[:64].decode(errors="replace") for line in (listed or b"").splitlines()
        ]
        if sorted(told) != sorted(map(str, held)):
            self.result.fail(HELD_LIST, "and the inventory differ")

    def _directories(
        self, payload: Mapping[str, Digest], entries: list[dict[str, Any]]
    ) -> None:
        """A directory is there for what the camera had in it, or for nothing."""
        names = [*payload, HELD_LIST, *(f"data/{e.get('file')}" for e in entries)]
        wanted = {str(folder) for n in names for folder in PurePosixPath(n).parents}
        for path in self._disk.directories(self._bag):
            if self._name(path) not in wanted:
                self.result.fail(self._name(path), "is a directory nobody listed")

    def _info(
        self,
        tags: Mapping[str, bytes],
        entries: list[dict[str, Any]],
        payload: list[str],
    ) -> None:
        """Hold what bag-info says against the key, the inventory and the disk."""
        sizes = [self._disk.size(self._bag / name) for name in payload]
        told = {f"data/{e.get('file')}": _kept(e).get("size") for e in entries}
        absent = [told.get(name) for name in self.gone.difference(payload)]
        sizes += [size for size in absent if isinstance(size, int)]
        settled = all(str(entry.get("state")) in SETTLED for entry in entries)
        try:
            info = manifest.labels(tags["bag-info.txt"].decode())
        except ValueError as error:
            self.result.fail("bag-info.txt", str(error))
            return
        for label, known in (
            ("External-Identifier", self._docking),
            ("Payload-Oxum", manifest.oxum(sizes)),
            (manifest.KEY_LABEL, self._key.id),
        ):
            if info.get(label) != known:
                self.result.fail("bag-info.txt", f"{label} is not {known}")
        if info.get("Dock-Complete") != "false" and not settled:
            self.result.fail("bag-info.txt", "calls complete what is not")
        if tags["bagit.txt"] != manifest.BAGIT.encode():
            self.result.fail("bagit.txt", "is of no version this program writes")
        if tags["station-key.pem"] != self._key.pem():
            self.result.fail("station-key.pem", "is not the station's key")

    def _custody(self, text: bytes) -> None:
        try:
            chain.verify_docking(chain.split(text.decode()), self._docking)
        except (CustodyError, ValueError) as error:
            self.result.fail("custody.jsonl", str(error))


def _kept(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what says digest and size of an entry's copy: another, if encrypted."""
    told = entry.get("encrypted", entry)
    return told if isinstance(told, Mapping) else {}


def _held(entry: Mapping[str, Any]) -> object:
    """Return the digest of the copy that an earlier docking has."""
    earlier = entry.get("held_by")
    told = earlier.get("encrypted") if isinstance(earlier, Mapping) else None
    return _kept({"encrypted": told} if told is not None else entry).get("sha256")
