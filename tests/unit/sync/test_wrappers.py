"""What is put around a destination, with a cloud of which the weather is known."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import (
    Barred,
    Busy,
    Full,
    NotTaken,
    Portal,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import PART_SIZE, DestinationName
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.sync.brake import Brake
from dock_agent.sync.destination import Destination, Object, Progress
from dock_agent.sync.meter import Meter
from dock_agent.sync.wrappers import (
    Guarded,
    Limited,
    Logged,
    Metered,
    Retried,
    Through,
    wrapped,
)
from support.place_simulated import NAME, around, waiting
from support.sending import (
    Hearing,
    Interrupted,
    Memory,
    item,
    item_of_small_pieces,
    sent_whole,
)

DONE = Progress()
SIZE = 1 << 20


@dataclass
class Bench:
    """A cloud, and how long was waited."""

    clock: ManualClock = field(default_factory=ManualClock)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cloud = SimulatedCloud(self.clock, wait=waiting(self.clock))

    def wait(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    @property
    def passed(self) -> float:
        return self.clock.now().monotonic_ns / 1e9

    def retried(self) -> Retried:
        return Retried(self.cloud, self.clock, self.wait)


@dataclass
class Failing(SimulatedCloud):
    """Raises this from everything it is asked, so many times."""

    error: SyncError = field(default_factory=Unreachable)
    times: int = 1
    asked: int = 0

    def _asked(self) -> None:
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        SimulatedCloud._asked(self)  # noqa: SLF001  it is one


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, SIZE)


def idempotent(destination: Destination, sent: Object) -> list[Callable[[], object]]:
    """Return what is asked again."""
    return [
        destination.probe,
        destination.marker,
        lambda: destination.look(sent, DONE),
        lambda: destination.confirm(sent, DONE),
    ]


@pytest.mark.parametrize("number", range(4))
def test_what_nobody_answered_is_asked_again_within_seconds(
    bench: Bench, sent: Object, number: int
) -> None:
    bench.cloud.weather.outages = {1, 2}

    idempotent(bench.retried(), sent)[number]()

    assert bench.cloud.calls == 3
    assert len(bench.slept) == 2
    assert bench.passed <= 2


@pytest.mark.parametrize("number", range(4))
def test_what_nobody_answers_ever_is_given_up_soon(
    bench: Bench, sent: Object, number: int
) -> None:
    bench.cloud.weather.outages = set(range(100))

    with pytest.raises(Unreachable):
        idempotent(bench.retried(), sent)[number]()

    assert bench.cloud.calls == 3


def test_a_sending_is_not_begun_again_here(bench: Bench, sent: Object) -> None:
    bench.cloud.weather.outages = {1}

    with pytest.raises(Unreachable):
        bench.retried().send(sent, DONE, Memory())

    assert bench.cloud.calls == 1
    assert bench.slept == []


def test_a_busy_destination_is_given_the_time_that_it_asks_for(bench: Bench) -> None:
    bench.cloud.weather.busy = [7, 3]

    bench.retried().probe()

    assert bench.slept == [7, 3]


def test_a_destination_that_asks_for_long_rests_as_a_whole(bench: Bench) -> None:
    bench.cloud.weather.busy = [10.5]

    with pytest.raises(Busy):
        bench.retried().probe()

    assert bench.slept == []


@pytest.mark.parametrize(
    "error", [Portal(), Full(), Barred(), NotTaken(), Refused()], ids=repr
)
def test_what_is_not_gone_in_a_second_is_not_asked_again(
    bench: Bench, error: SyncError
) -> None:
    cloud = Failing(bench.clock, error=error, times=100)

    with pytest.raises(type(error)):
        Retried(cloud, bench.clock, bench.wait).probe()

    assert cloud.asked == 1


def test_stations_do_not_come_back_all_at_once() -> None:
    pauses = set()
    for seed in range(20):
        bench = Bench(ManualClock(seed=seed))
        bench.cloud.weather.outages = {1}
        bench.retried().probe()
        pauses.add(round(bench.passed, 4))

    assert len(pauses) > 15


def test_each_call_is_one_line_of_the_log(
    bench: Bench, sent: Object, caplog: pytest.LogCaptureFixture
) -> None:
    logged = Logged(bench.cloud, NAME, bench.clock)
    bench.cloud.weather.slow = SIZE // 2

    with caplog.at_level(logging.DEBUG):
        logged.probe()
        logged.check()
        logged.marker()
        logged.mark("first")
        logged.look(sent, DONE)
        done = logged.send(sent, DONE, Memory())
        logged.confirm(sent, done)

    said = [record.getMessage() for record in caplog.records]
    assert said == [
        line("probe", "-", 0, 0, "done"),
        line("check", "-", 0, 0, "done"),
        line("marker", "-", 0, 0, "absent"),
        line("mark", "-", 0, 0, "done"),
        line("look", sent.key, 0, 0, "absent"),
        line("send", sent.key, SIZE, 2, "done"),
        line("confirm", sent.key, SIZE, 2, "done"),
    ]


def test_a_call_that_fails_is_logged_by_the_kind_of_its_error_alone(
    bench: Bench, sent: Object, caplog: pytest.LogCaptureFixture
) -> None:
    logged = Logged(bench.cloud, NAME, bench.clock)
    bench.cloud.weather.cut_after = SIZE - 1

    with caplog.at_level(logging.DEBUG), pytest.raises(Unreachable):
        logged.send(sent, DONE, Memory())

    said = [record.getMessage() for record in caplog.records]
    assert said == [line("send", sent.key, SIZE, 0, "Unreachable")]


def test_bytes_are_metered_each_way(bench: Bench, sent: Object) -> None:
    meter = Meter(bench.clock)
    metered = Metered(bench.cloud, meter)

    done = metered.send(sent, DONE, Memory())
    assert (meter.read().sent, meter.read().fetched) == (SIZE, 0)
    metered.confirm(sent, done)

    assert (meter.read().sent, meter.read().fetched) == (SIZE, SIZE)


def test_bytes_are_limited_each_way(bench: Bench, sent: Object) -> None:
    brake = Brake(bench.clock, bench.wait, SIZE // 10)

    assert sent_whole(Limited(bench.cloud, brake), sent) is not None

    assert bench.passed == pytest.approx(20, rel=0.02)


def test_a_destination_that_trickles_is_left(bench: Bench, sent: Object) -> None:
    bench.cloud.weather.slow = 500
    whole = item_of_small_pieces(sent)

    with pytest.raises(Unreachable, match="slower than"):
        Guarded(bench.cloud, bench.clock).send(whole, DONE, Memory())

    assert bench.passed < 200
    assert bench.cloud.objects == {}


def test_a_rate_below_the_floor_is_our_own_wish_and_no_stall(
    bench: Bench, tmp_path: Path
) -> None:
    sent = item_of_small_pieces(item(tmp_path, 200_000))
    terms = around(bench.clock, rate=500)

    assert sent_whole(wrapped(bench.cloud, terms), sent) is not None

    assert bench.passed == pytest.approx(800, rel=0.02)
    assert (terms.meter.read().sent, terms.meter.read().fetched) == (200_000, 200_000)


def test_what_waits_for_the_brake_has_not_moved_yet(bench: Bench, sent: Object) -> None:
    def stop(seconds: float) -> None:
        del seconds
        raise Interrupted

    meter, heard = Meter(bench.clock), Hearing()
    limited = Limited(bench.cloud, Brake(bench.clock, stop, 1))

    with pytest.raises(Interrupted):
        Metered(limited, meter).send(heard.of(sent), DONE, Memory())

    assert (heard.total, meter.read().sent) == (0, 0)


def test_a_try_again_is_braked_counted_and_logged(
    bench: Bench, sent: Object, caplog: pytest.LogCaptureFixture
) -> None:
    terms = around(bench.clock)
    whole = wrapped(bench.cloud, terms)
    done = whole.send(sent, DONE, Memory())
    bench.cloud.weather.cut_after = SIZE // 2

    with caplog.at_level(logging.DEBUG):
        assert whole.confirm(sent, done) is not None

    said = [record.getMessage().split()[-1] for record in caplog.records]
    assert said == ["outcome=Unreachable", "outcome=done"]


@pytest.mark.parametrize("after", [1, 2])
def test_an_upload_is_cut_and_goes_on_inside_everything(
    bench: Bench, tmp_path: Path, after: int
) -> None:
    sent, memory = item(tmp_path, 3 * PART_SIZE), Memory()
    whole = wrapped(bench.cloud, around(bench.clock))
    bench.cloud.weather.cut_after = after * PART_SIZE + 1

    with pytest.raises(Unreachable):
        whole.send(sent, DONE, memory)
    done = whole.send(sent, memory.newest, memory)

    assert whole.confirm(sent, done, sent=True) is not None
    assert bench.cloud.part_calls == 4


@pytest.mark.parametrize(
    "wrap", [Through, lambda inner: wrapped(inner, around(ManualClock()))]
)
def test_what_is_known_of_a_place_shows_through(
    bench: Bench, wrap: Callable[[Destination], Destination]
) -> None:
    whole = wrap(bench.cloud)

    whole.check()
    whole.mark("first")

    assert whole.capabilities == bench.cloud.known
    assert whole.capabilities.asked_at is not None
    assert whole.marker() == bench.cloud.ident == "first"


def line(call: str, key: str, count: int, seconds: int, outcome: str) -> str:
    """Return a line of the log."""
    return (
        f"destination called name={DestinationName('cloud')} call={call} key={key}"
        f" bytes={count} seconds={seconds}.000 outcome={outcome}"
    )
