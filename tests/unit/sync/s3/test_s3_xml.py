"""The XML that S3 speaks, also where a server speaks it badly."""

from contextlib import suppress
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.errors import Unreachable
from dock_agent.recording import Digest
from dock_agent.sync.s3.xml import (
    NAMESPACE,
    Part,
    PartsPage,
    Trouble,
    completed,
    completion,
    legal_hold,
    number,
    parts_page,
    retention,
    trouble,
    upload_id,
    uploads,
)

DIGEST = Digest("ab" * 32)


@pytest.mark.parametrize("namespace", ["", f' xmlns="{NAMESPACE}"'])
def test_an_error_is_read_with_and_without_a_namespace(namespace: str) -> None:
    body = f"<Error{namespace}><Code>NoSuchKey</Code><Message>gone</Message></Error>"

    assert trouble(body.encode()) == Trouble("NoSuchKey", "gone", "")


@given(st.binary(max_size=200))
def test_whatever_comes_back_instead_of_an_error_is_no_error_we_know(
    body: bytes,
) -> None:
    assert trouble(body) == Trouble()


def test_an_upload_is_known_by_its_id() -> None:
    body = b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipart"

    assert upload_id(body + b"UploadResult>") == "u1"


@pytest.mark.parametrize(
    "body", [b"<A/>", b"", b"<html>sign in", b"<A><UploadId/></A>"]
)
def test_an_upload_without_an_id_is_tried_again(body: bytes) -> None:
    with pytest.raises(Unreachable):
        upload_id(body)


def test_a_page_of_parts_says_where_the_next_one_begins() -> None:
    body = b"""<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>
        <Part><PartNumber>1</PartNumber><Size>8</Size><ETag>"a"</ETag></Part>
        <Part><PartNumber>2</PartNumber><Size>3</Size><ETag>"b"</ETag></Part>
        </ListPartsResult>"""

    page = parts_page(body)

    assert page == PartsPage((Part(1, 8, "a"), Part(2, 3, "b")), 2)


def test_the_last_page_of_parts_leads_nowhere() -> None:
    body = b"""<ListPartsResult><IsTruncated>false</IsTruncated>
        <NextPartNumberMarker>2</NextPartNumberMarker></ListPartsResult>"""

    assert parts_page(body) == PartsPage((), None)


@pytest.mark.parametrize("text", ["x", "1.5", "0x1", "9" * 5000])
def test_a_part_without_a_number_is_tried_again(text: str) -> None:
    body = f"<L><Part><PartNumber>{text}</PartNumber></Part></L>"

    with pytest.raises(Unreachable):
        parts_page(body.encode())


def test_a_truncated_page_that_names_no_next_one_is_tried_again() -> None:
    with pytest.raises(Unreachable):
        parts_page(b"<L><IsTruncated>true</IsTruncated></L>")


@pytest.mark.parametrize(
    ("body", "etag"),
    [
        (b"<CompleteMultipartUploadResult/>", ""),
        (
            f'<CompleteMultipartUploadResult xmlns="{NAMESPACE}">'
            "<ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>".encode(),
            "e-2",
        ),
        (b"<Error><Code>InternalError</Code></Error>", None),
        (b"  \n", None),
        (b"", None),
    ],
)
def test_only_the_good_answer_completes_an_upload(
    body: bytes, etag: str | None
) -> None:
    assert completed(body) == etag


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0" encoding="klingon"?><L/>',
        b'<?xml version="1.0" encoding="utf-16"?><L/>',
        b'<?xml version="1.0" encoding="shift_jis"?><L/>',
        b"<?xml version='1.0'?><!DOCTYPE L [<!ENTITY a 'b'>]><L>&c;</L>",
        b"\xff\xfe<L/>",
        b"<L" * 10_000,
    ],
)
def test_a_document_of_whatever_kind_is_no_crash(body: bytes) -> None:
    assert trouble(body) == Trouble()
    assert completed(body) is None
    with suppress(Unreachable):
        parts_page(body)
    with suppress(Unreachable):
        uploads(body, "k")


@given(st.binary(max_size=200))
def test_a_list_of_whatever_bytes_is_no_crash(body: bytes) -> None:
    with suppress(Unreachable):
        parts_page(body)
    with suppress(Unreachable):
        uploads(b"<L>" + body + b"</L>", "k")


def test_only_uploads_of_exactly_that_key_are_found() -> None:
    body = f"""<ListMultipartUploadsResult xmlns="{NAMESPACE}">
        <Upload><Key>a/b</Key><UploadId>1</UploadId></Upload>
        <Upload><Key>a/b.x</Key><UploadId>2</UploadId></Upload>
        <Upload><Key>a/b</Key></Upload>
        <Upload><Key>a/b</Key><UploadId>3</UploadId></Upload>
        </ListMultipartUploadsResult>"""

    assert uploads(body.encode(), "a/b") == ("1", "3")


@pytest.mark.parametrize(
    ("text", "found"),
    [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None),
     ("", None), ("-1", None), ("\u0663", None), ("1 ", None)],
)  # fmt: skip
def test_a_number_that_cannot_be_true_is_none(text: str, found: int | None) -> None:
    assert number(text) == found


def test_a_lock_is_written_as_it_is_read() -> None:
    space = {"s3": NAMESPACE}
    root = ET.fromstring(retention("COMPLIANCE", "2026-03-05T08:00:00Z"))  # noqa: S314
    hold = ET.fromstring(legal_hold())  # noqa: S314

    assert root.findtext("s3:Mode", "", space) == "COMPLIANCE"
    assert root.findtext("s3:RetainUntilDate", "", space) == "2026-03-05T08:00:00Z"
    assert hold.findtext("s3:Status", "", space) == "ON"


@pytest.mark.parametrize("digests", [None, (DIGEST, DIGEST)])
def test_digests_are_named_only_where_the_server_knows_them(
    digests: tuple[Digest, ...] | None,
) -> None:
    root = ET.fromstring(completion([(1, "a"), (2, "b")], digests))  # noqa: S314

    space = {"s3": NAMESPACE}
    numbers = [e.text for e in root.iterfind(".//s3:PartNumber", space)]
    etags = [e.text for e in root.iterfind(".//s3:ETag", space)]
    assert (numbers, etags) == (["1", "2"], ['"a"', '"b"'])
    named = root.findall(".//s3:ChecksumSHA256", space)
    assert len(named) == (0 if digests is None else 2)
