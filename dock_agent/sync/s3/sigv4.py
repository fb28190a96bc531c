"""AWS Signature Version 4 in the Authorization header, for S3.

Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API
reference. The payload's SHA-256 is given, never computed here.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

from dock_agent.recording import Digest

EMPTY = Digest(hashlib.sha256(b"").hexdigest())
ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; `token` where it is a temporary one."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def url(
    endpoint: str, bucket: str, key: str = "", query: Mapping[str, str] | None = None
) -> str:
    """Return the path-style URL of an object, quoted as it will be signed."""
    path = (
        "/" + quote(bucket, safe="") + ("/" + quote(key, safe="/-_.~") if key else "")
    )
    pairs = sorted((query or {}).items())
    text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
    return endpoint.rstrip("/") + path + (f"?{text}" if text else "")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one key and region."""

    credentials: Credentials
    region: str

    def headers(
        self,
        method: str,
        target: str,
        given: Mapping[str, str],
        payload: Digest,
        at: datetime,
    ) -> dict[str, str]:
        """Return `given` and what must be sent with it; `at` is aware UTC.

        Raises `ValueError` where the target cannot be one.
        """
        parts = urlsplit(target)
        time = at.strftime("%Y%m%dT%H%M%SZ")
        headers = {name.lower(): " ".join(v.split()) for name, v in given.items()}
        headers |= {
            "host": _host(target),
            "x-amz-date": time,
            "x-amz-content-sha256": payload,
        }
        if self.credentials.token:
            headers["x-amz-security-token"] = self.credentials.token
        names = sorted(headers)
        signed = ";".join(names)
        lines = [f"{name}:{headers[name]}" for name in names]
        request = "\n".join(
            [method, parts.path or "/", parts.query, *lines, "", signed, payload]
        )
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join([ALGORITHM, time, scope, _sha256(request)])
        signature = hmac.new(
            self._key(time[:8]), text.encode(), hashlib.sha256
        ).hexdigest()
        headers["authorization"] = (
            f"{ALGORITHM} Credential={self.credentials.key_id}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )
        return headers

    def _key(self, day: str) -> bytes:
        key = ("AWS4" + self.credentials.secret).encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _host(target: str) -> str:
    """Return the Host header as it is sent and signed (RFC 3986: IPv6 in brackets)."""
    parts = urlsplit(target)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name.encode("idna").decode()
    if parts.port is None or parts.port == DEFAULT_PORTS.get(parts.scheme):
        return host
    return f"{host}:{parts.port}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
