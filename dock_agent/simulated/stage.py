"""What a demonstration stands on: a directory, cameras, bays, a configuration."""

import fcntl
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dock_agent.config import Config, load
from dock_agent.errors import AlreadyRunning, ConfigError
from dock_agent.recording import ReadBack
from dock_agent.simulated import object_store
from dock_agent.simulated.cards import Card, build, size
from dock_agent.vault.probe import how_read_back
from dock_agent.vault.real import RealDisk

MARK = ".dock-agent-demo"  # the directory is ours: what is in it may be removed
ROOMY = "/var/tmp"  # noqa: S108  /tmp may be memory, which proves nothing
TRIED = 20  # ports after the one that is wished for
DOCKING_SECONDS = 12  # how long the largest camera takes, so that it can be watched
CARDS = (
    Card("KT-Z1", "KTZ1A00042", "000231", 4),
    Card("KT-Z2", "KTZ2A00107", "000118", 2),
    Card("KT-Z3", "KTZ3A00017", "000123", 3),
    Card("KT-Z6", "KTZ6A00255", "000307", 5),
)
CONFIG = """\
[station]
id = "demo"
timezone = "UTC"

[vault]
path = "vault"
reserve_bytes = 10000000
cached = "accept"

[store]
path = "station/store.db"

[offload]
pace = {pace}

[web]
listen = "{listen}"

{bays}
{destination}
"""
BAY = '[[bays]]\nname = "{name}"\nfolder = "bays/{name}"\n'
DIRECTORY = """\
[[destinations]]
name = "nas"
kind = "directory"
path = "nas"
local = true
cached = "accept"
"""
S3 = """\
[[destinations]]
name = "cloud"
kind = "s3"
endpoint = "{endpoint}"
bucket = "{bucket}"
prefix = "demo/"
credentials_file = "{credentials}"
"""


class AlreadyShown(AlreadyRunning):
    """Another demonstration runs in this directory."""

    hint = "Stop it first, or name another directory with --dir."


@dataclass(frozen=True, slots=True)
class Docker:
    """A camera that is ready, and the bay it will be put into."""

    card: Card
    path: Path
    bay: Path

    def dock(self) -> None:
        """Put it into its bay, at once and whole."""
        self.path.rename(self.bay / self.card.folder)


@contextmanager
def directory(given: Path | None) -> Iterator[Path]:
    """Hold the directory to work in for the block: the one given, or a new one.

    Raises `AlreadyShown` where another demonstration works, and `ConfigError` for
    one that holds something else: ours removes its cameras and bays when it begins.
    """
    if given is None:
        given = Path(tempfile.mkdtemp(prefix="dock-demo-", dir=ROOMY))
    try:
        given.mkdir(parents=True, exist_ok=True)
        if any(given.iterdir()) and not (given / MARK).exists():
            raise ConfigError(f"{given} is not empty, and no demonstration made it")
        mark = (given / MARK).open("ab")
    except OSError as error:
        raise ConfigError(f"{given}: {error.strerror}") from error
    with mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyShown(f"{given} is in use") from error
        yield given.resolve()


def say_what_is_proved(folder: Path, say: Callable[[str], None]) -> None:
    """Say so if this file system cannot prove what is read back from it."""
    if how_read_back(RealDisk(), folder) is ReadBack.CACHED:
        say(f"{folder} cannot be read back from a medium: a station would refuse it.")


def cameras(folder: Path, say: Callable[[str], None]) -> list[Docker]:
    """Fill the cameras anew, and empty their bays."""
    say("Filling the cameras …")
    made = []
    for name in ("cameras", "bays"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for number, card in enumerate(CARDS, 1):
        docker = Docker(
            card, folder / "cameras" / card.folder, folder / f"bays/{number}"
        )
        docker.bay.mkdir(parents=True)
        build(card, docker.path, shutil.which("ffmpeg"))
        made.append(docker)
    return made


def configure(
    folder: Path, listen: str, dockers: list[Docker], stack: ExitStack
) -> Config:
    """Write the station's configuration, and start where its evidence goes."""
    (folder / "station").mkdir(exist_ok=True)
    path = folder / "station.toml"
    largest = max(size(docker.path) for docker in dockers)
    text = CONFIG.format(
        pace=largest // DOCKING_SECONDS,
        listen=free(listen),
        bays=bays(len(dockers)),
        destination=_destination(folder, stack),
    )
    path.write_text(text, encoding="utf-8")
    return load(path)


def bays(count: int) -> str:
    """Return the configuration's lines for so many bays that are folders."""
    return "\n".join(BAY.format(name=number) for number in range(1, count + 1))


def free(listen: str) -> str:
    """Return the address, with the next free port where its own is taken."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        return listen  # a path, or a mistake that the page will name
    ports = range(int(port), int(port) + TRIED)
    return next((f"{host}:{p}" for p in ports if _is_free(host, p)), listen)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def _destination(folder: Path, stack: ExitStack) -> str:
    weed = object_store.program()
    if weed is None:
        (folder / "nas").mkdir(exist_ok=True)
        return DIRECTORY
    store = stack.enter_context(object_store.running(weed, folder / "cloud"))
    return S3.format(
        endpoint=store.endpoint, bucket=store.bucket, credentials=store.credentials
    )
