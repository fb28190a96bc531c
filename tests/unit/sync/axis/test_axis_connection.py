"""The connection file: read strictly, and refused with a sentence."""

import base64
import json
import os
from pathlib import Path

import pytest

from dock_agent.errors import Barred
from dock_agent.sync.axis.connection import LARGEST, ConnectionFile, parsed
from support.axis_certificate import certificate
from support.axis_server import KEY, USER, AxisServer

HTTPS = "https://evidence.example.org:8080/auth/v1.0"


def told(**other: object) -> bytes:
    server = AxisServer(certificate=certificate()[0])
    whole = {"AuthenticationTokenURI": [HTTPS], **other}
    return json.dumps(server.connection(**whole)).encode()


def test_a_whole_file_is_read() -> None:
    found = parsed(told())

    assert (found.uris, found.user, found.key) == ((HTTPS,), USER, KEY)
    assert (found.container_type, found.full) == ("mkv", True)


def test_what_is_optional_has_the_apis_own_default() -> None:
    found = parsed(told(ContainerType=None, FullStoreAndReadSupport=None))

    assert (found.container_type, found.full) == ("mkv", False)


def test_keys_that_the_api_does_not_know_are_passed_over() -> None:
    assert parsed(told(BlobAPI="Swift 1.0", PublicKey="")).uris == (HTTPS,)


def test_a_certificate_may_be_pem_or_der_within_its_base64() -> None:
    pem, _ = certificate()
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))

    both = parsed(
        told(HTTPSCertificate=[base64.b64encode(each).decode() for each in (pem, der)])
    )

    assert both.certificates == 2 * pem.decode()


def test_one_that_wants_encryption_is_refused_since_it_is_not_done_here() -> None:
    with pytest.raises(ValueError, match="encryption to recipients"):
        parsed(told(WantEncryption=True, PublicKey="x", PublicKeyId="k"))


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"AuthenticationTokenURI": []}, "AuthenticationTokenURI|length"),
        ({"AuthenticationTokenURI": [HTTPS] * 11}, "length"),
        ({"AuthenticationTokenURI": ["x" * 513]}, "length"),
        ({"AuthenticationTokenURI": HTTPS}, "array"),
        ({"AuthenticationTokenURI": ["ftp://x/auth"]}, "no http or https"),
        ({"AuthenticationTokenURI": ["https:///auth"]}, "no http or https"),
        ({"AuthenticationTokenURI": ["https://[::1/auth"]}, "AuthenticationTokenURI"),
        ({"AuthenticationTokenURI": ["https://a:b@x/auth"]}, "password"),
        (
            {"AuthenticationTokenURI": ["http://x/auth?s=1"]},
            "http://x/auth is not https",
        ),
        (
            {"AuthenticationTokenURI": ["http://x/auth"], "HTTPSCertificate": None},
            "plain http",
        ),
        ({"BlobAPIKey": ""}, "length"),
        ({"BlobAPIKey": "k" * 65}, "length"),
        ({"BlobAPIKey": "a\r\nX-Other: b"}, "no header"),
        ({"BlobAPIUserName": "ö"}, "no header"),
        ({"BlobAPIUserName": None}, "BlobAPIUserName"),
        ({"HTTPSCertificate": ["%%%"]}, "HTTPSCertificate 1"),
        ({"HTTPSCertificate": ["eHg="]}, "HTTPSCertificate 1"),
        ({"ContainerType": "avi"}, "avi"),
        ({"WantEncryption": "false"}, "bool"),
        ({"ConnectionFileVersion": "2.0"}, "regex|pattern|2"),
        ({"SiteName": "x" * 65}, "length"),
    ],
)
def test_what_is_not_as_the_api_has_it_is_refused(
    other: dict[str, object], match: str
) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        parsed(told(**other))

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("begin", ["ftp://", "http://", "https://", "https//", "//"])
def test_what_is_said_of_an_address_has_no_password_in_it(begin: str) -> None:
    with pytest.raises(ValueError, match="AuthenticationTokenURI") as caught:
        parsed(told(AuthenticationTokenURI=[f"{begin}station:hush@x/auth"]))

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b" " * (LARGEST + 1)])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(data)


def test_plain_http_stays_on_this_machine_unless_it_is_allowed() -> None:
    plain = {"HTTPSCertificate": None}
    here = told(AuthenticationTokenURI=["http://127.0.0.1:8080/auth/v1.0"], **plain)
    away = told(AuthenticationTokenURI=["http://10.0.0.1/auth/v1.0"], **plain)

    assert parsed(here).certificates is None
    assert parsed(away, insecure=True).uris == ("http://10.0.0.1/auth/v1.0",)
    with pytest.raises(ValueError, match="insecure = true"):
        parsed(away)


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "connection.json"
    path.write_bytes(told())
    file = ConnectionFile(path)
    before = file.get().key

    path.write_bytes(told(BlobAPIKey="rotated"))

    assert (before, file.get().key) == (KEY, "rotated")


def test_a_file_that_cannot_be_read_bars_the_destination(tmp_path: Path) -> None:
    with pytest.raises(Barred, match="No such file"):
        ConnectionFile(tmp_path / "none").get()
    with pytest.raises(Barred, match="directory"):
        ConnectionFile(tmp_path).get()
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, LARGEST + 1)
    with pytest.raises(Barred, match="larger"):
        ConnectionFile(large).get()
