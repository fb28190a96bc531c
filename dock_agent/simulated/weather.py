"""What is wrong with a simulated cloud, and when."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from dock_agent.clock import Clock
from dock_agent.errors import Barred, Busy, Full, NotTaken, Portal, Refused, Unreachable

Wait = Callable[[float], object]


class Lie(StrEnum):
    """What a destination says of bytes that it does not keep as they were sent."""

    TAKEN = "taken"  # our own digest, and that nobody looked
    WHOLE = "whole"  # that it read them, and the digest of what it has
    MISSING = "missing"  # nothing: it looks, and finds that they are other bytes
    ECHOED = "echoed"  # right after sending, our own digest, as if it were its own
    SHORT = "short"  # the right length; what it gives back is shorter


@dataclass(slots=True)
class Weather:
    """What is wrong with a cloud. Change it while the cloud is in use.

    `outages`: numbers of the calls, from 1, that nobody answers; `lost`: of those
    that are done, and whose answer is lost. `lost_replies`: so many of the next calls
    that change something are not answered either. `out_until`, `barred_until`,
    `full_until`: until then nobody answers, it will not have us, it takes nothing.
    `busy`: the seconds that each of the next calls is told to wait (None: it does not
    say). `portal`: somebody else's page comes back. `refuses`: keys it will never
    take; `never_taken`: keys it always fails to; `not_taken`: how often it still
    does. `slow`: bytes a second. `cut_after`: bytes until the line is cut, once.
    `lies`: it keeps other bytes.
    """

    outages: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    lost_replies: int = 0
    out_until: datetime | None = None
    barred_until: datetime | None = None
    full_until: datetime | None = None
    busy: list[float | None] = field(default_factory=list)
    portal: bool = False
    refuses: set[str] = field(default_factory=set)
    never_taken: set[str] = field(default_factory=set)
    not_taken: Counter[str] = field(default_factory=Counter)
    slow: int | None = None
    cut_after: int | None = None
    lies: Lie | None = None

    def meets(self, call: int, clock: Clock) -> None:
        """Raise what the call of that number meets."""
        if call in self.outages or _before(clock, self.out_until):
            raise Unreachable("the cloud does not answer")
        if self.portal:
            raise Portal("a page to sign in came back")
        if _before(clock, self.barred_until):
            raise Barred("the cloud does not know this key any more")
        if self.busy:
            raise Busy("the cloud is busy", self.busy.pop(0))

    def has_room(self, clock: Clock) -> None:
        """Raise `Full` while there is none."""
        if _before(clock, self.full_until):
            raise Full("the cloud is full")

    def takes(self, key: str) -> None:
        """Raise if it does not take this object, or not this time."""
        if key in self.refuses:
            raise Refused(f"{key} is not wanted here")
        if key in self.never_taken:
            raise NotTaken(f"{key} was not taken")
        if self.not_taken[key] > 0:
            self.not_taken[key] -= 1
            raise NotTaken(f"{key} was not taken this time")

    def answers(self, call: int) -> None:
        """Raise if the answer to the call of that number is lost."""
        if call in self.lost:
            raise Unreachable("the reply was lost")

    def answers_a_change(self, call: int) -> None:
        """Raise if the answer to a call that changed something is lost."""
        if self.lost_replies:
            self.lost_replies -= 1
            raise Unreachable("the reply was lost")
        self.answers(call)

    def carries(self, count: int, wait: Wait) -> None:
        """Let bytes go over the line, while there is one."""
        if self.slow is not None:
            wait(count / self.slow)
        if self.cut_after is None:
            return
        self.cut_after -= count
        if self.cut_after < 0:
            self.cut_after = None
            raise Unreachable("the line was cut")


def _before(clock: Clock, when: datetime | None) -> bool:
    return when is not None and clock.now().utc < when
