"""What the lanes tell is added up once, and silence is never hidden."""

import threading

import pytest

from dock_agent.errors import CameraGone
from dock_agent.offload.meter import LONGEST_SILENCE, Meter


def test_bytes_of_several_lanes_are_added_up() -> None:
    meter = Meter(0, list[float]().append)

    def tell() -> None:
        for _ in range(1000):
            meter.took(3)

    lanes = [threading.Thread(target=tell) for _ in range(4)]

    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()

    assert meter.heard()
    assert meter.read == 12_000


def test_who_has_told_nothing_is_not_heard() -> None:
    meter = Meter(0, list[float]().append)
    meter.took(1)

    assert meter.heard()
    assert not meter.heard()


def test_reading_something_else_is_a_sign_of_life_and_no_progress() -> None:
    meter = Meter(0, list[float]().append)

    meter.lives(4096)

    assert meter.heard()
    assert meter.read == 0


def test_a_long_wait_is_full_of_signs_of_life() -> None:
    waits: list[float] = []
    signs: list[bool] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        signs.append(meter.heard())

    meter = Meter(0, wait)

    meter.pause(1.2)

    assert waits == pytest.approx([LONGEST_SILENCE, LONGEST_SILENCE, 0.2])
    assert signs == [False, True, True]


def test_a_pace_is_kept() -> None:
    waits: list[float] = []
    meter = Meter(1000, waits.append)

    meter.took(5000)

    assert sum(waits) == pytest.approx(5.0, abs=0.5)


def test_once_over_whoever_still_reads_is_told_to_end() -> None:
    meter = Meter(0, list[float]().append)
    meter.close()

    with pytest.raises(CameraGone, match="over"):
        meter.took(1)
    with pytest.raises(CameraGone, match="over"):
        meter.lives(1)
