"""Whether copies in a vault can be read back from the medium: tried, not believed."""

import secrets
from pathlib import Path

from dock_agent.errors import VaultUnusable
from dock_agent.recording import ReadBack
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.layout import PART

PROBE = bytes(8192)


class VaultCached(VaultUnusable):
    """Copies in the vault cannot be read back from the medium."""

    hint = (
        'Put the vault on a local disk, or set `cached = "accept"` in [vault]:'
        " verified then means less."
    )


def how_read_back(disk: Disk, root: Path) -> ReadBack:
    """Write a small file, read it back, remove it; return how it was read.

    Raises `NoRoom` or `VaultUnusable`.
    """
    probe = root / f"{PART}probe-{secrets.token_hex(4)}"
    with vault_errors():
        writer = disk.create(probe, len(PROBE))
        try:
            writer.write(memoryview(PROBE), 0)
            writer.finish(len(PROBE), 0)
            writer.sync()
            return disk.reread(probe).method
        finally:
            writer.close()
            disk.unlink(probe)


def require_medium(disk: Disk, root: Path) -> None:
    """Raise `VaultCached` where a read-back cannot be told from the page cache."""
    if how_read_back(disk, root) is ReadBack.CACHED:
        raise VaultCached(f"the vault {root} answers from memory")
