"""Stored names: reversible, legal everywhere, never outside the bag."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.errors import CameraError
from dock_agent.recording import CameraId, DockingId
from dock_agent.vault.layout import (
    LONGEST,
    bag_path,
    camera_name,
    quarantine_path,
    raw_path,
    stored_path,
    stored_paths,
)

DOCKING = DockingId("01JD5Z7V8QXK3T2M4N6P8R0S1W")
LEGAL = re.compile(r"(?!ascmhl$|\.ds_store$|\.part-|[-~])[^\0-\x1f\x7f\"*/:<>?\\|%]+")
WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

component = st.binary(min_size=1, max_size=40).filter(
    lambda raw: b"/" not in raw and b"\0" not in raw and raw not in {b".", b".."}
)
nasty = st.text(
    alphabet=st.sampled_from("Aa.ß éÉe\u0301~=-%N\u0130i\u0131\r\n\\:*Ωω"),
    min_size=1,
    max_size=6,
).map(str.encode)
path = st.lists(
    component | nasty.filter(lambda raw: raw not in {b".", b".."}),
    min_size=1,
    max_size=4,
).map(b"/".join)


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def prefixes(stored: str) -> set[str]:
    return {str(parent) for parent in PurePosixPath(stored).parents} - {"."}


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b"DCIM/100MEDIA/A0001.MP4", "DCIM/100MEDIA/A0001.MP4"),
        (b"a b_(1)+,@-.txt", "a b_(1)+,@-.txt"),
        ("Größe/日本.mp4".encode(), "Größe/日本.mp4"),
        ("cafe\u0301".encode(), "cafe=CC=81"),
        (b"\xff\xfe.mp4", "=FF=FE.mp4"),
        (b"100%.mp4", "100=25.mp4"),
        (b"%0A", "=250A"),
        (b"a=b", "a=3Db"),
        (b"a\r\nb\tc", "a=0D=0Ab=09c"),
        (b"-rf", "=2Drf"),
        (b"~backup~", "=7Ebackup=7E"),
        (b"end. ", "end.=20"),
        (b"end.", "end=2E"),
        (b"...", "..=2E"),
        (b" ", "=20"),
        (b'a:b*c?d"e<f>g|h\\i', "a=3Ab=2Ac=3Fd=22e=3Cf=3Eg=7Ch=5Ci"),
        (b"CON", "=43ON"),
        (b"aux.txt", "=61ux.txt"),
        (b"COM1 .log", "=43OM1 .log"),
        ("lpt\u00b2".encode(), "=6Cpt²"),
        (b"ascmhl/0001.mhl", "=61scmhl/0001.mhl"),
        (b".DS_Store", "=2EDS_Store"),
        (b".part-00", "=2Epart-00"),
        (b".hidden", ".hidden"),
        ("right\u202eto\u200bleft".encode(), "right=E2=80=AEto=E2=80=8Bleft"),
    ],
)
def test_a_name_is_kept_or_escaped_and_can_be_had_back(raw: bytes, stored: str) -> None:
    assert stored_path(raw) == stored
    assert raw_path(stored) == raw


@pytest.mark.parametrize(
    "raw", [b"", b"..", b"a/../b", b"./a", b"/etc/passwd", b"a//b", b"a/", b"a\0b"]
)
def test_a_path_that_leads_elsewhere_is_refused(raw: bytes) -> None:
    with pytest.raises(CameraError):
        stored_path(raw)
    with pytest.raises(CameraError):
        stored_paths([raw])


@given(path)
def test_every_short_path_comes_back_as_it_was(raw: bytes) -> None:
    assert raw_path(stored_path(raw)) == raw


@given(st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=3))
def test_no_component_is_longer_than_any_file_system_takes(names: list[bytes]) -> None:
    safe = [re.sub(rb"[/\0]", b"_", name).strip(b".") or b"x" for name in names]

    stored = stored_paths([b"/".join(safe), b"/".join(safe).swapcase()])

    for one in stored:
        assert all(len(part.encode()) <= LONGEST for part in one.split("/"))


@given(path)
def test_every_stored_component_is_legal_on_every_file_system(raw: bytes) -> None:
    for part in stored_path(raw).split("/"):
        assert LEGAL.fullmatch(part)
        assert not part.endswith((" ", "."))
        assert not WINDOWS.fullmatch(part)
        assert unicodedata.is_normalized("NFC", part)


@given(st.lists(path, unique=True, max_size=12))
def test_no_two_files_share_a_name_where_case_and_form_do_not_count(
    raws: list[bytes],
) -> None:
    stored = stored_paths(raws)

    alike = [folded(name) for name in stored]
    assert len(set(alike)) == len(raws)
    assert not set(alike) & {folded(p) for name in stored for p in prefixes(name)}


@given(st.lists(path, unique=True, max_size=12))
def test_files_of_one_directory_stay_in_one_directory(raws: list[bytes]) -> None:
    stored = stored_paths(raws)

    above = dict(zip(raws, stored, strict=True))
    for one in raws:
        for other in raws:
            together = one.rpartition(b"/")[0] == other.rpartition(b"/")[0]
            mine, theirs = PurePosixPath(above[one]), PurePosixPath(above[other])
            assert (mine.parent == theirs.parent) == together


def test_names_that_differ_in_case_alone_are_numbered_in_order() -> None:
    raws = [b"A.mp4", b"a.MP4", b"a.mp4", b"D/x", b"d/x", b"d/y", b"d"]

    stored = stored_paths(raws)

    assert stored == [
        "A.mp4",
        "a~1.MP4",
        "a~2.mp4",
        "D/x",
        "d~1/x",
        "d~1/y",
        "d~2",
    ]


def test_many_names_that_are_alike_take_no_longer_each() -> None:
    raws = [
        f"{number:017b}".translate({48: "a", 49: "A"}).encode()
        for number in range(20_000)
    ]

    stored = stored_paths(raws)

    assert len({name.casefold() for name in stored}) == 20_000


def test_long_names_are_cut_and_told_apart_by_their_digest() -> None:
    one, other = stored_paths([b"x" * 255, b"x" * 254 + b"y"])

    assert one != other
    assert re.fullmatch(r"x{188}~[0-9a-f]{8}", one)


def test_a_cut_splits_no_escape_and_no_letter() -> None:
    escaped = stored_path(b"\xff" * 100)
    letters = stored_path(("日" * 85).encode())

    assert re.fullmatch(r"(=FF)+~[0-9a-f]{8}", escaped)
    assert re.fullmatch(r"日+~[0-9a-f]{8}", letters)


def test_a_bag_is_found_by_day_camera_and_docking() -> None:
    east = timezone(timedelta(hours=14))

    bag = bag_path(
        DOCKING, CameraId("KT-Z3:KTZ3A00017"), datetime(2026, 11, 24, 9, tzinfo=east)
    )

    assert str(bag) == f"dockings/2026/11/23/KT-Z3=3AKTZ3A00017/{DOCKING}"


@pytest.mark.parametrize("camera", ["../..", "/", ".", "a/b", "CON", "x:\0"])
def test_no_camera_names_a_directory_outside_the_vault(camera: str) -> None:
    name = camera_name(CameraId(camera))

    assert "/" not in name
    assert name not in {".", ".."}
    assert raw_path(name).decode() == camera


def test_quarantine_is_not_below_what_is_synced() -> None:
    bag = bag_path(DOCKING, CameraId("a:b"), datetime(2026, 1, 1, tzinfo=UTC))

    assert quarantine_path(DOCKING).parts[0] not in bag.parts
