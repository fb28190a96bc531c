"""The weather of a cloud in memory: it does what it is told, and the same again."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

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
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.simulated.weather import Lie, Weather
from dock_agent.sync.destination import Object, Progress
from support.place_simulated import waiting
from support.sending import Hearing, Memory, item, sent_whole

DONE = Progress()
HOUR = timedelta(hours=1)
LIES = [lie for lie in Lie if lie is not Lie.TAKEN]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> SimulatedCloud:
    return SimulatedCloud(clock, wait=waiting(clock))


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, 5000)


@pytest.fixture
def large(tmp_path: Path) -> Object:
    return item(tmp_path, 3 * PART_SIZE)


def ask_everything(cloud: SimulatedCloud, sent: Object) -> None:
    """Ask it everything that a worker does."""
    cloud.probe()
    cloud.check()
    if cloud.marker() is None:
        cloud.mark("first")
    sent_whole(cloud, sent)
    cloud.look(sent, DONE)


@pytest.mark.parametrize(
    ("weather", "raised"),
    [
        (Weather(portal=True), Portal),
        (Weather(out_until=ManualClock().now().utc + HOUR), Unreachable),
        (Weather(barred_until=ManualClock().now().utc + HOUR), Barred),
        (Weather(busy=[3.0]), Busy),
    ],
    ids=["portal", "out", "barred", "busy"],
)
def test_bad_weather_meets_every_call(
    clock: ManualClock, sent: Object, weather: Weather, raised: type[SyncError]
) -> None:
    asking: list[Callable[[SimulatedCloud], object]] = [
        SimulatedCloud.probe,
        SimulatedCloud.check,
        SimulatedCloud.marker,
        lambda cloud: cloud.mark("first"),
        lambda cloud: cloud.send(sent, DONE, Memory()),
        lambda cloud: cloud.confirm(sent, DONE),
        lambda cloud: cloud.look(sent, DONE),
    ]
    for ask in asking:
        cloud = SimulatedCloud(clock, replace(weather, busy=[*weather.busy]))
        with pytest.raises(raised):
            ask(cloud)
        assert (cloud.objects, cloud.ident) == ({}, None)


def test_weather_clears_with_the_time(
    cloud: SimulatedCloud, clock: ManualClock, sent: Object
) -> None:
    until = clock.now().utc + HOUR
    cloud.weather = Weather(out_until=until, barred_until=until, full_until=until)

    clock.advance(HOUR)

    assert sent_whole(cloud, sent) is not None


def test_a_full_cloud_answers_and_takes_nothing(
    cloud: SimulatedCloud, clock: ManualClock, sent: Object, large: Object
) -> None:
    cloud.weather.full_until = clock.now().utc + HOUR

    for each in (sent, large):
        with pytest.raises(Full):
            cloud.send(each, DONE, Memory())

    assert cloud.look(sent, DONE) is None
    assert cloud.objects == {}


def test_each_outage_and_each_lost_reply_is_met_once_and_everything_goes_on(
    clock: ManualClock, sent: Object
) -> None:
    quiet = SimulatedCloud(clock, part_size=1000)
    ask_everything(quiet, sent)

    for number in range(1, quiet.calls + 1):
        for weather in (Weather(outages={number}), Weather(lost={number})):
            cloud = SimulatedCloud(clock, weather, part_size=1000)
            with pytest.raises(Unreachable):
                ask_everything(cloud, sent)
            ask_everything(cloud, sent)

            assert cloud.objects == quiet.objects
            assert cloud.written == {sent.key: 1}


def test_an_object_is_not_taken_so_many_times_or_ever(
    cloud: SimulatedCloud, sent: Object, tmp_path: Path
) -> None:
    cloud.weather.not_taken[sent.key] = 2
    never, refused = (item(tmp_path, key=key) for key in ("never", "refused"))
    cloud.weather.never_taken, cloud.weather.refuses = {never.key}, {refused.key}

    for _ in range(2):
        with pytest.raises(NotTaken):
            cloud.send(sent, DONE, Memory())
    for _ in range(9):
        with pytest.raises(NotTaken):
            cloud.send(never, DONE, Memory())
    with pytest.raises(Refused):
        cloud.send(refused, DONE, Memory())

    assert sent_whole(cloud, sent) is not None
    assert list(cloud.objects) == [sent.key]


def test_a_line_that_is_cut_in_a_part_keeps_the_parts_before(
    cloud: SimulatedCloud, large: Object
) -> None:
    cloud.weather.cut_after = 2 * PART_SIZE + 1
    memory, hearing = Memory(), Hearing()

    with pytest.raises(Unreachable, match="cut"):
        cloud.send(large, DONE, memory)
    done = cloud.send(hearing.of(large), memory.newest, memory)

    assert hearing.total == PART_SIZE
    assert cloud.confirm(large, done, sent=True) is not None


def test_a_slow_line_takes_its_time(
    cloud: SimulatedCloud, clock: ManualClock, sent: Object
) -> None:
    cloud.weather.slow = 100

    sent_whole(cloud, sent)

    assert clock.now().monotonic_ns == 100 * 10**9  # there, and back


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("size", [5000, 2 * PART_SIZE + 5])
def test_no_lie_holds_against_reading_back(
    cloud: SimulatedCloud, tmp_path: Path, lie: Lie, size: int
) -> None:
    sent = item(tmp_path, size)
    cloud.weather.lies = lie

    done = cloud.send(sent, DONE, Memory())
    told = cloud.confirm(sent, done)

    assert told is None or told.digest != sent.digest
    assert cloud.look(sent, done) is not None


def test_a_liar_echoes_our_own_digest_right_after_sending(
    cloud: SimulatedCloud, sent: Object
) -> None:
    cloud.weather.lies = Lie.ECHOED

    told = sent_whole(cloud, sent)

    assert told is not None
    assert (told.proof, told.digest) == (Proof.ECHOED, sent.digest)
    assert cloud.confirm(sent, DONE) is None


def test_a_liar_that_says_nobody_looked_proves_nothing(
    cloud: SimulatedCloud, sent: Object
) -> None:
    cloud.weather.lies = Lie.TAKEN

    told = sent_whole(cloud, sent)

    assert told is not None
    assert told.proof is Proof.NONE


def test_an_echo_counts_only_once_it_was_found_to_be_computed(
    clock: ManualClock, sent: Object
) -> None:
    cloud = SimulatedCloud(clock, echoes=True)

    first = sent_whole(cloud, sent)
    cloud.forget(sent.key)
    cloud.check()
    second = sent_whole(cloud, sent)

    assert first is not None
    assert second is not None
    assert (first.proof, second.proof) == (Proof.READ_BACK, Proof.ECHOED)


def test_an_object_that_is_lost_later_is_neither_seen_nor_confirmed(
    cloud: SimulatedCloud, sent: Object
) -> None:
    assert sent_whole(cloud, sent) is not None

    cloud.forget(sent.key)

    assert cloud.confirm(sent, DONE) is None
    assert cloud.look(sent, DONE) is None


def test_another_cloud_in_its_place_is_barred(cloud: SimulatedCloud) -> None:
    cloud.mark("first")

    cloud.ident = "second"

    assert cloud.marker() == "second"
    with pytest.raises(Barred):
        cloud.mark("first")


def test_small_parts_make_many_of_little(clock: ManualClock, sent: Object) -> None:
    cloud = SimulatedCloud(clock, part_size=1000)
    memory = Memory()

    done = cloud.send(sent, DONE, memory)

    assert [progress.sent for progress in memory.kept] == [*range(0, 5001, 1000)]
    assert cloud.confirm(sent, done, sent=True) is not None


def test_two_hundred_files_in_any_weather_take_a_few_milliseconds(
    tmp_path: Path,
) -> None:
    sending = [item(tmp_path, 3000, f"data/{n}", seed=n) for n in range(200)]
    begun = time.process_time()

    for seed in range(5):
        chance = Random(seed)
        clock = ManualClock()
        cloud = SimulatedCloud(clock, part_size=1000, wait=waiting(clock))
        cloud.weather.outages = set(chance.sample(range(3000), 300))
        cloud.weather.lost = set(chance.sample(range(3000), 300))
        for sent in sending:
            while not arrives(cloud, sent):
                pass
        assert len(cloud.objects) == 200

    assert time.process_time() - begun < 5  # a tenth of it, on an idle machine


def arrives(cloud: SimulatedCloud, sent: Object) -> bool:
    """Send once, whatever comes of it."""
    try:
        return sent_whole(cloud, sent) is not None
    except Unreachable:
        return False
