"""Tracks: GPX as other programs read it, and what a track adds up to."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.media import gpx as gpx_in
from dock_agent.media.gpx import BrokenTrack
from dock_agent.media.track import Point, between, distance, geojson, gpx, summary

DATA = Path(__file__).parents[2] / "data/gpx"
TOLD: dict[str, Any] = json.loads((DATA / "expected.json").read_text())
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
A_BOMB = b"""<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>
<gpx><trk><trkseg><trkpt lat="1" lon="2"><ele>&b;</ele></trkpt></trkseg></trk></gpx>"""
POINTS = st.builds(
    Point,
    lat=st.floats(-90, 90).map(lambda x: round(x, 6)),
    lon=st.floats(-180, 180).map(lambda x: round(x, 6)),
    at=st.none()
    | st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    altitude=st.none() | st.floats(-500, 9000).map(lambda x: round(x, 2)),
    hdop=st.none() | st.floats(0.1, 99).map(lambda x: round(x, 2)),
    used=st.none() | st.integers(0, 60),
)


def read(data: bytes) -> list[Point]:
    return list(gpx_in.points(io.BytesIO(data)))


@pytest.mark.parametrize("name", TOLD)
def test_the_points_are_those_that_gpsbabel_finds(name: str) -> None:
    told = TOLD[name]

    found = read((DATA / name).read_bytes())

    assert len(found) == told["gpsbabel_track_rows"]
    for point, row in ((found[0], told["first"]), (found[-1], told["last"])):
        cells = row.split(",")
        assert point.lat == pytest.approx(float(cells[1]), abs=1e-6)
        assert point.lon == pytest.approx(float(cells[2]), abs=1e-6)


@given(st.lists(POINTS, max_size=8))
def test_what_was_written_as_gpx_is_read_as_it_was(track: list[Point]) -> None:
    assert read(gpx(track)) == track


def test_entities_are_refused_before_they_grow() -> None:
    with pytest.raises(BrokenTrack, match="entity"):
        read(A_BOMB)


@pytest.mark.parametrize("data", [b"", b"<gpx>", b"\0" * 9, b"<a>" * 100])
def test_what_is_no_gpx_says_so(data: bytes) -> None:
    with pytest.raises(BrokenTrack):
        read(data)


def test_points_before_a_cut_are_kept() -> None:
    whole = gpx([Point(1, 2), Point(3, 4)])
    found: list[Point] = []

    with pytest.raises(BrokenTrack):
        found.extend(gpx_in.points(io.BytesIO(whole[:-20])))

    assert found == [Point(1, 2), Point(3, 4)]


@pytest.mark.parametrize(
    "place", ['lat="91" lon="0"', 'lat="nan" lon="0"', 'lat="1"', 'lat="" lon="inf"']
)
def test_a_place_that_is_none_gives_no_point(place: str) -> None:
    assert read(f"<gpx><trkpt {place}></trkpt></gpx>".encode()) == []


def test_a_degree_of_the_equator_is_as_long_as_it_is() -> None:
    assert distance(Point(0, 0), Point(0, 1)) == pytest.approx(111_195, abs=1)
    assert distance(Point(0, 179.5), Point(0, -179.5)) == pytest.approx(111_195, abs=1)


def test_a_summary_adds_up() -> None:
    track = [
        Point(0, 0, NOON, speed=1.5, in_view={"GPS": 7}),
        Point(0, 1, NOON + timedelta(seconds=5), in_view={"GPS": 5, "Galileo": 2}),
        Point(0, 2, NOON + timedelta(seconds=65), speed=9),
    ]

    found = summary(track)

    assert found is not None
    assert found.distance_m == pytest.approx(2 * 111_195, abs=2)
    assert (found.fastest, found.longest_gap) == (9, timedelta(minutes=1))
    assert found.in_view == {"GPS": 7, "Galileo": 2}
    assert found.box == (0, 0, 0, 2)
    assert summary([]) is None


def test_a_day_is_cut_to_a_recording() -> None:
    track = [Point(0, n, NOON + timedelta(minutes=n)) for n in range(10)]

    found = between(track, NOON + timedelta(minutes=2), NOON + timedelta(minutes=4))

    assert [point.lon for point in found] == [2, 3, 4]


def test_geojson_has_longitude_first_and_leaves_out_what_is_not_known() -> None:
    feature = json.loads(geojson([Point(1, 2, NOON, used=9)]))["features"][0]

    assert feature["geometry"]["coordinates"] == [2, 1]
    assert feature["properties"] == {"time": "2026-03-05T12:00:00.000000Z", "used": 9}


def test_gpx_is_of_the_schema_s_namespace_and_order() -> None:
    root = ET.fromstring(gpx([Point(1, 2, NOON, altitude=3, hdop=1, used=4)]))  # noqa: S314

    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert root.tag == "{http://www.topografix.com/GPX/1/1}gpx"
    assert names[-4:] == ["ele", "time", "sat", "hdop"]
