"""What a bag's own files were when it was sealed, whatever is on the disk now."""

import hashlib
import json
import sqlite3
from pathlib import Path

from dock_agent.custody import manifest
from dock_agent.errors import DockError
from dock_agent.recording import Digest, DockingId
from dock_agent.store import custody
from dock_agent.vault.bag import HELD


def as_sealed(
    conn: sqlite3.Connection, bag: Path, ident: DockingId
) -> dict[str, Digest]:
    """Return the digest of each of the bag's own files when it was signed.

    What a changed list would have told is left out; nothing, if nothing was sealed.
    """
    lines = map(json.loads, custody.lines(conn, ident))
    told = (line["facts"] for line in lines if line["kind"] == "sealed")
    facts: dict[str, str] = next(told, {})
    if "signature" not in facts:
        return {}
    signature = hashlib.sha256(bytes.fromhex(facts["signature"])).hexdigest()
    found = {manifest.TAG_MANIFEST: Digest(facts["tagmanifest_sha256"])}
    found |= _listed(bag / manifest.TAG_MANIFEST, found[manifest.TAG_MANIFEST])
    if manifest.MANIFEST in found:
        payload = _listed(bag / manifest.MANIFEST, found[manifest.MANIFEST])
        held = f"data/{HELD}"
        found |= {held: payload[held]} if held in payload else {}
    return found | {manifest.SIGNATURE: Digest(signature)}


def _listed(path: Path, digest: Digest) -> dict[str, Digest]:
    """Return what a list says, if it is still the one that was signed."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            return {}
        return manifest.parse(content.decode())
    except (OSError, ValueError, DockError):
        return {}
