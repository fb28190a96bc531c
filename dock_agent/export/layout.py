"""What an export is made of: its names, and what it says of itself. Pure.

An export is a directory. `manifest-sha256.txt` lists every file of it but four: itself,
the page, and the signatures of both. So the station's signature over the manifest is
one over everything, and `sha256sum` and `openssl` are enough to check it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dock_agent.custody.chain import canonical, parse
from dock_agent.errors import CustodyError
from dock_agent.recording import Digest

DATA, PROOFS, MHL = "data", "proofs", "data/ascmhl"
MANIFEST, MANIFEST_SIG = "manifest-sha256.txt", "manifest-sha256.txt.sig"
PAGE, PAGE_SIG = "verify.html", "verify.html.sig"
UNLISTED = frozenset({MANIFEST, MANIFEST_SIG, PAGE, PAGE_SIG})
ABOUT, LOG, KEY, HELP = "export.json", "custody.jsonl", "station.pub", "VERIFY.txt"
NOTE, NOTE_TEXT, NOTE_SIG = "checkpoint", "checkpoint.txt", "checkpoint.sig"
OWN = UNLISTED | {ABOUT, LOG, KEY, HELP, NOTE, NOTE_TEXT, NOTE_SIG}


@dataclass(frozen=True, slots=True)
class About:
    """What `export.json` says: whose log it is, and what was asked for.

    `log` is the checkpoint's origin, `at` is RFC 3339 UTC. `dockings` says of each
    whose files are here whether all of them are.
    """

    agent: str
    at: str
    station: str
    log: str
    dockings: Mapping[str, bool]

    def text(self) -> str:
        """Return it as one canonical line."""
        told = {
            "agent": self.agent,
            "at": self.at,
            "station": self.station,
            "log": self.log,
            "dockings": dict(self.dockings),
        }
        return canonical(told) + "\n"


def read_about(text: str) -> About:
    """Read `export.json` back; raise `CustodyError` if it is none."""
    told = parse(text.removesuffix("\n"), 1)
    try:
        found = About(**told)
    except TypeError as error:
        raise CustodyError(f"{ABOUT} is of no version known here") from error
    words = (found.agent, found.at, found.station, found.log)
    if not all(isinstance(word, str) for word in words) or not isinstance(
        found.dockings, dict
    ):
        raise CustodyError(f"{ABOUT} is of no version known here")
    return found


def data_name(docking: str, stored: str) -> str:
    """Return where a file is in an export; `stored` is its name in the vault."""
    return f"{DATA}/{docking}/{stored}"


def proof_name(seq: int) -> str:
    """Return where the proof of the custody line `seq`, from 1, is."""
    return f"{PROOFS}/{seq:08d}.tlog-proof"


def copies(lines: Iterable[Mapping[str, Any]]) -> dict[str, set[Digest]]:
    """Return by name what the log says each file's copy is, of those it calls safe.

    An encrypted file has two digests in its line; the copy's is that of the
    ciphertext. A file that an earlier docking holds is that docking's copy: any of
    those that have the digest of the camera's bytes.
    """
    safe: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        facts, kind = line["facts"], line["kind"]
        if kind in {"verified", "held", "quarantined"}:
            name = data_name(str(line["docking"]), str(facts.get("file")))
            safe.pop(name, None)
            if kind != "quarantined":
                safe[name] = facts
    held: dict[tuple[str, Any], set[Digest]] = {}
    for name, facts in safe.items():
        if "held_by" not in facts:
            whose = name.split("/")[1], facts.get("sha256")
            held.setdefault(whose, set()).add(_copy(facts))
    return {name: _digests(facts, held) for name, facts in safe.items()}


def _digests(
    facts: Mapping[str, Any], held: Mapping[tuple[str, Any], set[Digest]]
) -> set[Digest]:
    if "held_by" not in facts:
        return {_copy(facts)}
    return held.get((str(facts["held_by"]), facts.get("sha256")), set())


def _copy(facts: Mapping[str, Any]) -> Digest:
    told = facts.get("encrypted", facts)
    return Digest(str(told.get("sha256")) if isinstance(told, Mapping) else "")


def parents(names: Iterable[str]) -> set[str]:
    """Return the directories that these names lie in; `.` is the export itself."""
    return {str(folder) for name in names for folder in PurePosixPath(name).parents}


def embedded(thing: object) -> str:
    """Return JSON that may stand in a script element of a page."""
    text = json.dumps(thing, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c")
