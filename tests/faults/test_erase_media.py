"""Cards that fail while they are cleared: in a real child, and where only we can."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.machine import Cleared, Event
from dock_agent.offload.erase.books import EraseJob
from dock_agent.offload.erase.card import NOWHERE, WritableCard
from dock_agent.offload.erase.parent import EraseTerms, ProcessEraser
from dock_agent.offload.messages import Found
from dock_agent.offload.root import Root
from dock_agent.offload.source import Wanted, camera_errors
from dock_agent.recording import ClearState, Policy
from dock_agent.store import erasures
from dock_agent.store.dockings import Docking
from support.bench import CAMERA, Bench
from support.cards import card, digests
from support.eraser import ERASABLE
from support.erasing import Clearing, require_intents, told
from support.erasing import erasures as recorded
from support.faultcard import FaultCard, mounted
from support.process import wait_until

SIZES = {f"DCIM/{n:04d}.MP4": 60_000 for n in range(12)}
STAYS = "note"  # a link: on FUSE an empty camera is not believed
SILENCE = 2.0  # seconds
WHOLE_CARD = Wanted(b"the whole card", NOWHERE, 0, 0, 0, 0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = card(tmp_path / "source", SIZES)
    (made / STAYS).symlink_to("DCIM")
    return made


@pytest.fixture
def media(tmp_path: Path, source: Path) -> Iterator[tuple[Path, FaultCard]]:
    with mounted(source, tmp_path / "card", Readable, writable=True) as fault:
        yield tmp_path / "card", fault


class Readable(FaultCard):
    """A card that has links, too."""

    def readlink(self, path: str) -> str:
        return str(Path(self._real(path)).readlink())


class Run:
    """One erase by a child process; of a card that only we can reach, if `private`."""

    def __init__(
        self, bench: Bench, docking: Docking, source: Path, *, private: bool = True
    ) -> None:
        terms = EraseTerms(Policy.AFTER_VERIFIED, cached_vault=False, silence=SILENCE)
        self.eraser = ProcessEraser(bench.connect, bench.sealer, terms)
        self.docking, self.events = docking, list[Event]()
        root = Root.of(source.stat())
        job = EraseJob(docking.id, CAMERA, source, root, private)
        self.eraser.start(job, ERASABLE, self.events.append)

    def over(self) -> str | None:
        """Wait for its end; return why it was not done, or None."""
        wait_until(lambda: any(isinstance(e, Cleared) for e in self.events))
        self.eraser.close()
        last = self.events[-1]
        assert isinstance(last, Cleared)
        return last.reason


Media = tuple[Path, FaultCard]


def test_a_sound_card_is_cleared_by_a_child(
    bench: Bench, media: Media, source: Path
) -> None:
    docking = bench.dock(media[0])
    before = digests(source)

    assert Run(bench, docking, media[0]).over() is None

    assert digests(source) == {}
    assert (source / STAYS).is_symlink()
    require_intents(bench, before)


def test_where_nobody_can_tell_who_writes_everything_is_kept(
    bench: Bench, media: Media, source: Path
) -> None:
    docking, before = bench.dock(media[0]), digests(source)

    why = Run(bench, docking, media[0], private=False).over()

    assert why is not None
    assert "nobody can tell whether it is being written" in why
    assert digests(source) == before
    assert recorded(bench, docking.id) == {}


def test_a_file_that_cannot_be_read_again_keeps_everything(
    bench: Bench, media: Media, source: Path
) -> None:
    docking, before = bench.dock(media[0]), digests(source)
    media[1].errors["/DCIM/0007.MP4"] = 4096

    why = Run(bench, docking, media[0]).over()

    assert why is not None
    assert digests(source) == before
    assert recorded(bench, docking.id) == {}
    assert erasures.state(bench.conn, docking.id) is ClearState.REFUSED


def test_a_camera_that_may_only_be_read_keeps_everything(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    with mounted(source, tmp_path / "read-only", Readable):
        docking = bench.dock(tmp_path / "read-only")

        why = Run(bench, docking, tmp_path / "read-only").over()

    assert why == "the camera may only be read here"
    assert recorded(bench, docking.id) == {}


def test_a_camera_that_hangs_is_given_up_and_keeps_everything(
    bench: Bench, media: Media, source: Path
) -> None:
    docking, before = bench.dock(media[0]), digests(source)
    media[1].hangs.set()

    why = Run(bench, docking, media[0]).over()

    assert why == "it gave nothing for 2 s"
    media[1].pull()
    assert digests(source) == before
    assert erasures.state(bench.conn, docking.id) is ClearState.REFUSED


def test_a_file_that_cannot_be_removed_stops_the_erase_and_is_told_of(
    bench: Bench, media: Media, source: Path
) -> None:
    docking, before = bench.dock(media[0]), digests(source)
    media[1].kept.add("/DCIM/0004.MP4")

    why = Run(bench, docking, media[0]).over()

    assert why is not None
    assert "DCIM/0004.MP4" in why
    states = recorded(bench, docking.id)
    assert states["DCIM/0003.MP4"] == "erased"
    assert states["DCIM/0004.MP4"] == states["DCIM/0005.MP4"] == "kept"
    assert erasures.state(bench.conn, docking.id) is ClearState.FAILED
    gone = {p: d for p, d in before.items() if p not in digests(source)}
    assert len(gone) == 4
    require_intents(bench, gone)


def test_a_pull_in_the_midst_of_an_erase_says_what_may_be_gone_and_no_more(
    bench: Bench, media: Media, source: Path
) -> None:
    docking, before = bench.dock(media[0]), digests(source)
    media[1].gone_after_unlinks = 5

    why = Run(bench, docking, media[0]).over()

    assert why is not None
    assert erasures.state(bench.conn, docking.id) is ClearState.INTERRUPTED
    assert set(recorded(bench, docking.id).values()) == {"intended"}
    after = digests(source)
    assert len(after) == len(before) - 5
    require_intents(bench, {p: d for p, d in before.items() if p not in after})
    again = bench.dock(source)
    assert again.complete is True
    states = sorted(recorded(bench, docking.id).values())
    assert states == ["gone"] * 5 + ["kept"] * 7


def test_an_erase_that_the_station_gives_up_is_settled_at_the_next_docking(
    bench: Bench, media: Media, source: Path
) -> None:
    docking = bench.dock(media[0])
    media[1].hangs.set()
    run = Run(bench, docking, media[0])

    run.eraser.cancel(docking.id)

    assert run.over() is not None
    media[1].pull()
    assert len(digests(source)) == len(SIZES)
    assert bench.dock(source).complete is True


class Forgetful(WritableCard):
    """A failing card: it removes with success, and only syncfs(2) says what is so."""

    def sync(self) -> None:
        with camera_errors(self, WHOLE_CARD):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_card_that_fails_only_when_it_is_flushed_has_erased_nothing(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    why = Clearing(bench, source, card=Forgetful).of(docking)

    assert why == "the whole card: Input/output error"
    assert set(recorded(bench, docking.id).values()) == {"intended"}
    assert told(bench, docking.id, "erased") == []
    assert told(bench, docking.id, "camera cleared") == []
    assert erasures.state(bench.conn, docking.id) is ClearState.FAILED


class Brittle(WritableCard):
    """The first look is well; afterwards it cannot be listed any more."""

    looks = 0

    def scan(self) -> tuple[Found, ...]:
        type(self).looks += 1
        if type(self).looks > 2:
            with camera_errors(self, WHOLE_CARD):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().scan()


def test_where_the_fresh_look_fails_nothing_is_called_erased(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    why = Clearing(bench, source, card=Brittle).of(docking)

    assert why is not None
    assert set(recorded(bench, docking.id).values()) == {"intended"}
    assert told(bench, docking.id, "camera cleared") == []


class Blind(WritableCard):
    """Afterwards one of its directories cannot be listed any more."""

    looks = 0

    def scan(self) -> tuple[Found, ...]:
        type(self).looks += 1
        found = super().scan()
        if type(self).looks <= 2:
            return found
        why = "cannot be listed: Input/output error"
        return (Found(b"DCIM", 0, 0, 0, 0, missed=why),)


def test_what_cannot_be_listed_afterwards_is_not_called_erased(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    why = Clearing(bench, source, card=Blind).of(docking)

    assert why == "DCIM: cannot be listed: Input/output error"
    assert set(recorded(bench, docking.id).values()) == {"intended"}
    assert told(bench, docking.id, "erased") == []
