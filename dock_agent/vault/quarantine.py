"""Where what went wrong with a docking is kept: never sent, never called evidence."""

from pathlib import Path

from dock_agent.recording import DockingId
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import quarantine_path


def move_aside(
    disk: Disk, root: Path, docking: DockingId, wrong: Path, name: str
) -> None:
    """Move `wrong` out of its bag, durably; one that is not there is fine.

    It keeps its `name`, numbered where that is taken. Raises `OSError`.
    """
    if not disk.exists(wrong):
        return
    wanted = root / quarantine_path(docking) / name
    disk.make_directory(wanted.parent)
    kept, count = wanted, 0
    while disk.exists(kept):
        count += 1
        kept = wanted.with_name(f"{wanted.name}~{count}")
    disk.rename(wrong, kept)
    disk.sync_directory(kept.parent)
    disk.sync_directory(wrong.parent)
