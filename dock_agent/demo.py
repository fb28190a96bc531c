"""The whole station in one place without root: cameras, agent, sync, store, page."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

import msgspec

from dock_agent.clock import Instant, SystemClock
from dock_agent.config import Config, parse
from dock_agent.errors import DockError
from dock_agent.recording import BayState
from dock_agent.run import run
from dock_agent.simulated import stage
from dock_agent.simulated.scenario import Scenario
from dock_agent.simulated.scenario import load as load_scenario
from dock_agent.store import backlog, files, views
from dock_agent.store.db import connect, reading
from dock_agent.story import Story
from dock_agent.sync.open import worker
from dock_agent.watch import status
from dock_agent.watch.compose import Watcher
from dock_agent.watch.status import BayStatus

PAUSE = 2.0  # seconds between two officers
TICK = 0.5  # seconds between two looks
SHOWN = {
    BayState.COPYING: "{camera} is copied and verified",
    BayState.CHECKING: "{camera}: everything is read once more",
    BayState.SEALED: "{camera} is sealed: everything on it is safe here",
    BayState.PULLED: "{camera} was pulled: nothing is lost, dock it again",
}
NEEDS = "{camera} needs a person: {code}"


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
        folder = stack.enter_context(stage.directory(wish.folder))
        stage.say_what_is_proved(folder, say)
        cameras = stage.cameras(folder, say)
        config = stage.configure(folder, wish.listen, cameras, stack)
        threads = Threads()
        stack.callback(threads.end)
        page = stack.enter_context(_page(config))
        news = News(config, SystemClock().now())
        _start(config, threads)
        say(f"The page: {page}   (IT: {page}it)")
        say(f"The bays are directories in {folder / 'bays'}. Try:")
        say(f"  cd {quote(str(folder))}")
        say("  mv bays/1/* .       # pull a camera while it copies,")
        say("  mv KT-* bays/1/     # and dock it again")
        _watch(_Show(news, cameras, wish.once), threads.stop, say)
        threads.raise_what_ended_them()
        for line in _summary(config):
            say(line)


def _start(config: Config, threads: Threads) -> None:
    ready, clock = threading.Event(), SystemClock()
    threads.start(lambda: run(config, threads.stop, ready.set))
    ready.wait(10)
    with closing(connect(config.store_path)) as conn:
        sending = worker(config, clock, conn, threads.stop)
    threads.start(lambda: sending.run(lambda: connect(config.store_path)))


@dataclass(slots=True)
class News:
    """What the agent that was begun with us says, and what was told of it already.

    An earlier one may have left its last word in the same directory.
    """

    config: Config
    begun: Instant
    _told: dict[str, str] = field(default_factory=dict)

    def since(self, now: Instant) -> Iterator[str]:
        """Yield what changed in the bays since the last look."""
        for bay in self._bays(now):
            line = _line(bay)
            if line and self._told.get(bay.name) != line:
                yield f"  bay {bay.name}: {line}"
            self._told[bay.name] = line

    def sealed(self, now: Instant) -> bool:
        """Whether every camera is sealed."""
        bays = self._bays(now)
        return bool(bays) and all(bay.state is BayState.SEALED for bay in bays)

    def _bays(self, now: Instant) -> tuple[BayStatus, ...]:
        last = status.read(self.config.snapshot_path)
        if last is None or not status.is_fresh(last, now):
            return ()
        return last.bays if last.monotonic_ns >= self.begun.monotonic_ns else ()


def _line(bay: BayStatus) -> str:
    form = NEEDS if bay.code else SHOWN.get(bay.state, "")
    return form.format(camera=bay.camera, code=bay.code)


@dataclass(frozen=True, slots=True)
class _Show:
    """What is watched, and when it is over."""

    news: News
    cameras: list[stage.Docker]
    once: bool

    def over(self) -> bool:
        """Whether everything is confirmed, if that is what ends it."""
        if not self.once or not self.news.sealed(SystemClock().now()):
            return False
        with reading(self.news.config.store_path) as conn:
            return backlog.waiting(conn).count == 0


def _watch(show: _Show, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Dock one camera after the other, and tell what becomes of them."""
    for docker in show.cameras:
        docker.dock()
        for _ in range(int(PAUSE / TICK)):
            for line in show.news.since(SystemClock().now()):
                say(line)
            if stop.wait(TICK):
                return
    while not show.over() and not stop.wait(TICK):
        for line in show.news.since(SystemClock().now()):
            say(line)


def tell(wish: Wish, name: str, say: Callable[[str], None]) -> None:
    """Play a scenario, on the page too; slowly, unless `once`.

    Raises `ConfigError` for a name nobody knows, and `OtherwiseThanTold`.
    """
    scenario = load_scenario(name)
    with stage.directory(wish.folder) as base:
        _play(scenario, base / "story", wish, say)


def _play(
    scenario: Scenario, folder: Path, wish: Wish, say: Callable[[str], None]
) -> None:
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
        taken, lines = files.taken_in(conn), views.dockings(conn)
        confirmed, waiting = backlog.confirmed(conn), backlog.waiting(conn).count
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
