"""Check an export: its signatures, its files, its custody lines; trust nothing in it.

It is what `verify.html` does, on the command line. What the export's own list does
not tell, this notices too: a file, a link or a directory that nobody listed.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dock_agent.custody import chain, checkpoint, manifest
from dock_agent.custody.checkpoint import Checkpoint, read_proof
from dock_agent.custody.signing import PublicKey
from dock_agent.errors import CustodyError
from dock_agent.export import layout
from dock_agent.recording import Digest, DockingId
from dock_agent.vault.disk import Disk
from dock_agent.vault.verify import Failure

Show = Callable[[int, int], None]
"""Called with how many files were read, of how many."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, as `--json` prints it.

    `files` and `ok` count evidence files; `custody` is "ok" or what is wrong with a
    signature or with the log. `key` is the fingerprint of the key that all of it
    rests on, and `key_known` whether it is the one that was given.
    """

    files: int
    ok: int
    failed: tuple[Failure, ...]
    custody: str
    lines: int
    key: str
    key_known: bool


def check(disk: Disk, directory: Path, key: PublicKey | None, show: Show) -> Checked:
    """Check an export, against the agency's key if it is given.

    Says what is wrong. Raises `OSError` where the directory cannot be listed.
    """
    look = _Look(disk, directory)
    try:
        texts = look.own()
        station = _key(texts, key)
        listed = _signed(texts, station)
    except CustodyError as error:
        return _told(look, str(error), key, known=key is not None)
    look.files(listed, show)
    try:
        lines = _custody(texts, listed, station)
    except CustodyError as error:
        return _told(look, str(error), station, known=key is not None)
    return _told(look, "ok", station, known=key is not None, lines=lines)


def _told(
    look: "_Look", custody: str, key: PublicKey | None, *, known: bool, lines: int = 0
) -> Checked:
    return Checked(
        files=look.read,
        ok=look.right,
        failed=tuple(look.failed),
        custody=custody,
        lines=lines,
        key="" if key is None else key.fingerprint,
        key_known=known,
    )


class _Look:
    """The directory as it is. `failed` tells what was found so far."""

    def __init__(self, disk: Disk, root: Path) -> None:
        self._disk, self._root = disk, root
        self.failed: list[Failure] = []
        self.read = self.right = 0
        odd = {self._name(path) for path in disk.oddities(root)}
        self._there = {self._name(path) for path in disk.listing(root)} - odd
        for name in sorted(odd):
            self._fail(name, "is neither a file nor a directory")

    def own(self) -> dict[str, bytes]:
        """Return the export's own files; raise `CustodyError` if one is not there."""
        for name in sorted(layout.OWN - self._there):
            raise CustodyError(f"{name} is missing")
        proofs = {n for n in self._there if n.startswith(f"{layout.PROOFS}/")}
        names = sorted(layout.OWN | proofs)
        try:
            return {name: self._disk.read(self._root / name) for name in names}
        except OSError as error:
            raise CustodyError(f"{error.filename}: {error.strerror}") from error

    def files(self, listed: Mapping[str, Digest], show: Show) -> None:
        """Hold every file against the list, and the list against every name."""
        for name in sorted(self._there - listed.keys() - layout.UNLISTED):
            self._fail(name, "is not in the manifest")
        wanted = layout.parents([*listed, *layout.UNLISTED])
        for path in self._disk.directories(self._root):
            if self._name(path) not in wanted:
                self._fail(self._name(path), "is a directory nobody listed")
        for number, (name, digest) in enumerate(sorted(listed.items()), 1):
            self._file(name, digest)
            show(number, len(listed))

    def _file(self, name: str, digest: Digest) -> None:
        evidence = is_evidence(name)
        self.read += evidence
        if name not in self._there:
            self._fail(name, "is missing")
            return
        try:
            found = self._disk.reread(self._root / name).digest
        except OSError as error:
            self._fail(name, f"cannot be read: {error.strerror}")
            return
        if found != digest:
            self._fail(name, f"is {found}, should be {digest}")
            return
        self.right += evidence

    def _name(self, path: Path) -> str:
        name = str(path.relative_to(self._root))
        return name.encode(errors="surrogateescape").decode(errors="backslashreplace")

    def _fail(self, name: str, reason: str) -> None:
        self.failed.append(Failure(name, reason))


def is_evidence(name: str) -> bool:
    """Whether a name of the manifest is a camera's file."""
    below = name.startswith(f"{layout.DATA}/")
    return below and not name.startswith(f"{layout.MHL}/")


def _key(texts: Mapping[str, bytes], known: PublicKey | None) -> PublicKey:
    """Return the key to check with: the agency's, else the export's own."""
    found = PublicKey.from_pem(texts[layout.KEY])
    if known is not None and known.raw != found.raw:
        raise CustodyError(
            f"the export is of key {found.fingerprint}, not {known.fingerprint}"
        )
    return found


