"""Metadata in headers: within the API's limits, and never cut in silence."""

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.sync.axis import metadata, names
from support import axis_rules
from support.axis_boxes import told
from support.places import BEGIN, about
from support.sending import sha256

DIGEST = sha256(b"evidence")
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_only_what_follows_a_hyphen_has_a_capital() -> None:
    made = metadata.header(metadata.CONTAINER, "BWCSerialNumber")

    assert made == "X-Container-Meta-Bwcserialnumber"


@given(anything)
def test_what_headers_say_is_within_the_limits_of_the_api(path: str) -> None:
    fields = metadata.of_object(replace(about(), file=path), DIGEST, 5)

    made = metadata.headers(metadata.OBJECT, fields)

    assert told(lower(dict(made.headers)), "x-object-meta-") is not None


@given(anything.filter(bool))
def test_the_path_and_the_digest_can_be_had_back_whole_or_are_told_beside_it(
    path: str,
) -> None:
    fields = metadata.of_object(replace(about(), file=path), DIGEST, 5)

    made = metadata.headers(metadata.OBJECT, fields)

    headers = lower(dict(made.headers))
    assert metadata.told_digest(headers) == DIGEST
    beside = json.loads(metadata.story(fields, names.Spot("c", "o")))
    if made.left:
        assert unquote(beside["Dock-Path"]) == path
    else:
        assert metadata.told_path(headers) == path


@pytest.mark.parametrize("value", ["x" * 33, "Straße" * 6, "a\nb", "\udcff", "a\x7f"])
def test_what_does_not_fit_is_left_whole_for_elsewhere(value: str) -> None:
    made = metadata.headers(metadata.OBJECT, {"Model": value, "Active": "True"})

    assert made.left == {"Model": value}
    assert made.headers == {"X-Object-Meta-Active": "True"}


def test_names_of_people_may_be_longer() -> None:
    made = metadata.headers(metadata.OBJECT, {"Name": "Ж" * 32})

    assert not made.left
    assert made.headers["X-Object-Meta-Name"] == "%D0%96" * 32


def test_a_recordings_container_tells_what_the_api_asks_for() -> None:
    found = names.recorded(about(), "unassigned")
    assert found is not None

    made = metadata.headers(
        metadata.CONTAINER, metadata.of_recording(about(), found, "harbour-1")
    )

    told_of = told(lower(dict(made.headers)), "x-container-meta-")
    assert told_of == {
        "containername": names.container(found),
        "bwcserialnumber": "KTZ3A00017",
        "bwcmodel": "KT-Z3",
        "scuserialnumber": "harbour-1",
        "userid": names.user_id("000123"),
        "triggerontime": str(int(BEGIN.timestamp())),
        "triggerontimeiso": "2026-03-05T08:15:30Z",
        "starttime": str(int(BEGIN.timestamp())),
        "starttimeiso": "2026-03-05T08:15:30Z",
        "status": "Transferring",
        "dock-docking": about().docking,
        "dock-opened": "2026-03-05T08:15:30Z",
    }
    assert not made.left


def test_a_recording_stops_when_its_last_file_was_written() -> None:
    found = names.recorded(about(), "unassigned")
    assert found is not None
    later = replace(about(), stop=BEGIN + timedelta(seconds=90))

    fields = metadata.of_recording(later, found, "harbour-1")

    assert fields["StopTime"] == str(int(BEGIN.timestamp()) + 90)
    assert fields["StopTimeISO"] == "2026-03-05T08:17:00Z"


def test_a_clip_begins_with_its_recording_and_stops_when_it_was_written() -> None:
    written = BEGIN + timedelta(seconds=60, microseconds=999_999)

    fields = metadata.of_clip(replace(about(), written=written), BEGIN, "mp4")

    assert fields == {
        "ContainerType": "mp4",
        "StartTime": str(int(BEGIN.timestamp())),
        "StartTimeISO": "2026-03-05T08:15:30Z",
        "StopTime": str(int(BEGIN.timestamp()) + 60),
        "StopTimeISO": "2026-03-05T08:16:30Z",
    }


@pytest.mark.parametrize("seconds", [None, 0, 0.9, -1, -1e9])
def test_no_end_is_told_that_is_unknown_or_not_after_the_begin(
    seconds: float | None,
) -> None:
    """The API lets a clip of no duration be refused for ever."""
    end = None if seconds is None else BEGIN + timedelta(seconds=seconds)
    what = replace(about(), written=end, stop=end)
    found = names.recorded(what, "unassigned")
    assert found is not None

    clip = metadata.of_clip(what, BEGIN, "mp4")
    recording = metadata.of_recording(what, found, "harbour-1")

    assert not {"StopTime", "StopTimeISO"} & (clip.keys() | recording.keys())


def test_every_file_tells_when_the_camera_wrote_it_and_whether_it_is_marked() -> None:
    what = replace(about("data/DCIM/0001.NMEA"), written=BEGIN, marked=True)

    marked = metadata.of_object(what, DIGEST, 5)
    other = metadata.of_object(about(), DIGEST, 5)

    assert marked["Dock-Written"] == "2026-03-05T08:15:30Z"
    assert marked["Dock-Marked"] == "True"
    assert not {"Dock-Written", "Dock-Marked"} & other.keys()


def test_a_file_that_no_container_tells_the_officer_of_tells_it_itself() -> None:
    snapshot = replace(about("data/PHOTO/0001.JPG"), video=False)

    assert metadata.of_object(snapshot, DIGEST, 5)["Dock-Officer-1"] == "000123"
    assert "Dock-Officer-1" not in metadata.of_object(about(), DIGEST, 5)


def test_rejected_content_is_told_as_its_recording_is_but_for_its_status() -> None:
    found = names.recorded(about(), "unassigned")
    assert found is not None
    apart = "RejectedContent_20260306T070000Z_0b9f2a5c-0000-4000-8000-000000000001"
    usual = metadata.of_recording(about(), found, "harbour-1")

    fields = metadata.of_rejected(usual, apart, "no such user")

    assert fields == {
        **{key: value for key, value in usual.items() if key != "Status"},
        "ContainerName": apart,
        "RejectedContentOriginalContainer": names.container(found),
        "RejectedContentTime": "20260306T070000Z",
        "RejectedContentReason": "no such user",
    }
    told_of = told(
        lower(dict(metadata.headers(metadata.CONTAINER, fields).headers)),
        "x-container-meta-",
    )
    assert told_of is not None
    assert axis_rules.container(apart, told_of, ()) is None


@given(st.sets(st.integers(0, 59), min_size=1), anything)
def test_containers_that_were_noted_are_read_again(
    seconds: set[int], officer: str
) -> None:
    notes: dict[str, str] = {}
    expected = set()
    for second in seconds:
        what = replace(about(), start=BEGIN.replace(second=second), officer=officer)
        found = names.recorded(what, "unassigned")
        assert found is not None
        notes |= metadata.headers(metadata.CONTAINER, metadata.entry(found)).headers
        expected.add(names.container(found))

    # As Swift gives them back: every letter after another character is a capital.
    given_back = lower({name.title(): value for name, value in notes.items()})

    assert metadata.entries(given_back, "KTZ3A00017") == expected
