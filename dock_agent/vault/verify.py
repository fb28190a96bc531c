"""Check a sealed docking against itself, its signature, and the store.

Independent tools check the same bag (`sha256sum -c`, `bagit.py --validate`);
this also notices what they let pass: an unlisted file, an inventory that says
something else, a custody line that was cut out.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dock_agent.custody import chain, manifest
from dock_agent.custody.signing import PublicKey
from dock_agent.errors import CustodyError, DockError
from dock_agent.recording import Digest, DockingId, FileState
from dock_agent.store import files
from dock_agent.store.dockings import Docking
from dock_agent.vault.bag import HELD
from dock_agent.vault.disk import Disk

TAGS = frozenset(
    {
        "bagit.txt",
        "bag-info.txt",
        manifest.MANIFEST,
        "inventory.jsonl",
        "custody.jsonl",
        "station-key.pem",
    }
)
OWN = TAGS | {manifest.TAG_MANIFEST, manifest.SIGNATURE}


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


def verify_bag(disk: Disk, bag: Path, docking: DockingId, key: PublicKey) -> Result:
    """Check one sealed bag by itself. Says what is wrong; raises nothing."""
    return _Check(disk, bag, docking, key).run()


def verify_rows(
    conn: sqlite3.Connection, disk: Disk, root: Path, docking: Docking
) -> Result:
    """Check a bag's manifest against what the store remembers of the docking."""
    result = Result()
    try:
        listed = manifest.parse(
            disk.read(root / docking.bag / manifest.MANIFEST).decode()
        )
    except (OSError, ValueError) as error:
        result.fail(docking.id, f"manifest: {error}")
        return result
    for file in files.of_docking(conn, docking.id):
        if file.state is FileState.VERIFIED:
            told = listed.get(f"data/{file.stored}")
            if told != file.sha256:
                result.fail(str(file.id), f"{file.stored}: the manifest says {told}")
    return result


class _Check:
    def __init__(
        self, disk: Disk, bag: Path, docking: DockingId, key: PublicKey
    ) -> None:
        self._disk, self._bag, self._docking, self._key = disk, bag, docking, key
        self._result = Result()

    def run(self) -> Result:
        there = {
            str(PurePosixPath(path.relative_to(self._bag))): path
            for path in self._disk.listing(self._bag)
        }
        texts = {name: self._text(name) for name in sorted(OWN)}
        if None in texts.values():
            return self._result
        tags = {name: text for name, text in texts.items() if text is not None}
        self._signature(tags)
        self._tags(tags)
        payload = self._parsed(tags, manifest.MANIFEST)
        self._payload(payload, there)
        for name in sorted(there.keys() - payload.keys() - OWN):
            self._result.fail(name, "is not in the manifest")
        for folder in _empty_folders(self._bag):
            self._result.fail(folder, "is an empty directory nobody made")
        self._facts(tags, payload)
        self._custody(tags["custody.jsonl"])
        return self._result

    def _text(self, name: str) -> bytes | None:
        try:
            return self._disk.read(self._bag / name)
        except OSError as error:
            self._result.fail(name, f"cannot be read: {error.strerror}")
            return None

    def _signature(self, tags: Mapping[str, bytes]) -> None:
        try:
            self._key.verify(tags[manifest.SIGNATURE], tags[manifest.TAG_MANIFEST])
        except CustodyError as error:
            self._result.fail(manifest.SIGNATURE, str(error))

    def _tags(self, tags: Mapping[str, bytes]) -> None:
        listed = self._parsed(tags, manifest.TAG_MANIFEST)
        if listed.keys() != TAGS:
            self._result.fail(manifest.TAG_MANIFEST, "lists other files than it should")
        for name in sorted(TAGS & listed.keys()):
            if hashlib.sha256(tags[name]).hexdigest() != listed[name]:
                self._result.fail(name, "is not what was signed")

    def _parsed(self, tags: Mapping[str, bytes], name: str) -> dict[str, Digest]:
        try:
            return manifest.parse(tags[name].decode())
        except ValueError as error:
            self._result.fail(name, str(error))
            return {}

    def _payload(
        self, payload: Mapping[str, Digest], there: Mapping[str, Path]
    ) -> None:
        for name, digest in payload.items():
            if name not in there:
                self._result.fail(name, "is missing")
                continue
            self._result.checked += 1
            try:
                found = self._disk.reread(there[name]).digest
            except OSError as error:
                self._result.fail(name, f"cannot be read: {error.strerror}")
                continue
            if found == digest:
                self._result.ok += 1
            else:
                self._result.fail(name, f"is {found}, should be {digest}")

    def _facts(self, tags: Mapping[str, bytes], payload: Mapping[str, Digest]) -> None:
        """Hold bag-info and inventory against the manifest."""
        try:
            info = _labels(tags["bag-info.txt"].decode())
            lines = [json.loads(line) for line in tags["inventory.jsonl"].splitlines()]
        except ValueError as error:
            self._result.fail("inventory.jsonl", f"cannot be read: {error}")
            return
        if info.get("External-Identifier") != self._docking:
            self._result.fail("bag-info.txt", "is about another docking")
        told = _verified(lines)
        copied = {n: d for n, d in payload.items() if n != f"data/{HELD}"}
        if told != copied:
            self._result.fail("inventory.jsonl", "and the manifest differ")

    def _custody(self, text: bytes) -> None:
        try:
            chain.verify_docking(text.decode().splitlines(), self._docking)
        except (DockError, ValueError) as error:
            self._result.fail("custody.jsonl", str(error))


def _empty_folders(bag: Path) -> list[str]:
    return sorted(
        str(path.relative_to(bag))
        for path in bag.rglob("*")
        if path.is_dir() and not any(path.iterdir())
    )


def _labels(text: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in text.splitlines())
    return {label: value for label, _, value in pairs}


def _verified(lines: Iterable[Any]) -> dict[str, Digest]:
    return {
        f"data/{line['file']}": Digest(line["sha256"])
        for line in lines
        if isinstance(line, dict) and line.get("state") == FileState.VERIFIED
    }
