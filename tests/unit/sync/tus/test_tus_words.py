"""What is said to a tus server, and what follows from its answers."""

import base64
from datetime import UTC, datetime

import pytest

from dock_agent.errors import Barred, Full, NotTaken, Refused, SyncError
from dock_agent.recording import PART_SIZE
from dock_agent.sync.transport.client import Answer
from dock_agent.sync.tus.content import note
from dock_agent.sync.tus.words import (
    CLOSING,
    MOVES,
    Seen,
    Then,
    Upload,
    due,
    expect,
    metadata,
    moment,
    origin,
    seen,
)

SIZE = 1000


def test_metadata_has_each_value_in_base64_and_leaves_out_what_is_empty() -> None:
    item = note("é, b.MP4", b"12345")

    said = dict(pair.split(" ") for pair in metadata("p/é, 5%.MP4", item).split(","))

    plain = {key: base64.b64decode(value).decode() for key, value in said.items()}
    assert plain == {
        "filename": "p/%C3%A9, 5%25.MP4",
        "key": "p/é, 5%.MP4",
        "sha256": item.digest,
        "size": "5",
    }


@pytest.mark.parametrize(
    ("status", "offset", "length", "found"),
    [
        (200, "0", "1000", Seen.OPEN),
        (200, "999", None, Seen.OPEN),
        (204, "1000", "1000", Seen.WHOLE),
        (200, "1001", None, Seen.STRANGE),
        (200, "0", "999", Seen.STRANGE),
        (404, None, None, Seen.GONE),
        (410, "5", "1000", Seen.GONE),
    ],
)
def test_an_upload_is_seen_by_its_offset_and_its_length(
    status: int, offset: str | None, length: str | None, found: Seen
) -> None:
    said = {"upload-offset": offset, "upload-length": length}
    headers = {name: text for name, text in said.items() if text is not None}

    assert seen(Answer(status, headers), SIZE) is found


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "²", "9" * 5000])
def test_an_answer_without_a_usable_offset_says_nothing(offset: str) -> None:
    with pytest.raises(NotTaken, match="does not say"):
        seen(Answer(200, {"upload-offset": offset}), SIZE)


def test_every_sight_of_an_upload_has_its_consequence() -> None:
    assert set(MOVES) == {(found, whole) for found in Seen for whole in (False, True)}


def test_what_is_gone_after_its_last_byte_is_neither_success_nor_loss() -> None:
    assert MOVES[Seen.GONE, True] is Then.PROVE
    assert MOVES[Seen.GONE, False] is Then.AGAIN


def test_what_was_taken_whole_once_before_is_proved_and_not_believed() -> None:
    assert MOVES[Seen.WHOLE, True] is Then.PROVE


@pytest.mark.parametrize(
    ("offset", "size", "most", "closing", "length"),
    [
        (0, 0, PART_SIZE, False, 0),
        (0, 10, PART_SIZE, False, 10),
        (0, PART_SIZE, PART_SIZE, False, PART_SIZE),
        (0, PART_SIZE + 1, PART_SIZE, False, PART_SIZE),
        (5, PART_SIZE + 1, PART_SIZE, False, PART_SIZE - 5),
        (PART_SIZE, PART_SIZE + 1, PART_SIZE, False, 1),
        (0, PART_SIZE, 1000, False, 1000),
        (PART_SIZE - 3, 2 * PART_SIZE, 1000, False, 3),
        (0, CLOSING, PART_SIZE, True, CLOSING),
        (0, CLOSING + 7, PART_SIZE, True, 7),
        (7, CLOSING + 7, PART_SIZE, True, CLOSING),
        (0, 2 * PART_SIZE, PART_SIZE, True, PART_SIZE),
        (PART_SIZE, 2 * PART_SIZE, PART_SIZE, True, PART_SIZE - CLOSING),
    ],
)
def test_a_request_ends_with_its_part_and_the_closing_one_is_small(
    offset: int, size: int, most: int, *, closing: bool, length: int
) -> None:
    assert due(offset, size, most, closing=closing) == length


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("most", [512 << 10, PART_SIZE])
def test_requests_come_to_an_end_whatever_they_begin_with(
    most: int, *, closing: bool
) -> None:
    size = 2 * PART_SIZE + 12345
    for offset in (0, 1, PART_SIZE - 1, size - 1):
        at = offset
        for _ in range(size // most + 4):
            at += due(at, size, most, closing=closing)

        assert at == size


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, Barred),
        (402, Full),
        (403, Barred),
        (404, Barred),
        (412, Barred),
        (413, Refused),
        (423, NotTaken),
        (460, NotTaken),
        (500, NotTaken),
        (502, NotTaken),
        (507, Full),
        (599, NotTaken),
    ],
)
def test_each_status_has_its_meaning_and_is_told_in_the_servers_words(
    status: int, kind: type[SyncError]
) -> None:
    with pytest.raises(SyncError, match=f"sending x: {status} no, not that") as told:
        expect(Answer(status, {}, b"no,\n\x00not that"), "sending x")

    assert type(told.value) is kind


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {}, b"Invalid tus-resumable\n"),
        Answer(400, {"tus-version": "0.2.2, 2.0.0"}),
        Answer(412, {"tus-version": "2.0.0"}),
    ],
)
def test_another_version_bars_the_place_and_not_the_object(answer: Answer) -> None:
    with pytest.raises(Barred, match=r"another tus than 1\.0\.0"):
        expect(answer, "beginning x")


def test_a_handle_is_read_as_it_was_written() -> None:
    upload = Upload("http://h/1", datetime(2026, 3, 5, tzinfo=UTC), "a.b", 2)

    assert Upload.of(upload.handle()) == upload


@pytest.mark.parametrize("handle", [None, "", "{", '{"url": 5}', '{"url":"u"}f', "[]"])
def test_what_is_no_handle_is_no_upload(handle: str | None) -> None:
    assert Upload.of(handle) is None


def test_an_answer_without_news_leaves_what_was_known() -> None:
    upload = Upload("http://h/1", datetime(2026, 3, 5, tzinfo=UTC), "a.b", 2)

    assert upload.told(Answer(204, {})) == upload


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Wed, 25 Jun 2014 16:00:00 GMT", datetime(2014, 6, 25, 16, tzinfo=UTC)),
        ("2014-06-25", None),
        ("soon", None),
        (None, None),
    ],
)
def test_an_expiry_that_is_no_date_is_none(
    text: str | None, read: datetime | None
) -> None:
    assert moment(text) == read


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://h/files", "https://h:443/files/1", True),
        ("https://h/files", "http://h/files/1", False),
        ("https://h/files", "https://g/files/1", False),
        ("https://h:8443/files", "https://h/files/1", False),
        ("https://h/files", "https://h:x/files/1", False),
    ],
)
def test_a_token_goes_to_one_scheme_host_and_port(
    one: str, other: str, *, same: bool
) -> None:
    assert (origin(one) == origin(other)) is same
