"""What every page may know: the configuration, the time, the agent's last word."""

from dataclasses import dataclass
from datetime import datetime

from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.durations import clock_words
from web_status import words
from web_status.snapshot import Seen, look
from web_status.words import Board


@dataclass(frozen=True, slots=True)
class Facts:
    """One station's facts, looked up anew at each call."""

    config: Config
    clock: Clock

    def now(self) -> datetime:
        return self.clock.now().utc

    def time_of_day(self) -> str:
        """Return the time of day at the station."""
        return clock_words(self.now(), self.config.zone)

    def seen(self) -> Seen:
        """Return the agent's last word, judged at this moment."""
        return look(self.config.snapshot_path, self.clock.now())

    def board(self) -> Board:
        """Return the board as it is at this moment, in words."""
        return words.board(self.seen(), self.config.zone)
