"""Is the vault's copy of a file whole, now? Read from the medium, and compared."""

from dock_agent.errors import FixityError, NotReleased
from dock_agent.offload.messages import Expected, Found
from dock_agent.offload.release import FROM_THE_MEDIUM
from dock_agent.offload.source import shown
from dock_agent.vault.disk import Beat, Disk, readable, vault_errors


def require_copy(disk: Disk, entry: Expected, found: Found, beat: Beat) -> None:
    """Read the copy of a file again: it may have rotted since it was sealed.

    Raises `FixityError` unless it has the digest on record, `NotReleased` where it
    can be read from memory only, `VaultUnusable`.
    """
    name = shown(entry.path)
    with vault_errors():
        if not disk.exists(entry.copy):
            raise FixityError(f"{name}: its copy is not in the vault any more")
        read = readable(disk, entry.copy, beat)
        facts = entry.copy.stat()
    if read is None or read.digest != entry.copy_digest:
        raise FixityError(f"{name}: its copy in the vault is not what was sealed")
    if read.method not in FROM_THE_MEDIUM:
        raise NotReleased(f"{name}: its copy was not read from the medium")
    # By a link or a mount the vault may lead back to the camera.
    if (facts.st_dev, facts.st_ino) == (found.device, found.inode):
        raise FixityError(f"{name}: its copy is the camera's own file")
