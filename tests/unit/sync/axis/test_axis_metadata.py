"""Metadata in headers: within the API's limits, and never cut in silence."""

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.sync.axis import metadata, names
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
