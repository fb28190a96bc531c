"""Exports for tests: made from a bench, and spoilt in every way that has a name."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from dock_agent.clock import SystemClock
from dock_agent.custody import merkle
from dock_agent.custody.chain import Event
from dock_agent.custody.checkpoint import Checkpoint, Proof, read_proof, signed
from dock_agent.custody.signing import SigningKey
from dock_agent.export import layout
from dock_agent.export.check import embeddable
from dock_agent.export.package import Exported, Order, Station, export
from dock_agent.export.page import page
from dock_agent.store import custody
from dock_agent.store.db import transaction
from support.bench import KEY, Bench
from support.cards import card

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/2.MP4": 7, "LOG/empty": 0}
STRANGER = SigningKey.from_seed(bytes(31) + b"\2")
Mutant = Callable[[Path], object]


def unseen(done: int, total: int) -> None:
    """Show nobody how far it is."""
    del done, total


def station(bench: Bench, key: SigningKey = KEY) -> Station:
    return Station("bench", bench.vault, key, SystemClock())


def exports(bench: Bench, to: Path, *ids: str, ascmhl: bool = False) -> Exported:
    order = Order(ids, to, "clerk", ascmhl)
    return export(bench.conn, station(bench), order, unseen)


def exported(root: Path) -> Path:
    """Make a station in `root`, dock a camera, export its docking; return where."""
    bench = Bench(root)
    facts = {"key": KEY.id, "before": None, "public": KEY.public.pem().decode()}
    with transaction(bench.conn):
        event = Event("key changed", facts=facts)
        custody.append(bench.conn, event, bench.clock.now())
    docking = bench.dock(card(root / "card", SIZES))
    exports(bench, root / "export", docking.id)
    bench.close()
    return root / "export"


def rewrite(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def flip(path: Path, at: int = -1) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    rewrite(path, bytes(content))


def evidence(root: Path, name: str = "VIDEO/1.MP4") -> Path:
    return next((root / layout.DATA).glob(f"*/{name}"))


def lines(root: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the custody log, as its lines."""
    path = root / layout.LOG
    rewrite(path, b"".join(change(path.read_bytes().splitlines(keepends=True))))


def signs(root: Path, key: SigningKey) -> None:
    """List, embed and sign what is there now, with a key: all but the log's proofs."""
    listed = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and str(path.relative_to(root)) not in layout.UNLISTED
    }
    manifest = "".join(f"{digest}  {name}\n" for name, digest in sorted(listed.items()))
    rewrite(root / layout.MANIFEST, manifest.encode())
    rewrite(root / layout.MANIFEST_SIG, key.sign(manifest.encode()))
    embed(root)
    rewrite(root / layout.PAGE_SIG, key.sign((root / layout.PAGE).read_bytes()))


def embed(root: Path) -> None:
    """Make the page anew from what is there."""
    texts = {
        str(path.relative_to(root)): path.read_bytes()
        for path in (*root.iterdir(), *(root / layout.PROOFS).iterdir())
        if path.is_file()
    }
    rewrite(root / layout.PAGE, page(embeddable(texts)))


def checkpointed(root: Path, told: Checkpoint, key: SigningKey) -> None:
    """Put another checkpoint in the place of the export's, in each proof too."""
    note = signed(told, key)
    rewrite(root / layout.NOTE, note.encode())
    rewrite(root / layout.NOTE_TEXT, told.text().encode())
    rewrite(root / layout.NOTE_SIG, key.sign(told.text().encode()))
    for path in (root / layout.PROOFS).iterdir():
        proof = read_proof(path.read_text("utf-8"))
        text = Proof(proof.index, proof.hashes, note).text()
        rewrite(path, text.encode())


def told(root: Path) -> Checkpoint:
    """Return what the export's checkpoint says."""
    origin, size, head = (root / layout.NOTE_TEXT).read_text("utf-8").splitlines()
    return Checkpoint(origin, int(size), base64.b64decode(head))


def by_a_stranger(root: Path) -> None:
    """Make the export anew with a changed file and another key, all of a piece."""
    checkpointed(root, told(root), STRANGER)
    rewrite(root / layout.KEY, STRANGER.public.pem())
    signs(root, STRANGER)


