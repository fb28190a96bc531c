"""Time stamps of a real authority (`openssl ts`): what is believed, and what is not."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dock_agent.custody.timestamp import NoStamp, authorities, question, verify
from support.time_authority import DAY, TimeAuthority, run

NOTE = "dock-agent/harbour-1\n3\nAAAA\n\n— dock-agent/harbour-1 AAAA\n"


@pytest.fixture
def authority(tmp_path: Path) -> TimeAuthority:
    return TimeAuthority(tmp_path / "authority")


def stamped(authority: TimeAuthority) -> bytes:
    return authority.stamp(question(NOTE).query)


def test_a_stamp_says_when_the_authority_saw_the_note(authority: TimeAuthority) -> None:
    asked = question(NOTE)

    token = authority.stamp(asked.query)

    roots = authorities(authority.ca_file)
    at = verify(token, NOTE, roots, asked.nonce)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    assert verify(token, NOTE, roots) == at


def test_openssl_checks_what_was_kept(authority: TimeAuthority, tmp_path: Path) -> None:
    (tmp_path / "1.checkpoint").write_text(NOTE)
    (tmp_path / "1.tsr").write_bytes(stamped(authority))

    said = run(
        "ts", "-verify", "-data", f"{tmp_path}/1.checkpoint",
        "-in", f"{tmp_path}/1.tsr", "-CAfile", f"{authority.ca_file}",
    )  # fmt: skip

    assert "Verification: OK" in said


def test_two_questions_never_have_the_same_nonce() -> None:
    assert question(NOTE).nonce != question(NOTE).nonce


def test_a_stamp_of_another_authority_is_not_believed(
    authority: TimeAuthority, tmp_path: Path
) -> None:
    other = TimeAuthority(tmp_path / "other")

    with pytest.raises(NoStamp, match="is not to be trusted"):
        verify(stamped(other), NOTE, authorities(authority.ca_file))


def test_a_stamp_of_another_text_is_not_believed(authority: TimeAuthority) -> None:
    with pytest.raises(NoStamp, match="another digest"):
        verify(stamped(authority), NOTE + "\n", authorities(authority.ca_file))


def test_a_stamp_of_another_question_is_not_believed(authority: TimeAuthority) -> None:
    digest = hashlib.sha256(NOTE.encode()).hexdigest()
    token = authority.stamp(authority.query("-digest", digest))

    with pytest.raises(NoStamp, match="another nonce"):
        verify(token, NOTE, authorities(authority.ca_file), question(NOTE).nonce)


def test_a_stamp_of_a_certificate_that_had_ended_is_not_believed(
    tmp_path: Path,
) -> None:
    late = TimeAuthority(tmp_path / "late", begin=-3 * DAY, end=-2 * DAY)

    with pytest.raises(NoStamp, match="certificate has expired"):
        verify(stamped(late), NOTE, authorities(late.ca_file))


@pytest.mark.parametrize(
    "answer", [b"", b"busy", b"0\x03\x02\x01\x00", b"<html>", b"\x30\x82\xff\xff"]
)
def test_garbage_is_no_stamp(authority: TimeAuthority, answer: bytes) -> None:
    with pytest.raises(NoStamp, match="is no RFC 3161 time stamp"):
        verify(answer, NOTE, authorities(authority.ca_file))


def test_a_refusal_is_told_as_one(authority: TimeAuthority) -> None:
    token = authority.stamp(b"no question")

    with pytest.raises(NoStamp, match="refused: REJECTION"):
        verify(token, NOTE, authorities(authority.ca_file))


def test_a_stamp_that_was_cut_or_grew_is_none(authority: TimeAuthority) -> None:
    token, roots = stamped(authority), authorities(authority.ca_file)

    for wrong in (token[:-1], token + b"\0"):
        with pytest.raises(NoStamp):
            verify(wrong, NOTE, roots)


def test_a_flipped_bit_never_moves_the_time(authority: TimeAuthority) -> None:
    """Some bits are signed by nobody: whatever they say, the time is the same."""
    token, roots = stamped(authority), authorities(authority.ca_file)
    at, refused = verify(token, NOTE, roots), 0

    for place in range(len(token)):
        wrong = bytearray(token)
        wrong[place] ^= 1
        try:
            assert verify(bytes(wrong), NOTE, roots) == at
        except NoStamp:
            refused += 1

    assert refused > 0.95 * len(token)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_ca_file_that_is_none_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(NoStamp, match="ca_file"):
        authorities(path)
