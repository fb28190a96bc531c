import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.custody.signing import SigningKey, load_or_make
from dock_agent.errors import ConfigError, CustodyError

KEY = SigningKey.from_seed(bytes(32))


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    made = load_or_make(tmp_path / "key.pem")

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert load_or_make(tmp_path / "key.pem").id == made.id


def test_two_stations_have_two_keys(tmp_path: Path) -> None:
    assert load_or_make(tmp_path / "a").id != load_or_make(tmp_path / "b").id


@given(st.binary(max_size=100), st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_or_message_is_refused(
    message: bytes, where: int, by: int
) -> None:
    signature = KEY.sign(message)
    KEY.public.verify(signature, message)
    wrong = bytearray(signature)
    wrong[where] ^= by

    with pytest.raises(CustodyError):
        KEY.public.verify(bytes(wrong), message)
    with pytest.raises(CustodyError):
        KEY.public.verify(signature, message + b".")


def test_a_file_that_is_no_key_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("not a key")

    with pytest.raises(ConfigError, match="not a PEM key"):
        load_or_make(tmp_path / "key.pem")


def test_a_key_of_another_kind_is_said_so(tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = other.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "key.pem").write_bytes(pem)

    with pytest.raises(ConfigError, match="not Ed25519"):
        load_or_make(tmp_path / "key.pem")


def test_a_key_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_or_make(tmp_path / "absent/key.pem")
