"""Who is asking: somebody at the station itself, or anybody."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden

SENTENCE = "Open this page on the station itself; sign-in comes with a later version."
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")
"""A proxy's marks. They are never believed; that they are there is enough."""


def is_local(environ: Mapping[str, object]) -> bool:
    """Whether the request comes from this machine, by its connection alone.

    A request that a proxy passed on is not local, whatever it says; nor is one
    that a browser was tricked into making under another host's name.
    """
    if any(mark in environ for mark in FORWARDED):
        return False
    return _is_loopback(str(environ.get("REMOTE_ADDR", ""))) and _is_loopback(
        _host(str(environ.get("HTTP_HOST", "localhost")))
    )


def require_local(environ: Mapping[str, object]) -> None:
    """Raise `Forbidden`, with a sentence, for anybody else."""
    if not is_local(environ):
        raise Forbidden(SENTENCE)


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str) -> bool:
    if address == "localhost":  # waitress's word for the other end of a unix socket
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
