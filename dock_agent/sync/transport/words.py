"""What URLs, headers and failures say.

What lies beneath an error is told by its chain of causes.
"""

import errno
import ssl
from collections.abc import Iterator, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from socket import gaierror

CERTIFICATE = {  # OpenSSL's verify codes
    7: "its certificate is not signed by whom it names: is somebody in between?",
    9: "its certificate is not valid yet: this station's clock is wrong, most likely",
    10: "its certificate has expired, or this station's clock is wrong",
    18: "its certificate is self-signed: is somebody in between? else see ca_file",
    19: "its certificate's authority is unknown: is somebody in between? else ca_file",
    20: "its certificate's authority is unknown: is somebody in between? else ca_file",
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}
CONNECTION = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.ECONNRESET: "it cut the connection",
    errno.EPIPE: "it cut the connection",
    errno.EHOSTUNREACH: "there is no way to that host",
    errno.ENETUNREACH: "there is no network",
    errno.ETIMEDOUT: "it fell silent",
}
LONGEST_WAIT_S = 86_400.0
LONGEST_LINE = 200  # characters of a server's own words
SECOND = timedelta(seconds=1)
DIGITS = 9  # more of them are no number of seconds


def reason(error: BaseException) -> str:
    """Return what went wrong in a person's words; else in the error's own."""
    chain = list(_causes(error))
    for each in chain:
        if told := _told(each):
            return told
    return str(error) or type(error).__name__


def wait_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110, 10.2.3), if it does.

    A date is held against the server's own, so that no clock of ours matters.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:DIGITS]), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
        seconds = (until - parsedate_to_datetime(headers.get("date", ""))) / SECOND
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def line_of(text: str) -> str:
    """Return what a server says as one line that can be printed, cut to a length."""
    seen = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(seen.split())[:LONGEST_LINE]


def host_of(url: str) -> str:
    """Return whom a URL is for, without anything that may be secret."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "nobody"


def shown(url: str) -> str:
    """Return a URL without who asks and its query: a signature may be in there."""
    scheme, colon, rest = url.partition("?")[0].partition("://")
    slash, path = rest.partition("/")[1:]
    return f"{scheme}{colon}{host_of(url)}{slash}{path}" if colon else "nowhere"


def as_written(url: str) -> bytes | None:
    """Return the path and query of a URL as they are; None if they need quoting."""
    path = "/" + url.partition("://")[2].partition("/")[2].partition("#")[0]
    plain = path.isascii() and path.isprintable() and " " not in path
    return path.encode() if plain else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE.get(error.verify_code, f"its {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, gaierror):
        return f"its name cannot be looked up ({error.strerror})"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError):
        return CONNECTION.get(error.errno or 0, "")
    return ""


def _tls(error: ssl.SSLError) -> str:
    if error.reason == "WRONG_VERSION_NUMBER":
        return "what answers there speaks no TLS: a portal, or plain http"
    return f"no secure connection ({error.reason or error})"
