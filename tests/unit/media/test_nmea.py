"""Real receivers' logs, held against gpsd's word on them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.media.nmea import Heard, checksum, points
from dock_agent.media.track import Point, summary
from dock_agent.simulated.track import sentence, walk

DATA = Path(__file__).parents[2] / "data"
LOGS: dict[str, Any] = json.loads((DATA / "nmea/expected.json").read_text())
INDENTED = {"beidou-bd.log": 1, "ublox-8.log": 1}  # not counted by who counted them
BEFORE_THE_FIX = {"mtk-3301.log"}  # gpsd takes a position that the receiver calls void
BY_SIGNAL = {"quectelLC79D.log"}  # lists a satellite once for each of its signals
SEEN_BEFORE = {"beidou-bd.log"}  # sees the most before its first position
NAMES = {"GALILEO": "Galileo", "BEIDOU": "BeiDou"}
NEAR = 1e-6  # degrees


def log(name: str, heard: Heard | None = None) -> list[Point]:
    with (DATA / "nmea" / name).open("rb") as file:
        return list(points(file, heard))


@pytest.mark.parametrize("name", LOGS)
def test_each_sentence_is_counted_as_what_it_is(name: str) -> None:
    heard, told = Heard(), LOGS[name]

    log(name, heard)

    right = told["checksum_ok"] + INDENTED.get(name, 0)
    assert (heard.right, heard.wrong) == (right, told["checksum_bad"])
    assert heard.unchecked == told["no_checksum"]


@pytest.mark.parametrize("name", sorted(set(LOGS) - BEFORE_THE_FIX))
def test_the_places_are_those_that_gpsd_finds(name: str) -> None:
    told = LOGS[name]

    found = summary(log(name))

    assert found is not None
    for point, theirs in (
        (found.first, told["gpsd_first"]),
        (found.last, told["gpsd_last"]),
    ):
        assert point.lat == pytest.approx(theirs["lat"], abs=NEAR)
        assert point.lon == pytest.approx(theirs["lon"], abs=NEAR)
    assert found.box == pytest.approx(told["gpsd_bbox"], abs=NEAR)


@pytest.mark.parametrize("name", LOGS)
def test_the_times_are_those_of_the_first_and_last_sentence(name: str) -> None:
    told = LOGS[name]
    last = datetime.strptime(
        "".join(told["raw_rmc_last"]) + "000", "%d%m%y%H%M%S.%f"
    ).replace(tzinfo=UTC)

    assert log(name)[-1].at == last


@pytest.mark.parametrize("name", sorted(set(LOGS) - BY_SIGNAL - SEEN_BEFORE))
def test_the_satellites_in_view_are_those_of_each_constellation(name: str) -> None:
    told = LOGS[name]["gsv_in_view_max"]

    found = summary(log(name))

    assert found is not None
    expected = {NAMES.get(system, system): count for system, count in told.items()}
    assert dict(found.in_view) == expected


def test_a_satellite_that_is_listed_for_each_of_its_signals_is_one() -> None:
    found = summary(log("quectelLC79D.log"))

    assert found is not None
    assert found.in_view["GPS"] == 8  # 02 04 05 06 07 09 30, and one that rises
    assert found.in_view["Galileo"] == 2


def test_a_day_of_a_walk_comes_back_as_it_was_made() -> None:
    begin = datetime(2026, 3, 5, 23, 59, 30, tzinfo=UTC)

    found = list(points(walk(begin, 60, "seed").encode().splitlines(keepends=True)))

    assert [p.at for p in found] == [begin + timedelta(seconds=n) for n in range(61)]
    assert found[0].in_view == {"GPS": 8, "GLONASS": 5, "Galileo": 5, "BeiDou": 6}
    assert found[0].speed == pytest.approx(1.4, abs=0.01)


def test_a_date_that_is_not_said_again_is_counted_on_past_midnight() -> None:
    said = sentence("GNRMC,235959,A,2232.5,N,11403.4,E,,,050326,,,A,V")
    later = sentence("GNGGA,000001,2232.5,N,11403.4,E,1,12,0.68,12.0,M,-2.6,M,,")

    found = list(points([said.encode(), later.encode()]))

    assert found[1].at == datetime(2026, 3, 6, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        "GNRMC,081530,V,2232.5,N,11403.4,E,,,050326,,,A,V",  # void
        "GNRMC,081530,A,9132.5,N,11403.4,E,,,050326,,,A,V",  # beyond the pole
        "GNRMC,081530,A,2260.5,N,11403.4,E,,,050326,,,A,V",  # 60 minutes
        "GNRMC,081530,A,2232.5,N,19003.4,E,,,050326,,,A,V",
        "GNRMC,081530,A,2232.5,X,11403.4,E,,,050326,,,A,V",
        "GNRMC,081530,A,22nan,N,11403.4,E,,,050326,,,A,V",
        "GNRMC,081530,A,,,,,,,050326,,,A,V",
        "GNRMC,081530,A",
        "GNGGA,081530,2232.5,N,11403.4,E,0,12,0.68,12.0,M,-2.6,M,,",  # no fix
        "GNGNS,081530,2232.5,N,11403.4,E,NNNN,12,0.68,12.0,-2.6,,",
    ],
)
def test_what_is_no_position_gives_no_point(body: str) -> None:
    assert list(points([sentence(body).encode()])) == []


def test_a_sentence_that_is_cut_off_is_not_believed() -> None:
    whole = sentence("GNRMC,081530,A,2232.5,N,11403.4,E,,,050326,,,A,V").encode()
    heard = Heard()

    found = [list(points([whole[:n]], heard)) for n in range(len(whole) - 2)]

    assert not any(found)
    assert heard.right == 0


def test_a_sentence_that_begins_within_another_is_heard() -> None:
    whole = sentence("GNRMC,081530,A,2232.5,N,11403.4,E,,,050326,,,A,V").encode()

    assert len(list(points([whole[:20] + whole]))) == 1


@given(st.lists(st.binary(max_size=120), max_size=20))
def test_any_bytes_give_no_more_than_points(lines: list[bytes]) -> None:
    for point in points(lines):
        assert abs(point.lat) <= 90


@given(st.text(st.sampled_from("GNRMCASV0123456789,.NEWS-"), max_size=90))
def test_any_sentence_with_a_right_checksum_gives_no_more_than_points(
    body: str,
) -> None:
    for point in points([sentence(f"GNRMC,{body}").encode()]):
        assert abs(point.lon) <= 180


@given(st.binary(max_size=250))
def test_the_checksum_is_that_of_the_standard(body: bytes) -> None:
    total = 0
    for byte in body:
        total ^= byte

    assert checksum(body) == total
