"""The XML that S3 speaks, also where a server speaks it badly."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.errors import Unreachable
from dock_agent.recording import Digest
from dock_agent.sync.s3_xml import (
    NAMESPACE,
    Part,
    PartsPage,
    Trouble,
    completed,
    completion,
    parts_page,
    trouble,
    upload_id,
)

DIGEST = Digest("ab" * 32)


@pytest.mark.parametrize("namespace", ["", f' xmlns="{NAMESPACE}"'])
def test_an_error_is_read_with_and_without_a_namespace(namespace: str) -> None:
    body = f"<Error{namespace}><Code>NoSuchKey</Code><Message>gone</Message></Error>"

    assert trouble(body.encode()) == Trouble("NoSuchKey", "gone")


@given(st.binary(max_size=200))
def test_whatever_comes_back_instead_of_an_error_is_no_error_we_know(
    body: bytes,
) -> None:
    assert trouble(body) == Trouble("", "")


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

    assert page == PartsPage((Part(1, 8, '"a"'), Part(2, 3, '"b"')), 2)


def test_the_last_page_of_parts_leads_nowhere() -> None:
    body = b"""<ListPartsResult><IsTruncated>false</IsTruncated>
        <NextPartNumberMarker>2</NextPartNumberMarker></ListPartsResult>"""

    assert parts_page(body) == PartsPage((), None)


@pytest.mark.parametrize("number", ["x", "1.5", "0x1"])
def test_a_part_without_a_number_is_tried_again(number: str) -> None:
    body = f"<L><Part><PartNumber>{number}</PartNumber></Part></L>"

    with pytest.raises(Unreachable):
        parts_page(body.encode())


def test_a_truncated_page_that_names_no_next_one_is_tried_again() -> None:
    with pytest.raises(Unreachable):
        parts_page(b"<L><IsTruncated>true</IsTruncated></L>")


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b"<CompleteMultipartUploadResult/>", True),
        (f'<CompleteMultipartUploadResult xmlns="{NAMESPACE}"/>'.encode(), True),
        (b"<Error><Code>InternalError</Code></Error>", False),
        (b"", False),
    ],
)
def test_only_the_good_answer_completes_an_upload(body: bytes, *, good: bool) -> None:
    assert completed(body) is good


@pytest.mark.parametrize("digests", [None, (DIGEST, DIGEST)])
def test_digests_are_named_only_where_the_server_knows_them(
    digests: tuple[Digest, ...] | None,
) -> None:
    root = ET.fromstring(completion([(1, '"a"'), (2, '"b"')], digests))  # noqa: S314

    space = {"s3": NAMESPACE}
    numbers = [e.text for e in root.iterfind(".//s3:PartNumber", space)]
    etags = [e.text for e in root.iterfind(".//s3:ETag", space)]
    assert (numbers, etags) == (["1", "2"], ['"a"', '"b"'])
    named = root.findall(".//s3:ChecksumSHA256", space)
    assert len(named) == (0 if digests is None else 2)
