"""Threads that take turns: one runs at a time, and chance says which, by its seed.

Whoever comes to `pause` hands over, and goes on once it is chosen again. All else is
plain code in plain threads; equal seeds give equal stories.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from dock_agent.simulated.clock import ManualClock

PATIENCE = 60.0  # seconds of a real clock that one turn may take
AT_ONCE, MOMENT = timedelta(0), timedelta(microseconds=1)


class Killed(BaseException):
    """The thread's process ends here: nothing of it runs on."""


@dataclass(eq=False)
class Player:
    """A thread that takes turns. `rests_until` is when it may go on."""

    name: str
    rests_until: datetime
    killed: bool = False
    over: bool = False
    error: BaseException | None = None
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@dataclass
class Turns:
    """Who plays, and whose turn it is. Time passes while nobody can go on."""

    clock: ManualClock
    chance: Random
    players: list[Player] = field(default_factory=list)
    current: Player | None = None
    _back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def enter(self, name: str, work: Callable[[], object]) -> Player:
        """Let a thread of its own play; it begins with its first turn."""
        player = Player(name, self._now)
        self.players.append(player)
        threading.Thread(target=self._play, args=(player, work), daemon=True).start()
        return player

    def pause(self, seconds: float = 0.0) -> None:
        """Hand over, and go on no sooner than so many seconds later."""
        player = self.current
        if player is None:  # who only sets the scene takes no turns
            return
        if not player.killed:
            player.rests_until = self._now + timedelta(seconds=seconds)
            self._hand_over(player)
        if player.killed:
            raise Killed

    def turn(self) -> Player:
        """Let one player go on until it pauses, or is done; return which it was."""
        self.clock.advance(MOMENT)  # no two things ever happen at once
        soonest = min(player.rests_until for player in self.players)
        self.clock.advance(max(AT_ONCE, soonest - self._now))
        ready = [one for one in self.players if one.rests_until <= self._now]
        return self._let(self.chance.choice(ready))

    def kill(self, player: Player) -> None:
        """End a player wherever it is."""
        player.killed = True
        if not player.over:
            self._let(player)
        assert player.over, f"{player.name} runs on"

    @property
    def _now(self) -> datetime:
        return self.clock.now().utc

    def _let(self, player: Player) -> Player:
        self.current = player
        player._go.release()  # noqa: SLF001  its own module
        assert self._back.acquire(timeout=PATIENCE), f"{player.name} never paused"
        self.current = None
        if player.over:
            self.players.remove(player)
        if player.error is not None:
            raise player.error
        return player

    def _hand_over(self, player: Player) -> None:
        self._back.release()
        player._go.acquire()  # noqa: SLF001  its own module

    def _play(self, player: Player, work: Callable[[], object]) -> None:
        player._go.acquire()  # noqa: SLF001  its own module
        try:
            if not player.killed:
                work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised in `turn`
            player.error = error
        player.over = True
        self._back.release()
