"""The whole station in one place without root: cameras, agent, sync, store, page."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load, parse
from dock_agent.errors import DockError
from dock_agent.recording import BayState
from dock_agent.run import run
from dock_agent.simulated import object_store
from dock_agent.simulated.cards import Card, build, size
from dock_agent.simulated.scenario import load as load_scenario
from dock_agent.store import transfers, views
from dock_agent.store.db import connect, connect_readonly
from dock_agent.story import Story
from dock_agent.sync.open import open_all
from dock_agent.sync.worker import Worker
from dock_agent.watch import status
from dock_agent.watch.compose import Watcher

CARDS = (
    Card("KT-Z1", "KTZ1A00042", "000231", 4),
    Card("KT-Z2", "KTZ2A00107", "000118", 2),
    Card("KT-Z3", "KTZ3A00017", "000123", 3),
    Card("KT-Z6", "KTZ6A00255", "000307", 5),
)
DOCKING_SECONDS = 12  # how long the largest camera takes, so that it can be watched
PAUSE = 2.0  # seconds between two officers
CONFIG = """\
[station]
id = "demo"
timezone = "UTC"

[vault]
path = "vault"
reserve_bytes = 10000000

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
DIRECTORY = '[[destinations]]\nname = "nas"\nkind = "directory"\npath = "nas"\n'
S3 = """\
[[destinations]]
name = "cloud"
kind = "s3"
endpoint = "{endpoint}"
bucket = "{bucket}"
prefix = "demo/"
credentials_file = "{credentials}"
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """How to show it: where (None: a new directory), how long, which port."""

    folder: Path | None
    once: bool
    listen: str


@dataclass(slots=True)
class Threads:
    """The station's parts, and what went wrong in one of them."""

    stop: threading.Event = field(default_factory=threading.Event)
    error: DockError | None = None
    _all: list[threading.Thread] = field(default_factory=list)

    def start(self, what: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                what()
            except DockError as error:
                self.error = error
                self.stop.set()

        thread = threading.Thread(target=guarded)
        self._all.append(thread)
        thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self._all:
            thread.join()


def play(wish: Wish, say: Callable[[str], None]) -> None:
    """Show the station at work until it is done (`once`) or interrupted.

    Raises what the station's parts raise.
    """
    with ExitStack() as stack:
        folder = _folder(wish)
        cards = _build_cards(folder, say)
        config = _configure(folder, wish, cards, stack)
        threads = Threads()
        stack.callback(threads.end)
        page = stack.enter_context(_page(config))
        ready = threading.Event()
        threads.start(lambda: run(config, threads.stop, ready.set))
        ready.wait(10)
        clock = SystemClock()
        worker = Worker(config.vault_path, open_all(config, clock), clock)
        threads.start(
            lambda: worker.run(lambda: connect(config.store_path), threads.stop)
        )
        say(f"The page: {page}   (IT: {page}it)")
        say(f"The bays are directories in {folder / 'bays'}:")
        say("  move a camera out of its bay while it copies, and back in again.")
        _dock_all(cards, folder, threads.stop)
        _wait(config, threads, once=wish.once)
        if threads.error is not None:
            raise threads.error
        for line in _summary(config):
            say(line)


def tell(wish: Wish, name: str, say: Callable[[str], None]) -> None:
    """Play a scenario, on the page too; slowly, unless `once`.

    Raises `ConfigError` for a name nobody knows, and `OtherwiseThanTold`.
    """
    scenario = load_scenario(name)
    folder = _folder(wish)
    story = Story(scenario, folder / "story", say)
    bays = "\n".join(BAY.format(name=n) for n in range(1, scenario.bays + 1))
    text = CONFIG.format(pace=0, listen=wish.listen, bays=bays, destination="")
    config = parse(text, base=folder / "story")
    (folder / "story/station").mkdir()
    pause, watcher = threading.Event(), Watcher(config)
    with closing(story), _page(config) as page:
        say(f"{scenario.about}\nThe page: {page}")
        for number, step in enumerate(scenario.steps, 1):
            if step.say:
                say(step.say)
            story.take(step)
            look = watcher.look(story.conn, story.station.bays, SystemClock().now())
            fresh = msgspec.structs.replace(look, rev=number)
            status.write(config.snapshot_path, fresh)
            pause.wait(0 if wish.once else PAUSE)
    say(f"It went as told. Its vault: {story.vault}")


def _folder(wish: Wish) -> Path:
    if wish.folder is not None:
        wish.folder.mkdir(parents=True, exist_ok=True)
        return wish.folder.resolve()
    return Path(tempfile.mkdtemp(prefix="dock-demo-"))


def _build_cards(folder: Path, say: Callable[[str], None]) -> list[tuple[Path, Card]]:
    say("Filling the cameras …")
    built = []
    for card in CARDS:
        path = folder / "cameras" / card.folder
        shutil.rmtree(path, ignore_errors=True)
        build(card, path, shutil.which("ffmpeg"))
        built.append((path, card))
    return built


def _configure(
    folder: Path, wish: Wish, cards: list[tuple[Path, Card]], stack: ExitStack
) -> Config:
    for number in range(1, len(cards) + 1):
        bay = folder / "bays" / str(number)
        shutil.rmtree(bay, ignore_errors=True)
        bay.mkdir(parents=True)
    (folder / "station").mkdir(exist_ok=True)
    largest = max(size(path) for path, _ in cards)
    text = CONFIG.format(
        pace=largest // DOCKING_SECONDS,
        listen=wish.listen,
        bays="\n".join(BAY.format(name=n) for n in range(1, len(cards) + 1)),
        destination=_destination(folder, stack),
    )
    path = folder / "station.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def _destination(folder: Path, stack: ExitStack) -> str:
    weed = object_store.program()
    if weed is None:
        (folder / "nas").mkdir(exist_ok=True)
        return DIRECTORY
    store = stack.enter_context(object_store.running(weed, folder / "cloud"))
    return S3.format(
        endpoint=store.endpoint, bucket=store.bucket, credentials=store.credentials
    )


@contextmanager
def _page(config: Config) -> Iterator[str]:
    from web_status.serve import serve  # noqa: PLC0415  the page stands above us

    page = serve(config)
    try:
        yield page.where
    finally:
        page.close()


def _dock_all(
    cards: list[tuple[Path, Card]], folder: Path, stop: threading.Event
) -> None:
    for number, (path, card) in enumerate(cards, 1):
        path.rename(folder / "bays" / str(number) / card.folder)
        if stop.wait(PAUSE):
            return


def _wait(config: Config, threads: Threads, *, once: bool) -> None:
    while not threads.stop.wait(0.5):
        if once and _done(config):
            return


def _done(config: Config) -> bool:
    last = status.read(config.snapshot_path)
    if last is None or len(last.bays) < len(CARDS):
        return False
    sealed = all(bay.state is BayState.SEALED for bay in last.bays)
    with closing(connect_readonly(config.store_path)) as conn:
        return sealed and transfers.waiting(conn).count == 0


def _summary(config: Config) -> list[str]:
    with closing(connect_readonly(config.store_path)) as conn:
        taken = views.taken_in(conn)
        confirmed = transfers.confirmed(conn)
    return [
        f"{taken.files} files, {taken.size / 1e6:.1f} MB: verified, sealed and signed.",
        f"{confirmed} objects confirmed by the destination.",
        f"Check it without us: cd {config.vault_path}/dockings/*/*/*/*/* &&",
        "  sha256sum -c manifest-sha256.txt   (each docking is a folder of its own)",
    ]
