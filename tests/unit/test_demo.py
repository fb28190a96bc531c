"""What the demonstration tells of its bays, and what it does not believe."""

from pathlib import Path

import msgspec
import pytest

from dock_agent.clock import Instant
from dock_agent.config import Config
from dock_agent.demo import News
from dock_agent.recording import BayState
from dock_agent.watch.status import Status
from support.boards import NOW, bay, copying, fault, pulled, ready, show, station
from support.boards import status as snapshot

BEGUN = 10_000_000_000  # nanoseconds


def instant(monotonic_ns: int, boot: str = "test") -> Instant:
    return Instant(utc=NOW, monotonic_ns=monotonic_ns, boot=boot, trusted=True)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return station(tmp_path)


def written(status: Status, **facts: object) -> Status:
    known = {"boot": "test", "monotonic_ns": BEGUN + 1}
    return msgspec.structs.replace(status, **(known | facts))


def heard(config: Config, status: Status) -> list[str]:
    show(config, status)
    return list(News(config, instant(BEGUN)).since(instant(BEGUN + 2)))


def test_what_becomes_of_a_camera_is_told_once(config: Config) -> None:
    show(config, written(snapshot([copying("1"), ready("2")])))
    news = News(config, instant(BEGUN))

    first, again = (list(news.since(instant(BEGUN + 2))) for _ in range(2))

    assert [line.split(":")[0] for line in first] == ["  bay 1", "  bay 2"]
    assert again == []


@pytest.mark.parametrize(
    "stale",
    [{"monotonic_ns": BEGUN - 1}, {"live": False}, {"boot": "before"}],
    ids=["older than the start", "stopped", "before the last boot"],
)
def test_what_an_earlier_agent_left_is_no_news(
    config: Config, stale: dict[str, object]
) -> None:
    said = heard(config, written(snapshot([ready("1"), pulled("2")]), **stale))

    assert said == []


def test_what_an_earlier_agent_left_does_not_end_it(config: Config) -> None:
    show(config, written(snapshot([ready("1")]), monotonic_ns=BEGUN - 1))

    assert not News(config, instant(BEGUN)).sealed(instant(BEGUN + 2))


def test_all_sealed_is_told_of_a_live_dock(config: Config) -> None:
    news = News(config, instant(BEGUN))
    for bays, sealed in (([ready("1")], True), ([ready("1"), copying("2")], False)):
        show(config, written(snapshot(bays)))

        assert news.sealed(instant(BEGUN + 2)) is sealed


def test_a_camera_with_a_fault_is_never_said_to_have_lost_nothing(
    config: Config,
) -> None:
    said = heard(config, written(snapshot([pulled("1", code="D-20"), fault("2")])))

    assert [line.partition(": ")[2] for line in said] == [
        "KT-Z3:KTZ3A00101 needs a person: D-20",
        "KT-Z3:KTZ3A00102 needs a person: D-17",
    ]


def test_an_empty_bay_is_no_news(config: Config) -> None:
    assert heard(config, written(snapshot([bay("1", BayState.EMPTY)]))) == []
