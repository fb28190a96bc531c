import hashlib
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


def test_a_key_that_was_half_made_has_no_name(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from dock_agent.custody.signing import load_or_make;"
        "sys.addaudithook(lambda event, _: event == 'os.link'"
        " and os.kill(os.getpid(), signal.SIGKILL));"
        "load_or_make(Path(sys.argv[1]))"
    )
    path = tmp_path / "key.pem"

    died = subprocess.run([sys.executable, "-c", code, str(path)], check=False)

    assert died.returncode == -9
    assert not path.exists()
    assert load_or_make(path).id == load_or_make(path).id


def test_processes_that_start_together_sign_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: load_or_make(path).id, range(32)))

    assert len(set(made)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_with_a_password_is_said_so(tmp_path: Path) -> None:
    pem = KEY.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "key.pem").write_bytes(pem)

    with pytest.raises(ConfigError, match=r"password|encrypted"):
        load_or_make(tmp_path / "key.pem")


@pytest.mark.parametrize("signature", [b"", b"x" * 63, b"x" * 65])
def test_what_has_not_the_length_of_a_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(CustodyError):
        KEY.public.verify(signature, b"message")


def test_a_signature_is_that_of_the_standard() -> None:
    """RFC 8032, 7.1, TEST 1."""
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    key = SigningKey.from_seed(bytes.fromhex(seed))

    assert key.public.raw.hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33b"
        "acc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert key.id == hashlib.sha256(key.public.raw).hexdigest()[:16]
