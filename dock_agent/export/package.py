"""Write an export, so that it is whole and proves itself, or is not there.

Everything is written into a directory beside the target, flushed, and checked as its
reader will check it, each file read again from the medium. Then the custody log says
what left the station, and only after that the directory gets its name.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from dock_agent import __version__
from dock_agent.clock import Clock, stamp
from dock_agent.custody import checkpoint
from dock_agent.custody.chain import Event, parse
from dock_agent.custody.checkpoint import Proof
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import CustodyError, FixityError
from dock_agent.export import ascmhl, layout
from dock_agent.export.check import Checked, Show, check, embeddable
from dock_agent.export.choose import Chosen, chosen
from dock_agent.export.page import instructions, page
from dock_agent.export.room import room, take_place
from dock_agent.export.written import Written, copy, save
from dock_agent.recording import Digest
from dock_agent.store import checkpoints, custody
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import transaction
from dock_agent.vault.real import RealDisk


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: ids, where to, by whom, and whether with an ASC MHL."""

    ids: Sequence[str]
    to: Path
    actor: str
    ascmhl: bool = False


@dataclass(frozen=True, slots=True)
class Station:
    """Who exports: its name, its vault, and the key it signs with."""

    name: str
    vault: Path
    key: SigningKey
    clock: Clock


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported, as `--json` prints it. `checkpoint` counts signed lines."""

    directory: str
    files: int
    bytes: int
    left_out: int
    lines: int
    checkpoint: int
    manifest: Digest
    key: str


@dataclass(slots=True)
class _Part:
    """An export that is being written. `more`: with the hashes for an ASC MHL."""

    root: Path
    more: bool
    listed: dict[str, Written] = field(default_factory=dict)

    def save(self, name: str, content: bytes) -> None:
        """Write one of the export's own files, and list it."""
        self.listed[name] = save(self.root / name, content)

    def manifest(self) -> bytes:
        lines = [f"{one.sha256}  {name}\n" for name, one in sorted(self.listed.items())]
        return "".join(lines).encode()


