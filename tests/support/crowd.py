"""Many who send at once, one at a time: one seed, one story in virtual time.

Two destinations, and up to two processes whose threads share a worker as they do in a
station. Between any two questions, answers, pieces of bytes and commits another may go
on; one is held up for longer than its lease, a process is killed or stopped, the
network changes, an upload vanishes, the weather is bad.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from dock_agent.config_tables import Window
from dock_agent.recording import DestinationName, Priority
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.weather import Weather
from dock_agent.store import backlog, custody
from dock_agent.sync.brake import Brake
from dock_agent.sync.carry import Stopping
from dock_agent.sync.lane import Lane
from dock_agent.sync.meter import Meter
from dock_agent.sync.policy import LEASE, Policy
from dock_agent.sync.route import Routes
from dock_agent.sync.s3.upload import PUT_TOGETHER_S
from dock_agent.sync.worker import Network, Worker
from dock_agent.sync.wrappers import Around, wrapped
from support.queues import CLOUD, Queue
from support.referee import Referee
from support.storm import PART, bad_weather, books
from support.turning import Nap, Shared, Turning
from support.turns import Player, Turns

OTHER = DestinationName("other")
DOCKINGS, FILES = 4, 50
TURNS = 9_000  # of bad weather, at most
CLEARING = 60_000  # turns until everything must have arrived
HELD_UP = 0.004  # of the times that something is to be committed
TOO_LATE_S = 2 * LEASE.total_seconds()
DAY = Window(days="mon-sun", begin="06:00", end="23:00")


@dataclass
class Process:
    """A worker, and its threads."""

    worker: Worker
    players: list[Player]

    @property
    def over(self) -> bool:
        """Whether all of its threads have ended."""
        return all(player.over for player in self.players)


@dataclass
class Crowd:
    """One seed at work below `folder`."""

    seed: int
    folder: Path
    chance: Random = field(init=False)
    clock: ManualClock = field(init=False)
    turns: Turns = field(init=False)
    clouds: dict[DestinationName, Shared] = field(init=False)
    conn: sqlite3.Connection = field(init=False)
    queue: Queue = field(init=False)
    referee: Referee = field(init=False)
    processes: list[Process] = field(default_factory=list)
    routes: Routes = field(default_factory=lambda: Routes(("eth0",)))
    begun: int = 0

    def __post_init__(self) -> None:
        chance = self.chance = Random(self.seed)
        self.clock = ManualClock(seed=self.seed)
        self.turns = Turns(self.clock, chance)
        slow = chance.choice([0.0, PUT_TOGETHER_S])
        self.clouds = {name: self._cloud(slow) for name in (CLOUD, OTHER)}
        windows = chance.choice([(), (), (DAY,)])
        policy = Policy(ZoneInfo("UTC"), windows, marked_pass=chance.random() < 0.5)
        self.conn = books(self.folder)
        vault = self.folder / "vault"
        self.queue = Queue(self.conn, vault, self.clock, (CLOUD, OTHER))
        for number in range(DOCKINGS):
            sizes = [chance.randrange(5 * PART) for _ in range(FILES)]
            order = chance.choice(list(Priority)), chance.randrange(3)
            self.queue.docking(number, sizes, order[0], rank=order[1])
        self.referee = Referee(
            self.conn, self.clock, self.clouds, self.queue.sent, policy
        )

    def rage(self) -> None:
        """Live through the weather, then through what it left."""
        self.suffer(TURNS)
        for cloud in self.clouds.values():
            cloud.weather = Weather()
        for _ in range(CLEARING):
            if self._is_over():
                break
            self._keep_some_running()
            self._turn()
        self.end()

    def suffer(self, turns: int) -> None:
        """Live through so many turns of bad weather, or until all is there."""
        for _ in range(turns):
            if self._is_over():
                break
            self._keep_some_running()
            self._something_happens()
            self._turn()

    def end(self) -> None:
        """Let nobody play any more."""
        for process in self.processes:
            self._kill(process)

    def require_the_end(self) -> None:
        """Everything arrived everywhere, exactly once, and the log is whole."""
        rows = self.conn.execute("SELECT * FROM transfer WHERE state <> 'confirmed'")
        assert [tuple(row) for row in rows] == [], f"seed {self.seed}"
        for name in self.clouds:
            for key in self.queue.sent:
                assert (name, key) in self.referee.confirmed, f"seed {self.seed}"
                self.referee.require_there(name, key)
            assert len(self.clouds[name].objects) == len(self.queue.sent)
        custody.check(self.conn)
        self.conn.close()

    def _cloud(self, slow_s: float) -> Shared:
        return Shared(
            self.clock,
            part_size=PART,
            echoes=self.chance.random() < 0.5,
            wait=self.turns.pause,
            pause=self.turns.pause,
            chance=self.chance,
            slow_s=slow_s,
        )

    def _keep_some_running(self) -> None:
        """Begin a process where there is none, and a second one now and then."""
        self.processes = [one for one in self.processes if not one.over]
        if not self.processes:
            self.clock.advance(timedelta(seconds=self.chance.randrange(600)))
            self._begin()
        elif len(self.processes) == 1 and self.chance.random() < 0.002:
            self._begin()

    def _begin(self) -> None:
        self.begun += 1
        stop = Nap(self.turns)
        lanes = {name: self._lane(name, stop) for name in self.clouds}
        worker = Worker(self.queue.vault, lanes, self.clock, Network(self._look), stop)
        threads = self.chance.randrange(1, 5)
        players = [
            self._thread(worker, name, f"{self.begun}-{name}-{number}")
            for name in lanes
            for number in range(threads)
        ]
        self.processes.append(Process(worker, players))

    def _thread(self, worker: Worker, name: DestinationName, called: str) -> Player:
        def send() -> None:
            worker.keep_sending(lambda: books(self.folder), name)

        return self.turns.enter(called, send)

    def _lane(self, name: DestinationName, stop: Nap) -> Lane:
        def wait(seconds: float) -> None:
            if stop.wait(seconds):
                raise Stopping("the worker was stopped")

        brake, meter = Brake(self.clock, wait), Meter(self.clock)
        around = Around(name, self.clock, wait, brake, meter)
        turning = Turning(self.clouds[name], self.turns.pause, self._late)
        inner = wrapped(turning, around)
        return Lane(inner, self.referee.policy, goodput=meter.goodput)

    def _late(self) -> None:
        """Let whose turn it is go on now; seldom, when its lease ran out."""
        player, seldom = self.turns.current, self.chance.random() < HELD_UP
        if seldom and player is not None:
            self.referee.excused.add(player)
        self.turns.pause(self.chance.random() * TOO_LATE_S if seldom else 0)

    def _look(self) -> Routes:
        self.turns.pause()
        return self.routes

    def _turn(self) -> None:
        if self.turns.players:
            self.referee.after(self.turns.turn())

    def _something_happens(self) -> None:
        chance, process = self.chance, self.chance.choice(self.processes)
        match chance.randrange(1000):
            case 0:
                self._kill(process)
            case 1:
                process.worker.stop.set()
            case 2 | 3:
                self.routes = Routes((chance.choice(["eth0", "wwan0"]),))
            case 4 | 5 | 6 | 7:
                self._hold_up(chance.choices(process.players))
            case 8:
                self._hold_up(process.players)  # a machine that is suspended
            case 9 | 10:
                cloud = chance.choice(list(self.clouds.values()))
                cloud.uploads.pop(chance.choice([*cloud.uploads, ""]), None)
            case 11 | 12 | 13 | 14 | 15 | 16:
                cloud = chance.choice(list(self.clouds.values()))
                cloud.weather = bad_weather(chance, cloud, self.queue.sent)

    def _hold_up(self, players: Iterable[Player]) -> None:
        """Let some go on only later, perhaps when their lease ran out."""
        self.referee.excused.update(players)
        late = timedelta(seconds=self.chance.random() * TOO_LATE_S)
        for player in players:
            player.rests_until = self.clock.now().utc + late

    def _kill(self, process: Process) -> None:
        for player in process.players:
            if not player.over:
                self.turns.kill(player)

    def _is_over(self) -> bool:
        return backlog.waiting(self.conn).count == 0
