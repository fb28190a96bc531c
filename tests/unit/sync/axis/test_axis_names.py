"""Names at a content destination: always the same, never two alike, told apart."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.recording import CameraId, DockingId
from dock_agent.sync.axis import names
from dock_agent.sync.destination import About
from support import axis_rules
from support.places import BEGIN, about

ANYBODY = "unassigned"
LONGEST_CONTAINER = 256  # bytes: a standard Swift's
LONGEST_FILE = 255  # bytes: where a server keeps its metadata in files beside them

text = st.text(min_size=1, max_size=80)
moments = st.floats(0, 2e11).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
files = st.one_of(text.map(lambda name: f"data/{name}"), text)
serials = st.text(
    st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1
)
abouts = st.builds(
    About,
    docking=st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26).map(
        DockingId
    ),
    camera=serials.map(lambda serial: CameraId(f"KT-Z3:{serial}")),
    opened_at=moments,
    file=files,
    recording=st.none() | text,
    start=st.none() | moments,
    officer=st.none() | text,
    video=st.booleans(),
)


def test_a_clip_is_called_as_the_api_says() -> None:
    spot = names.spot(about("data/DCIM/0001.MP4"), ANYBODY)

    user = names.user_id("000123")
    assert spot.container == f"{user}_KTZ3A00017_20260305T081530Z"
    assert re.fullmatch(r"20260305_081530_[0-9a-f]{20}\.mp4", spot.name)


def test_a_user_that_is_a_uuid_keeps_it_and_any_other_gets_one() -> None:
    given_one = "7C0E5B8E-6D0F-4E0B-9C55-2B7A9E1D3F11"

    assert names.user_id(given_one) == given_one.lower()
    assert UUID(names.user_id("000123")).version == 5
    assert names.user_id("000123") != names.user_id("000124")


@pytest.mark.parametrize("ending", ["mkv", "MP4", "Mkv"])
def test_video_is_a_clip_of_its_own_kind(ending: str) -> None:
    spot = names.spot(about(f"data/DCIM/0001.{ending}"), ANYBODY)

    assert spot.name.endswith(f".{ending.lower()}")
    assert spot.name.startswith("20260305_")


@pytest.mark.parametrize(
    "file",
    ["TRACK.NMEA", "x.key", "bookmark_1_2", "a_gpstrail.json", "no ending", "x."],
)
def test_other_files_of_a_recording_cannot_be_taken_for_the_apis_own(file: str) -> None:
    spot = names.spot(about(f"data/DCIM/{file}"), ANYBODY)

    assert spot.container == names.spot(about(), ANYBODY).container
    assert re.fullmatch(r"file_[0-9a-f]{20}\.(nmea|bin|json)", spot.name)


def test_a_recording_without_a_video_is_none_of_the_api() -> None:
    """It has one clip at least: snapshots and logs would be recordings of nothing."""
    snapshot = replace(about("data/PHOTO/0001.JPG"), video=False, marked=True)

    spot = names.spot(snapshot, ANYBODY)

    assert spot.container == names.docking_container(snapshot)
    assert re.fullmatch(r"file_[0-9a-f]{20}\.jpg", spot.name)
    assert names.bookmark(snapshot, ANYBODY) is None


@pytest.mark.parametrize(
    "file", ["bagit.txt", "manifest-sha256.txt", "custody.jsonl", "tagmanifest.sig"]
)
def test_the_bags_own_files_keep_their_names(file: str) -> None:
    spot = names.spot(about(file), ANYBODY)

    assert spot == names.Spot("Dock_KTZ3A00017_01KAVXG0000000000000000001", file)


def test_a_recording_of_nobody_is_that_of_whom_the_configuration_names() -> None:
    nobody = replace(about(), officer=None)

    assert names.spot(nobody, "000123") == names.spot(about(), ANYBODY)


def test_a_moment_is_told_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    same = replace(about(), start=BEGIN.astimezone(east))

    assert names.spot(same, ANYBODY) == names.spot(about(), ANYBODY)


def test_a_mark_is_a_bookmark_at_the_begin_of_its_recording() -> None:
    clip, track = about("data/DCIM/0001.MP4"), about("data/DCIM/0001.NMEA")

    spot = names.bookmark(clip, ANYBODY)

    assert spot == names.bookmark(track, ANYBODY)
    assert spot is not None
    assert spot.container == names.spot(clip, ANYBODY).container
    assert re.fullmatch(r"bookmark_20260305T081530Z_[0-9a-f]{20}", spot.name)


def test_two_recordings_of_one_second_have_two_bookmarks() -> None:
    other = replace(about(), recording="DCIM/0002")

    assert names.bookmark(about(), ANYBODY) != names.bookmark(other, ANYBODY)


def test_what_belongs_to_no_recording_has_no_bookmark() -> None:
    assert names.bookmark(about("bagit.txt"), ANYBODY) is None


def test_rejected_content_is_called_as_the_api_says() -> None:
    ident = UUID("0b9f2a5c-0000-4000-8000-000000000001")

    name = names.rejected(BEGIN, ident)

    assert name == f"RejectedContent_20260305T081530Z_{ident}"
    assert axis_rules.REJECTED.fullmatch(name)
    assert names.rejected_at(name) == "20260305T081530Z"
    assert names.rejected_at(names.spot(about(), ANYBODY).container) is None


@given(abouts)
def test_every_name_is_one_that_any_server_can_keep(what: About) -> None:
    for spot in (names.spot(what, ANYBODY), names.late(what)):
        assert re.fullmatch(r"[A-Za-z0-9._=-]+", spot.container + spot.name)
        assert len(spot.container) <= LONGEST_CONTAINER
        assert len(f"{spot.container}.{spot.name}.metadata.json") <= LONGEST_FILE
        assert not spot.name.startswith(("about_", "bookmark_"))
        assert not spot.container.startswith("RejectedContent")
        assert not spot.name.endswith((".key", "_gpstrail.json"))


@given(abouts)
def test_a_container_says_who_recorded_with_what_and_when(what: About) -> None:
    found = names.recorded(what, ANYBODY)

    if found is None:
        assert names.docking_of(names.spot(what, ANYBODY).container) == what.docking
        return
    assert names.parsed(names.spot(what, ANYBODY).container) == found
    assert what.start is not None
    assert found.begin == what.start.replace(microsecond=0)
    assert found.user == names.user_id(what.officer or ANYBODY)


@given(serials)
def test_a_serial_number_can_be_had_back_unless_it_was_shortened(serial: str) -> None:
    name = names.serial(CameraId(f"KT-Z3:{serial}"))

    shortened = re.search(r"==[0-9a-f]{16}$", name)
    assert shortened or names.raw_serial(name) == serial
    assert len(name) <= names.LONGEST


@given(st.lists(serials, min_size=2, max_size=2, unique=True))
def test_two_serial_numbers_are_never_alike(two: list[str]) -> None:
    first, second = (names.serial(CameraId(f"KT-Z3:{serial}")) for serial in two)

    assert first != second


@given(st.lists(files, min_size=2, max_size=40, unique=True), abouts)
def test_no_two_objects_of_a_docking_share_a_name(
    several: list[str], what: About
) -> None:
    ours = [replace(what, file=file) for file in several]

    spots = [names.spot(each, ANYBODY) for each in ours]
    stories = [
        names.Spot(names.spot(a, ANYBODY).container, names.story(a)) for a in ours
    ]

    assert len({*spots, *stories}) == 2 * len(ours)
    assert len({names.late(each) for each in ours}) == len(ours)


@given(abouts, abouts)
def test_objects_of_two_dockings_never_meet(one: About, other: About) -> None:
    if one.docking == other.docking:
        return

    assert names.spot(one, ANYBODY) != names.spot(other, ANYBODY)


def test_an_object_is_called_the_same_for_ever() -> None:
    """What was sent years ago must be found: a change here needs a new container."""
    assert names.spot(about(), ANYBODY) == names.Spot(
        "f8bc4485-b3e7-5395-8ab6-ef45d06367cb_KTZ3A00017_20260305T081530Z",
        "20260305_081530_85dfeb48ccf5eac3b019.mp4",
    )
    assert names.system_id("harbour-1", "main") == (
        "361b6103-4f92-51c7-bcf0-0c133a83b7e7"
    )