def without_the_key(root: Path) -> None:
    """Make the export anew around a changed file; the signatures stay as they were."""
    kept = {n: (root / n).read_bytes() for n in (layout.MANIFEST_SIG, layout.PAGE_SIG)}
    flip(evidence(root))
    signs(root, STRANGER)
    rewrite(root / layout.MANIFEST_SIG, kept[layout.MANIFEST_SIG])
    rewrite(root / layout.PAGE_SIG, kept[layout.PAGE_SIG])
    embed(root)


def proof(root: Path, number: int = 0) -> Path:
    return sorted((root / layout.PROOFS).iterdir())[number]


def renamed(root: Path) -> None:
    path = evidence(root)
    path.rename(path.with_name("9.MP4"))


def linked(root: Path) -> None:
    path = evidence(root)
    path.rename(root.parent / "elsewhere.MP4")
    path.symlink_to(root.parent / "elsewhere.MP4")


def another_station(root: Path) -> None:
    """Put the checkpoint of another station, which has another key, in its place."""
    other = Checkpoint("dock-agent/other", told(root).size, told(root).root)
    checkpointed(root, other, STRANGER)


# What anybody could do to the folder. A reason is part of what the command says.
MUTANTS: dict[str, Mutant] = {
    "flipped bit in a file": lambda root: flip(evidence(root)),
    "flipped bit in the manifest": lambda root: flip(root / layout.MANIFEST, 3),
    "flipped bit in a custody line": lambda root: flip(root / layout.LOG, 30),
    "flipped bit in the checkpoint": lambda root: flip(root / layout.NOTE, 20),
    "flipped bit in the checkpoint's text": lambda r: flip(r / layout.NOTE_TEXT, 20),
    "flipped bit in a signature": lambda root: flip(root / layout.MANIFEST_SIG),
    "flipped bit in the checkpoint's signature": lambda r: flip(r / layout.NOTE_SIG),
    "flipped bit in the page's signature": lambda r: flip(r / layout.PAGE_SIG),
    "flipped bit in the page": lambda root: flip(root / layout.PAGE, 700),
    "flipped bit in a proof": lambda root: flip(proof(root), 40),
    "flipped bit in what it says of itself": lambda r: flip(r / layout.ABOUT, 20),
    "flipped bit in the key": lambda root: flip(root / layout.KEY, 60),
    "deleted line": lambda root: lines(root, lambda all_: all_[:2] + all_[3:]),
    "added line": lambda root: lines(root, lambda all_: all_[:2] + all_[1:]),
    "reordered lines": lambda root: lines(
        root, lambda all_: [all_[1], all_[0], *all_[2:]]
    ),
    "truncated log": lambda root: lines(root, lambda all_: all_[:-1]),
    "file cut short": lambda root: rewrite(
        evidence(root), evidence(root).read_bytes()[:-1]
    ),
    "file deleted": lambda root: evidence(root).unlink(),
    "proof deleted": lambda root: proof(root).unlink(),
    "manifest deleted": lambda root: (root / layout.MANIFEST).unlink(),
    "renamed file": renamed,
    "extra file": lambda root: (root / "data/extra.MP4").write_bytes(b"x"),
    "extra file beside the manifest": lambda root: (root / ".x").write_bytes(b""),
    "empty directory": lambda root: (root / "data/empty").mkdir(),
    "made anew without the key": without_the_key,
    "made anew with another key": by_a_stranger,
    "checkpoint of another station": another_station,
}


def cut_before_the_seal(root: Path) -> None:
    lines(root, lambda all_: all_[:-1])
    proof(root, -1).unlink()


def deleted_with_its_proof(root: Path) -> None:
    lines(root, lambda all_: all_[:2] + all_[3:])
    proof(root, 2).unlink()


def other_raw_checkpoint(root: Path) -> None:
    """Put another text and its signature in the place of what openssl reads."""
    was = told(root)
    text = Checkpoint(was.origin, was.size + 1, was.root).text().encode()
    rewrite(root / layout.NOTE_TEXT, text)
    rewrite(root / layout.NOTE_SIG, KEY.sign(text))


