"""The program as the guest has it, and what it depends on.

Both are compiled here, by the same Python as the guest's: that takes seconds there.
"""

import compileall
import os
import py_compile
import shutil
import sys
import tarfile
from pathlib import Path

from hardware.errors import BenchError
from hardware.guest import Extra, Guest
from hardware.image import CACHE, digest, keep, run

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements/run.txt"
PREFIX = "/opt/dock-agent"
HOME = f"{PREFIX}/current"  # as the role has it
COMMAND = f"""\
#!/usr/bin/python3 -sP
import sys
sys.path[:0] = ["{HOME}", "{PREFIX}/needs"]
from dock_agent.cli import main

if __name__ == "__main__":  # a docking's child imports this file, too
    sys.exit(main())
"""
UNUSED = ("pip", "bin")
WARM = (
    "import click, cryptography.hazmat.primitives.asymmetric.ed25519, msgspec, pyudev,"
    " sqlite_utils, tenacity, watchdog.observers, multiprocessing.forkserver"
)


def needs() -> Extra:
    """Return what has to be in a guest before our program can be put in."""
    folder = _needs()

    def put(guest: Guest) -> None:
        guest.push(folder / "needs", to=PREFIX)
        guest.run(
            f"""
            groupadd -r dock; useradd -r -g dock -d /nonexistent dock
            mkdir -p {HOME}/venv/bin
            cat > {HOME}/venv/bin/dock-agent
            chmod 755 {HOME}/venv/bin/dock-agent
            ln -s {HOME}/venv/bin/dock-agent /usr/local/bin
            PYTHONPATH={PREFIX}/needs python3 -c '{WARM}' && sync
            """,
            given=COMMAND.encode(),
            timeout=300,
        )

    return Extra(f"{folder.name} {COMMAND} {WARM}", put)


def packed() -> bytes:
    """Return the program of this checkout, compiled, as an archive."""
    return _program().read_bytes()


def _needs() -> Path:
    """Return a folder of all that the lock names; fetch it first if that is new."""
    if sys.version_info[:2] != (3, 11):
        raise BenchError("the guest's Python is 3.11: run the bench with the same")
    out = CACHE / f"needs-{digest(LOCK.read_bytes())}"
    if not out.exists():
        making = out.with_suffix(f".{os.getpid()}")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps")
        run(*pip, "--require-hashes", "--target", making / "needs", "-r", LOCK)
        for name in UNUSED:
            shutil.rmtree(making / "needs" / name)
        _compile(making)
        keep(making, out)
    return out


def _program() -> Path:
    """Return the program, compiled and packed."""
    sources = sorted(p for p in (ROOT / "dock_agent").rglob("*") if p.is_file())
    sources = [p for p in sources if p.suffix != ".pyc"]
    out = CACHE / f"program-{digest([(p, p.read_bytes()) for p in sources])}.tar"
    if not out.exists():
        making = out.with_suffix(f".{os.getpid()}")
        for path in sources:
            target = making / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        _compile(making)
        packed = making / "tar"
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(making / "dock_agent", "dock_agent")
        packed.rename(out)
        shutil.rmtree(making)
    return out


def _compile(folder: Path) -> None:
    """Compile so that the guest compares no times: its clock is another one."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, quiet=2, invalidation_mode=mode, workers=2)