def export(
    conn: sqlite3.Connection, station: Station, order: Order, show: Show
) -> Exported:
    """Write an export; `show` hears how many files were done, of how many.

    Raises `NoSuchEvidence`, `ExportUnusable` for a place that is not free, `NoRoom`,
    `FixityError` where the vault no longer has what the log says, `CustodyError`
    where the log is not the one that was signed. Nothing is left of it then.
    """
    wanted = chosen(conn, order.ids)
    total = sum(len(one.copies) for one in wanted)
    need = sum(copied.file.copy_size for one in wanted for copied in one.copies)
    with room(order.to, need) as root:
        part = _Part(root, order.ascmhl)
        kept = _signed_now(conn, station)
        with RealDisk().barrier(part.root):
            size = _files(station, part, wanted, lambda done: show(done, 2 * total))
            about = _about(station, wanted, kept)
            lines = _own(conn, station, part, (about, kept, wanted))
        found = check(
            RealDisk(),
            part.root,
            station.key.public,
            lambda done, of: show(total + total * done // of, 2 * total),
        )
        _require(found)
        manifest = Digest(hashlib.sha256(part.manifest()).hexdigest())
        _say(conn, station, order, (wanted, manifest))
        take_place(part.root, order.to)
    return Exported(
        directory=str(order.to),
        files=total,
        bytes=size,
        left_out=sum(one.left_out for one in wanted),
        lines=lines,
        checkpoint=kept.size,
        manifest=manifest,
        key=station.key.public.fingerprint,
    )


def _signed_now(conn: sqlite3.Connection, station: Station) -> Kept:
    """Have a checkpoint over all lines there are now."""
    with transaction(conn):
        checkpoints.make(conn, station.name, station.key, station.clock.now())
    kept = checkpoints.last(conn)
    if kept is None:
        raise CustodyError("there is no line in the custody log")
    return kept


def _files(
    station: Station, part: _Part, wanted: Sequence[Chosen], show: Callable[[int], None]
) -> int:
    """Copy the files; return their bytes."""
    size = done = 0
    for one in wanted:
        for copied in one.copies:
            named = layout.data_name(one.docking, copied.file.stored)
            source, target = station.vault / copied.path, part.root / named
            written = copy(source, target, copied.file.mtime_ns, more=part.more)
            part.listed[named] = written
            size, done = size + written.size, done + 1
            show(done)
    return size


def _about(station: Station, wanted: Sequence[Chosen], kept: Kept) -> layout.About:
    return layout.About(
        agent=f"dock-agent {__version__}",
        at=stamp(station.clock.now().utc),
        station=station.name,
        log=kept.note.partition("\n")[0],
        dockings={one.docking: one.whole for one in wanted},
    )


def _own(
    conn: sqlite3.Connection,
    station: Station,
    part: _Part,
    facts: tuple[layout.About, Kept, Sequence[Chosen]],
) -> int:
    """Write what is not evidence; return how many custody lines there are."""
    about, kept, wanted = facts
    lines = _lines(conn, wanted, kept)
    texts = {layout.proof_name(n): _proof(conn, n, kept) for n in lines}
    told = checkpoint.read(kept.note, [station.key.public], about.log).text()
    counts = sum(len(one.copies) for one in wanted), len(lines), kept.size
    texts |= {
        layout.ABOUT: about.text(),
        layout.LOG: "".join(line + "\n" for line in lines.values()),
        layout.NOTE: kept.note,
        layout.NOTE_TEXT: told,
        layout.KEY: station.key.public.pem().decode(),
        layout.HELP: instructions(about, station.key.public.fingerprint, counts),
    }
    if part.more:
        texts |= ascmhl.folder(part.listed, about)
    signature = station.key.sign(told.encode())
    for name, content in texts.items():
        part.save(name, content.encode())
    part.save(layout.NOTE_SIG, signature)
    _sign(station, part, {name: content.encode() for name, content in texts.items()})
    return len(lines)


def _lines(
    conn: sqlite3.Connection, wanted: Sequence[Chosen], kept: Kept
) -> dict[int, str]:
    """Return by number the lines about the dockings, and about the station's keys."""
    of = {one.docking for one in wanted}
    of |= {copied.holder for one in wanted for copied in one.copies}
    lines = [line for docking in of for line in custody.lines(conn, docking)]
    lines += custody.of_kind(conn, "key changed")
    found = {int(parse(line, 0)["seq"]): line for line in lines}
    return {seq: found[seq] for seq in sorted(found) if seq <= kept.size}


def _proof(conn: sqlite3.Connection, seq: int, kept: Kept) -> str:
    hashes = checkpoints.proof_of(conn, seq, kept.size)
    return Proof(seq - 1, hashes, kept.note).text()


def _sign(station: Station, part: _Part, texts: dict[str, bytes]) -> None:
    """Write the manifest, the page, and the signatures of both."""
    texts[layout.MANIFEST] = part.manifest()
    texts[layout.MANIFEST_SIG] = station.key.sign(texts[layout.MANIFEST])
    texts[layout.PAGE] = page(embeddable(texts))
    texts[layout.PAGE_SIG] = station.key.sign(texts[layout.PAGE])
    for name in sorted(layout.UNLISTED):
        save(part.root / name, texts[name])


def _require(found: Checked) -> None:
    """Raise unless the export proves itself to whoever gets it."""
    for failure in found.failed:
        raise FixityError(f"{failure.id} {failure.reason}")
    if found.custody != "ok":
        raise CustodyError(found.custody)


def _say(
    conn: sqlite3.Connection,
    station: Station,
    order: Order,
    facts: tuple[Sequence[Chosen], Digest],
) -> None:
    """Put on record what leaves the station, of each docking, and by whom."""
    wanted, manifest = facts
    events = [
        Event(
            "exported",
            one.docking,
            {
                "manifest_sha256": manifest,
                "key": station.key.id,
                "files": len(one.copies),
                "names": None if one.whole else [c.file.stored for c in one.copies],
            },
            order.actor,
        )
        for one in wanted
    ]
    with transaction(conn):
        custody.append_all(conn, events, station.clock.now())