def proof_of_another_checkpoint(root: Path) -> None:
    """Prove the first line in a log of one line, which the station signed once."""
    line = (root / layout.LOG).read_bytes().split(b"\n")[0]
    note = signed(Checkpoint(told(root).origin, 1, merkle.leaf(line)), KEY)
    rewrite(proof(root), Proof(0, (), note).text().encode())


def forged(root: Path) -> None:
    """Change the last line, and all that follows from it, but for the signature.

    The export has every line of its station, so that anybody can make the tree anew.
    """

    def change(all_: list[bytes]) -> list[bytes]:
        return [*all_[:-1], all_[-1].replace(b'"actor":"', b'"actor":"x')]

    def read(level: int, number: int) -> bytes:
        return merkle.complete(leaves[number << level : (number + 1) << level])

    lines(root, change)
    kept, was = (root / layout.LOG).read_bytes().split(b"\n")[:-1], told(root)
    leaves, size = [merkle.leaf(line) for line in kept], len(kept)
    now = Checkpoint(was.origin, size, merkle.root(size, read)).text()
    note = (root / layout.NOTE).read_text("utf-8").replace(was.text(), now)
    rewrite(root / layout.NOTE, note.encode())
    rewrite(root / layout.NOTE_TEXT, now.encode())
    for index in range(size):
        text = Proof(index, merkle.inclusion(index, size, read), note).text()
        rewrite(root / layout.proof_name(index + 1), text.encode())


def resigned(change: Mutant) -> Mutant:
    """Do it, and sign list and page again with the station's own key."""

    def done(root: Path) -> None:
        change(root)
        signs(root, KEY)

    return done


# What somebody could do who can have lists signed, but not the log: each has to be
# noticed by the log alone.
INSIDE: dict[str, Mutant] = {
    "a changed file": resigned(lambda root: flip(evidence(root))),
    "a file left out": resigned(lambda root: evidence(root).unlink()),
    "a file put in": resigned(
        lambda root: (evidence(root).parent / "new.MP4").write_bytes(b"x")
    ),
    "a renamed file": resigned(renamed),
    "a changed line": resigned(
        lambda root: lines(
            root,
            lambda all_: [line.replace(b'"actor":"', b'"actor":"x') for line in all_],
        )
    ),
    "a deleted line": resigned(
        lambda root: lines(root, lambda all_: all_[:2] + all_[3:])
    ),
    "a line twice": resigned(lambda root: lines(root, lambda a: a[:2] + a[1:])),
    "reordered lines": resigned(
        lambda root: lines(root, lambda all_: [all_[1], all_[0], *all_[2:]])
    ),
    "a log cut before the seal": resigned(cut_before_the_seal),
    "a log cut off in a line": resigned(
        lambda root: rewrite(root / layout.LOG, (root / layout.LOG).read_bytes()[:-1])
    ),
    "a line that is none": resigned(
        lambda root: lines(root, lambda all_: [*all_, b"{\n"])
    ),
    "a line deleted with its proof": resigned(deleted_with_its_proof),
    "a station's line twice": resigned(lambda root: lines(root, lambda a: a[:1] + a)),
    "a raw checkpoint that is another": resigned(other_raw_checkpoint),
    "a raw signature that is none": resigned(lambda r: flip(r / layout.NOTE_SIG)),
    "a log forged below its signature": resigned(forged),
    "a proof of another checkpoint": resigned(proof_of_another_checkpoint),
    "a changed proof": resigned(
        lambda root: rewrite(proof(root), proof(root, 1).read_bytes())
    ),
    "a proof missing": resigned(lambda root: proof(root).unlink()),
    "a proof too many": resigned(
        lambda root: rewrite(root / layout.proof_name(99), proof(root).read_bytes())
    ),
    "a checkpoint of another log of this key": resigned(
        lambda root: checkpointed(
            root, Checkpoint("dock-agent/bench", told(root).size, bytes(32)), KEY
        )
    ),
    "a checkpoint of another station of this key": resigned(
        lambda root: checkpointed(
            root, Checkpoint("dock-agent/other", told(root).size, told(root).root), KEY
        )
    ),
    "a checkpoint of a stranger": resigned(
        lambda root: checkpointed(root, told(root), STRANGER)
    ),
}
