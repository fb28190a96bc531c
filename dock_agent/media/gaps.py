"""What is odd in the timeline of one camera's recordings. Pure; nothing is mended.

A hole is no proof that something was taken away: an officer stops a recording, a
battery dies. It is said so that nobody has to find it in court.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise

from dock_agent.media.container import ContainerState

TOLERANCE = timedelta(seconds=1)
A_WRAP = 1000  # a counter that falls by more began again: they have few digits


class Oddity(StrEnum):
    """What may be odd."""

    HOLE = "hole"  # nothing was recorded between two files
    OVERLAP = "overlap"  # two files of one lens show the same time
    CLOCK_JUMP = "clock jump"  # a later number has an earlier time
    SKIPPED = "skipped"  # numbers that no file has
    EMPTY = "empty"  # a file without a byte
    TRUNCATED = "truncated"  # a container that ends before it says
    BROKEN = "broken"  # a container that contradicts itself, or is none


WRONG = {
    ContainerState.EMPTY: Oddity.EMPTY,
    ContainerState.TRUNCATED: Oddity.TRUNCATED,
    ContainerState.BROKEN: Oddity.BROKEN,
    ContainerState.NOT_MP4: Oddity.BROKEN,
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One video file on the timeline: times are the camera's, as far as known.

    `lens` tells files apart that one camera takes at the same time; `number` is the
    camera's own counter.
    """

    name: str
    begin: datetime | None
    length: timedelta | None
    state: ContainerState = ContainerState.OK
    number: int | None = None
    lens: str = ""

    @property
    def end(self) -> datetime | None:
        if self.begin is None or self.length is None:
            return None
        return self.begin + self.length


@dataclass(frozen=True, slots=True)
class Finding:
    """One oddity: the files beside it in order, and how long or how many."""

    what: Oddity
    names: tuple[str, ...]
    lasts: timedelta | None = None
    numbers: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """Return it as a sentence."""
        return _SENTENCES[self.what].format(
            first=self.names[0],
            last=self.names[-1],
            lasts=_seconds(self.lasts),
            numbers=_range(self.numbers),
        )


_SENTENCES = {
    Oddity.HOLE: "nothing for {lasts} between {first} and {last}",
    Oddity.OVERLAP: "{first} and {last} overlap by {lasts}",
    Oddity.CLOCK_JUMP: "{last} has a later number than {first},"
    " and a time that is {lasts} earlier",
    Oddity.SKIPPED: "no file has {numbers}, between {first} and {last}",
    Oddity.EMPTY: "{first} is empty",
    Oddity.TRUNCATED: "{first} is cut off",
    Oddity.BROKEN: "{first} cannot be read as a video",
}


def findings(clips: Iterable[Clip]) -> tuple[Finding, ...]:
    """Return what is odd among the video files of one camera, by lens and time.

    Holes are told within one day of the camera's clock: a night is none.
    """
    every = sorted(clips, key=lambda clip: (clip.lens, clip.name))
    found: list[Finding] = [
        Finding(WRONG[clip.state], (clip.name,))
        for clip in every
        if clip.state in WRONG
    ]
    for _, lens in groupby(every, key=lambda clip: clip.lens):
        of_lens = list(lens)
        found += _by_time(of_lens)
        found += _by_number(of_lens)
    return tuple(found)


def _by_time(clips: Sequence[Clip]) -> Iterator[Finding]:
    timed = sorted(
        ((clip.begin, clip) for clip in clips if clip.begin is not None),
        key=lambda pair: (pair[0], pair[1].name),
    )
    last: tuple[datetime, Clip] | None = None  # whichever ended last so far
    for begin, clip in timed:
        if last is not None:
            yield from _between(last, begin, clip)
        if clip.end is not None and (last is None or clip.end > last[0]):
            last = clip.end, clip


def _between(
    last: tuple[datetime, Clip], begin: datetime, clip: Clip
) -> Iterator[Finding]:
    ended, before = last
    apart, names = begin - ended, (before.name, clip.name)
    if apart > TOLERANCE and begin.date() == ended.date():
        yield Finding(Oddity.HOLE, names, lasts=apart)
    shown = min(-apart, clip.length) if clip.length is not None else -apart
    if shown > TOLERANCE:
        yield Finding(Oddity.OVERLAP, names, lasts=shown)


def _by_number(clips: Sequence[Clip]) -> Iterator[Finding]:
    numbered = sorted(
        ((clip.number, clip) for clip in clips if clip.number is not None),
        key=lambda pair: (pair[0], pair[1].name),
    )
    for (number, before), (following, clip) in pairwise(_since_its_wrap(numbered)):
        names = before.name, clip.name
        if following - number > 1 and following - number < A_WRAP:
            missing = number + 1, following - 1
            yield Finding(Oddity.SKIPPED, names, numbers=missing)
        if before.begin and clip.begin and before.begin - clip.begin > TOLERANCE:
            lasts = before.begin - clip.begin
            yield Finding(Oddity.CLOCK_JUMP, names, lasts=lasts)


def _since_its_wrap(numbered: list[tuple[int, Clip]]) -> list[tuple[int, Clip]]:
    """Put what was numbered before a counter began again in front of the rest."""
    for at, ((number, _), (following, _)) in enumerate(pairwise(numbered), 1):
        if following - number >= A_WRAP:
            return numbered[at:] + numbered[:at]
    return numbered


def _seconds(lasts: timedelta | None) -> str:
    return "" if lasts is None else f"{lasts.total_seconds():.0f} s"


def _range(numbers: tuple[int, int] | None) -> str:
    if numbers is None:
        return ""
    first, last = numbers
    return f"number {first}" if first == last else f"numbers {first} to {last}"
