"""Our signatures against those of botocore, which is the judge."""

import hashlib
from datetime import UTC, datetime

import botocore.credentials
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.recording import Digest
from dock_agent.sync.s3.sigv4 import EMPTY, Credentials, Signer, url

REGION = "eu-west-1"
AT = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
ENDPOINTS = [
    "https://s3.example",
    "https://s3.example/",
    "https://s3.example:8443",
    "http://127.0.0.1:9000",
    "http://s3.example:80",
    "https://s3.example:443",
    "http://[::1]",
    "http://[2001:db8::7]:8333",
]
SHOWN = st.characters(exclude_categories=["Cs", "Cc"])
KEYS = st.text(SHOWN, max_size=40).filter(lambda k: not k.startswith("/"))
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
VALUES = st.lists(WORDS, min_size=1, max_size=3).map("  ".join)
NAMES = st.sampled_from(["x-amz-meta-a", "X-Amz-Checksum-Sha256", "content-type"])
PARAMETERS = st.sampled_from(
    ["uploadId", "partNumber", "uploads", "list-type", "part-number-marker"]
)
QUERIES = st.dictionaries(PARAMETERS, st.text(SHOWN, max_size=20), max_size=4)
TIMES = st.integers(946_684_800, 4_070_908_800).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


class Judge(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore, told the payload's digest and read without its own clock."""

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["sha256"])

    def signature_of(self, request: AWSRequest, at: datetime) -> str:
        """Return the Authorization header for a request signed at `at`."""
        request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))
        return str(request.headers["Authorization"])


@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    target=st.builds(
        url, st.sampled_from(ENDPOINTS), st.just("evidence"), KEYS, QUERIES
    ),
    given_headers=st.dictionaries(NAMES, VALUES),
    token=st.none() | WORDS,
    at=TIMES,
)
def test_every_request_is_signed_as_botocore_signs_it(
    method: str,
    target: str,
    given_headers: dict[str, str],
    token: str | None,
    at: datetime,
) -> None:
    payload = Digest(hashlib.sha256(target.encode()).hexdigest())
    theirs = AWSRequest(method, target, headers=given_headers)
    theirs.context["sha256"] = payload
    key = botocore.credentials.Credentials("AKID", "secret/+x", token)
    expected = Judge(key, "s3", REGION).signature_of(theirs, at)

    signer = Signer(Credentials("AKID", "secret/+x", token), REGION)
    ours = signer.headers(method, target, given_headers, payload, at)

    assert ours["authorization"] == expected


def test_the_secret_is_not_shown_by_its_credentials() -> None:
    shown = repr(Credentials("AKID", "sesame", "token"))

    assert "AKID" in shown
    assert "sesame" not in shown
    assert "token='token'" not in shown


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("http://[::1]:8333", "[::1]:8333"),
        ("https://[::1]:443", "[::1]"),
        ("http://S3.Example:80", "s3.example"),
        ("http://b\u00fccher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(endpoint: str, host: str) -> None:
    signer = Signer(Credentials("AKID", "s"), REGION)

    signed = signer.headers("GET", url(endpoint, "b"), {}, EMPTY, AT)

    assert signed["host"] == host


@pytest.mark.parametrize(
    "endpoint", ["http://[1", "http://x:port", "http://x:99999", "http://a..b"]
)
def test_an_endpoint_that_cannot_be_one_is_a_value_error(endpoint: str) -> None:
    signer = Signer(Credentials("AKID", "s"), REGION)

    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        signer.headers("GET", url(endpoint, "b"), {}, EMPTY, AT)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a b", "/b/a%20b"),
        ("a//b/", "/b/a//b/"),
        ("%/+=~", "/b/%25/%2B%3D~"),
        ("\u00fc\n", "/b/%C3%BC%0A"),
        ("./..", "/b/./.."),
    ],
)
def test_a_key_is_quoted_byte_by_byte(key: str, path: str) -> None:
    assert url("http://x", "b", key) == f"http://x{path}"
