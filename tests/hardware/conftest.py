"""Guests for the tests: each test has one of its own, gone on from a saved one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hardware.guest import PLAIN, Extra, Guest, MakeGuest
from hardware.image import image
from hardware.machine import Hardware, accelerator
from hardware.station import StationInGuest, extra

HANGS = 3600  # seconds


def pytest_report_header() -> str:
    return f"bench: {accelerator()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The wall's clock ends only what hangs: a busy machine is no failure."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(HANGS), append=False)


@pytest.fixture
def make_guest(tmp_path: Path) -> Iterator[MakeGuest]:
    """Return what starts a guest of some hardware; it ends with the test."""
    with ExitStack() as stack:

        def make(hardware: Hardware, extra: Extra = PLAIN) -> Guest:
            guest = Guest(image(), tmp_path / "guest", hardware, extra)
            stack.callback(guest.close)
            return guest.start()

        yield make


@pytest.fixture
def guest(make_guest: MakeGuest) -> Guest:
    return make_guest(Hardware())


@pytest.fixture
def station(make_guest: MakeGuest) -> StationInGuest:
    """Return a station that watches eight bays, on two hubs."""
    return StationInGuest(make_guest(Hardware(), extra()))


@pytest.fixture
def eraser(make_guest: MakeGuest) -> StationInGuest:
    """Return the same, that clears cameras after they are verified."""
    return StationInGuest(make_guest(Hardware(), extra(erases=True)))
