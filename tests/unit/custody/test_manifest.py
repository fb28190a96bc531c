"""The texts of a bag, as RFC 8493 has them."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.custody.manifest import (
    BAGIT,
    About,
    Payload,
    bag_info,
    inventory,
    labels,
    manifest,
    oxum,
    parse,
    tag_manifest,
)
from dock_agent.recording import Digest

MORNING = datetime(2026, 3, 5, 8, tzinfo=UTC)
ABOUT = About(
    docking="01JQ",
    station="harbour-1",
    camera="KT-Z3:1",
    bay="2",
    opened_at=MORNING,
    sealed_at=MORNING,
    complete=False,
    key="0123456789abcdef",
    agent="dock-agent 1",
)
A, B = Digest("a" * 64), Digest("b" * 64)
STORED = st.text(
    st.characters(categories=["L", "N", "Pd", "Zs"], exclude_characters="\u2028"),
    min_size=1,
)


def test_a_bag_says_its_version_as_the_standard_has_it() -> None:
    assert BAGIT == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def test_a_manifest_is_sorted_and_as_sha256sum_reads_it() -> None:
    text = manifest([Payload("b", 1, B), Payload("a/c", 2, A)])

    assert text == f"{A}  data/a/c\n{B}  data/b\n"


@given(st.dictionaries(STORED, st.sampled_from([A, B])))
def test_a_manifest_is_read_back_as_it_was_written(files: dict[str, Digest]) -> None:
    text = manifest([Payload(name, 1, sha256) for name, sha256 in files.items()])

    assert parse(text) == {f"data/{name}": sha256 for name, sha256 in files.items()}


@pytest.mark.parametrize(
    "text",
    [
        f"{A} data/a\n",
        f"{A}  \n",
        f"{A.upper()}  data/a\n",
        f"{A[:-1]}  data/a\n",
        f"{A}  data/a\n{B}  data/a\n",
        f"{A}  data/a",
        f"{A}  data/a\n\n",
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"manifest line|cut off"):
        parse(text)


def test_the_oxum_is_bytes_and_files() -> None:
    assert oxum([]) == "0.0"
    assert oxum([5, 7]) == "12.2"


def test_bag_info_tells_what_the_docking_was() -> None:
    found = labels(bag_info(ABOUT, [Payload("a", 5, A), Payload("b", 7, B)]))

    assert found == {
        "Bag-Software-Agent": "dock-agent 1",
        "Bagging-Date": "2026-03-05",
        "External-Identifier": "01JQ",
        "Payload-Oxum": "12.2",
        "Dock-Station": "harbour-1",
        "Dock-Camera": "KT-Z3:1",
        "Dock-Bay": "2",
        "Dock-Opened": "2026-03-05T08:00:00+00:00",
        "Dock-Sealed": "2026-03-05T08:00:00+00:00",
        "Dock-Complete": "false",
        "Dock-Signing-Key": "0123456789abcdef",
    }


@given(st.text())
def test_no_name_can_add_a_label(camera: str) -> None:
    about = About(**{name: getattr(ABOUT, name) for name in About.__slots__} | {
        "camera": camera, "complete": True,
    })  # fmt: skip

    text = bag_info(about, [])

    assert len(text.splitlines()) == 11
    assert labels(text)["Dock-Complete"] == "true"


@pytest.mark.parametrize("text", ["a\n", "a: 1\na: 2\n", "a: 1"])
def test_what_is_no_bag_info_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a label|cut off"):
        labels(text)


def test_the_tag_manifest_lists_the_tag_files_sorted() -> None:
    text = tag_manifest({"b.txt": b"2", "a.txt": b"1"})

    assert list(parse(text)) == ["a.txt", "b.txt"]
    assert parse(text)["a.txt"] == hashlib.sha256(b"1").hexdigest()


def test_an_inventory_is_one_canonical_line_for_each_entry() -> None:
    text = inventory([{"size": 1, "file": "é"}, {"file": "b"}])

    assert text == '{"file":"é","size":1}\n{"file":"b"}\n'