def _signed(texts: Mapping[str, bytes], key: PublicKey) -> dict[str, Digest]:
    """Return the list of files, if it, the checkpoint and the page are signed."""
    for name, signature in (
        (layout.MANIFEST, layout.MANIFEST_SIG),
        (layout.NOTE_TEXT, layout.NOTE_SIG),
        (layout.PAGE, layout.PAGE_SIG),
    ):
        try:
            key.verify(texts[signature], texts[name])
        except CustodyError as error:
            raise CustodyError(f"{name}: {error}") from error
    try:
        listed = manifest.parse(texts[layout.MANIFEST].decode())
    except ValueError as error:
        raise CustodyError(f"{layout.MANIFEST}: {error}") from error
    return listed


def _custody(
    texts: Mapping[str, bytes], listed: Mapping[str, Digest], key: PublicKey
) -> int:
    """Return how many lines there are, if all of them are what they should be."""
    text = {
        name: _text(texts, name)
        for name in texts
        if name not in {layout.PAGE, *(n for n in texts if n.endswith(".sig"))}
    }
    about = layout.read_about(text[layout.ABOUT])
    told = checkpoint.read(text[layout.NOTE], [key], about.log)
    if told.text() != text[layout.NOTE_TEXT]:
        raise CustodyError(f"{layout.NOTE_TEXT} is not what {layout.NOTE} says")
    lines = chain.split(text[layout.LOG])
    parsed = [chain.parse(line, number) for number, line in enumerate(lines, 1)]
    _proved(text, list(zip(parsed, lines, strict=True)), key, told)
    _chains(parsed, lines)
    agree(about, parsed, {n: d for n, d in listed.items() if is_evidence(n)})
    return len(lines)


def _text(texts: Mapping[str, bytes], name: str) -> str:
    try:
        return texts[name].decode()
    except UnicodeDecodeError as error:
        raise CustodyError(f"{name} is not text") from error


def _proved(
    text: Mapping[str, str],
    lines: Iterable[tuple[Mapping[str, Any], str]],
    key: PublicKey,
    told: Checkpoint,
) -> None:
    """Raise `CustodyError` unless each line is in the log of the one checkpoint."""
    last, names = 0, set[str]()
    for fields, line in lines:
        seq = fields.get("seq")
        if not isinstance(seq, int) or seq <= last:
            raise CustodyError(f"{layout.LOG}: line {seq} is out of order")
        last, name = seq, layout.proof_name(seq)
        if name not in text:
            raise CustodyError(f"{name} is missing")
        proof = read_proof(text[name])
        if proof.note != text[layout.NOTE]:
            raise CustodyError(f"{name} is of another checkpoint")
        proof.verify(line, [key], told.origin)
        names.add(name)
    for name in sorted(n for n in text.keys() - names if n.startswith(layout.PROOFS)):
        raise CustodyError(f"{name} is of a line that is not here")


def _chains(parsed: Iterable[Mapping[str, Any]], lines: Iterable[str]) -> None:
    """Raise `CustodyError` unless each docking's lines are a chain from its first."""
    of: dict[DockingId, list[str]] = {}
    for fields, line in zip(parsed, lines, strict=True):
        if fields.get("docking") is not None:
            of.setdefault(DockingId(str(fields["docking"])), []).append(line)
    for docking, chained in of.items():
        try:
            chain.verify_docking(chained, docking)
        except CustodyError as error:
            raise CustodyError(f"docking {docking}: {error}") from error


def agree(
    about: layout.About,
    lines: Iterable[Mapping[str, Any]],
    files: Mapping[str, Digest],
) -> None:
    """Raise `CustodyError` unless the files are what the log says was offloaded."""
    lines = list(lines)
    copies = layout.copies(lines)
    sealed = {line["docking"] for line in lines if line["kind"] == "sealed"}
    for name, digest in files.items():
        if digest not in copies.get(name, set()):
            raise CustodyError(f"{name} is not what the custody log says was copied")
    for name in copies.keys() - files.keys():
        if about.dockings.get(name.split("/")[1]):
            raise CustodyError(f"{name} was offloaded and is not here")
    for docking in sorted({name.split("/")[1] for name in files} | {*about.dockings}):
        if docking not in sealed:
            raise CustodyError(f"docking {docking} was never sealed")


def embeddable(texts: Mapping[str, bytes]) -> dict[str, object]:
    """Return what the page needs of an export, as plain JSON; signatures in base64."""
    proofs = {
        str(proof.index + 1): [base64.b64encode(one).decode() for one in proof.hashes]
        for name in texts
        if name.startswith(f"{layout.PROOFS}/")
        for proof in [read_proof(texts[name].decode())]
    }
    names = (layout.MANIFEST, layout.ABOUT, layout.LOG, layout.NOTE, layout.KEY)
    return {
        "texts": {name: texts[name].decode() for name in names},
        "signature": base64.b64encode(texts[layout.MANIFEST_SIG]).decode(),
        "proofs": proofs,
    }
