"""A directory on a real disk, judged by looking into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dock_agent.clock import SystemClock
from dock_agent.recording import Proof
from dock_agent.sync.directory.destination import Directory
from dock_agent.sync.directory.marker import MARKER
from dock_agent.vault.real import RealDisk
from support.places import Place


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Yield a share; whatever is left in it counts, but for the marker."""
    root = folder / "share"
    root.mkdir()

    def found(key: str) -> bytes | None:
        try:
            return (root / key).read_bytes()
        except OSError:
            return None

    def put(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).unlink(missing_ok=True)
        (root / key).write_bytes(data)

    def keys() -> list[str]:
        there = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        return [name for name in there if name != MARKER]

    def again() -> Directory:
        return Directory(root, RealDisk(), Proof.ECHOED, SystemClock(), local=True)

    yield Place(again(), found, put, keys, again, resumes=False)
