"""The key to a destination, and what is said when it cannot be read."""

import os
from pathlib import Path

import pytest

from dock_agent.errors import Barred
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.s3.sigv4 import Credentials

WHOLE = "[default]\naws_access_key_id = AKID\naws_secret_access_key = se%cret+/=\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "credentials"
    made.write_text(WHOLE)
    return made


def test_a_key_is_read_as_the_aws_tools_write_it(path: Path) -> None:
    assert CredentialsFile(path).get() == Credentials("AKID", "se%cret+/=")


def test_a_temporary_key_has_its_token(path: Path) -> None:
    path.write_text(WHOLE + "aws_session_token = a/b==\n")

    assert CredentialsFile(path).get().token == "a/b=="


def test_a_rotated_key_is_used_without_a_restart(path: Path) -> None:
    credentials = CredentialsFile(path)
    credentials.get()

    path.write_text(WHOLE.replace("AKID", "ROTATED"))
    os.utime(path, ns=(0, 1))

    assert credentials.get().key_id == "ROTATED"


def test_a_key_that_replaced_the_file_is_used_though_its_time_is_the_same(
    path: Path,
) -> None:
    os.utime(path, ns=(0, 1))
    credentials = CredentialsFile(path)
    credentials.get()

    other = path.with_name("new")
    other.write_text(WHOLE.replace("AKID", "ROTATED"))
    os.utime(other, ns=(0, 1))
    other.replace(path)

    assert credentials.get().key_id == "ROTATED"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no section\n",
        "[other]\naws_access_key_id = a\naws_secret_access_key = b\n",
        "[default]\naws_access_key_id = a\n",
        "[default]\naws_access_key_id =\naws_secret_access_key = b\n",
        WHOLE + "[default]\n",
        WHOLE.replace("AKID", "AK ID"),
        WHOLE.replace("AKID", "\u0410KID"),
        WHOLE + "aws_session_token = to\u00fcken\n",
    ],
)
def test_a_file_that_is_not_whole_bars_the_place_by_its_name(
    path: Path, text: str
) -> None:
    path.write_text(text)

    with pytest.raises(Barred, match=str(path)):
        CredentialsFile(path).get()


def test_a_missing_file_bars_the_place(tmp_path: Path) -> None:
    with pytest.raises(Barred, match="nowhere"):
        CredentialsFile(tmp_path / "nowhere").get()


def test_a_file_that_is_not_text_bars_the_place(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(Barred, match=str(path)):
        CredentialsFile(path).get()


def test_what_a_person_reads_does_not_hold_the_secret(path: Path) -> None:
    path.write_text("[default]\naws_secret_access_key sesame\n")

    with pytest.raises(Barred) as told:
        CredentialsFile(path).get()

    assert "sesame" not in str(told.value)


def test_a_token_that_no_header_takes_is_not_shown(path: Path) -> None:
    path.write_text(WHOLE + "aws_session_token = sesame\x00\n")

    with pytest.raises(Barred) as told:
        CredentialsFile(path).get()

    assert "sesame" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_file_that_was_half_written_heals_by_itself(path: Path) -> None:
    credentials = CredentialsFile(path)
    path.write_text(WHOLE[:30])
    with pytest.raises(Barred):
        credentials.get()

    path.write_text(WHOLE)

    assert credentials.get().key_id == "AKID"
