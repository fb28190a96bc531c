"""The whole station in one place without root: cameras, agent, sync, store, page."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

import msgspec

from dock_agent.clock import SystemClock
from dock_agent.config import Config, parse
from dock_agent.errors import DockError
from dock_agent.recording import BayState
from dock_agent.run import run
from dock_agent.simulated import stage
from dock_agent.simulated.scenario import Scenario
from dock_agent.simulated.scenario import load as load_scenario
from dock_agent.store import transfers, views
from dock_agent.store.db import connect, reading
from dock_agent.story import Story
from dock_agent.sync.open import open_all
from dock_agent.sync.worker import Worker
from dock_agent.watch import status
from dock_agent.watch.compose import Watcher

PAUSE = 2.0  # seconds between two officers
TICK = 0.5  # seconds between two looks
SHOWN = {
    BayState.COPYING: "{camera} is copied and verified",
    BayState.CHECKING: "{camera}: everything is read once more",
    BayState.SEALED: "{camera} is sealed: everything on it is safe here",
    BayState.PULLED: "{camera} was pulled: nothing is lost, dock it again",
}


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
            finally:
                self.stop.set()  # none of the parts goes on without the others

        thread = threading.Thread(target=guarded)
        self._all.append(thread)
        thread.start()

    def raise_what_ended_them(self) -> None:
        """Raise what went wrong, if a part ended before it was asked to."""
        if self.stop.is_set():
            raise self.error or DockError("a part of the station ended by itself")

    def end(self) -> None:
        self.stop.set()
        for thread in self._all:
            thread.join()


def play(wish: Wish, say: Callable[[str], None]) -> None:
    """Show the station at work until it is done (`once`) or interrupted.

    Raises what the station's parts raise.
    """
    with ExitStack() as stack:
        folder = stage.directory(wish.folder)
        cameras = stage.cameras(folder, say)
        config = stage.configure(folder, wish.listen, cameras, stack)
        threads = Threads()
        stack.callback(threads.end)
        page = stack.enter_context(_page(config))
        _start(config, threads)
        say(f"The page: {page}   (IT: {page}it)")
        say(f"The bays are directories in {folder / 'bays'}. Try:")
        say(f"  cd {quote(str(folder))}")
        say("  mv bays/1/* .       # pull a camera while it copies,")
        say("  mv KT-* bays/1/     # and dock it again")
        _watch(_Watch(config, cameras, wish.once), threads.stop, say)
        threads.raise_what_ended_them()
        for line in _summary(config):
            say(line)


def _start(config: Config, threads: Threads) -> None:
    ready, clock = threading.Event(), SystemClock()
    threads.start(lambda: run(config, threads.stop, ready.set))
    ready.wait(10)
    worker = Worker(config.vault_path, open_all(config, clock), clock)
    threads.start(lambda: worker.run(lambda: connect(config.store_path), threads.stop))


@dataclass(slots=True)
class _Watch:
    """What is waited for, and what was said of it already."""

    config: Config
    cameras: list[stage.Docker]
    once: bool
    said: dict[str, str] = field(default_factory=dict)

    def news(self) -> Iterator[str]:
        """Yield what changed in the bays since the last look."""
        last = status.read(self.config.snapshot_path)
        for bay in last.bays if last is not None else ():
            line = SHOWN.get(bay.state, "").format(camera=bay.camera)
            if line and self.said.get(bay.name) != line:
                yield f"  bay {bay.name}: {line}"
            self.said[bay.name] = line

    def done(self) -> bool:
        """Whether every camera is sealed, and every file confirmed."""
        last = status.read(self.config.snapshot_path)
        sealed = last is not None and all(
            bay.state is BayState.SEALED for bay in last.bays
        )
        with reading(self.config.store_path) as conn:
            return sealed and transfers.waiting(conn).count == 0


def _watch(watch: _Watch, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Dock one camera after the other, and tell what becomes of them."""
    for docker in watch.cameras:
        docker.dock()
        for _ in range(int(PAUSE / TICK)):
            for line in watch.news():
                say(line)
            if stop.wait(TICK):
                return
    while not (watch.once and watch.done()) and not stop.wait(TICK):
        for line in watch.news():
            say(line)


def tell(wish: Wish, name: str, say: Callable[[str], None]) -> None:
    """Play a scenario, on the page too; slowly, unless `once`.

    Raises `ConfigError` for a name nobody knows, and `OtherwiseThanTold`.
    """
    scenario = load_scenario(name)
    folder = stage.directory(wish.folder) / "story"
    shutil.rmtree(folder, ignore_errors=True)
    story = Story(scenario, folder, say)
    config = parse(_config_of(scenario, wish), base=folder)
    (folder / "station").mkdir()
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


def _config_of(scenario: Scenario, wish: Wish) -> str:
    return stage.CONFIG.format(
        pace=0,
        listen=stage.free(wish.listen),
        bays=stage.bays(scenario.bays),
        destination="",
    )


@contextmanager
def _page(config: Config) -> Iterator[str]:
    from web_status.serve import serve  # noqa: PLC0415  the page stands above us

    page = serve(config)
    try:
        yield page.where
    finally:
        page.close()


def _summary(config: Config) -> list[str]:
    with reading(config.store_path) as conn:
        taken, lines = views.taken_in(conn), views.dockings(conn)
        confirmed, waiting = transfers.confirmed(conn), transfers.waiting(conn).count
    rows = [("bay", "camera", "files", "MB", "state")]
    rows += [
        (line.bay, line.camera, str(line.files), f"{line.size / 1e6:.1f}", line.state)
        for line in reversed(lines)
    ]
    return [
        *(f"  {b:<5}{c:<20}{n:>5}{mb:>7}  {state}" for b, c, n, mb, state in rows),
        f"{taken.files} files, {taken.size / 1e6:.1f} MB: verified on the disk.",
        f"{confirmed} objects confirmed by the destination, {waiting} waiting.",
        "Check it without us:",
        f"  for bag in {quote(str(config.vault_path))}/dockings/*/*/*/*/*; do",
        '    (cd "$bag" && sha256sum --quiet -c manifest-sha256.txt && echo "$bag OK")',
        "  done",
    ]
