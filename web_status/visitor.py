"""Who is asking: somebody at the station itself, or anybody."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden

from dock_agent.config import Config

SENTENCE = "Open this page on the station itself; sign-in comes with a later version."
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")
"""A proxy's marks. They are never believed; that they are there is enough."""


ONLY_PROXIES = "HTTP/1.0"
"""What nginx speaks unless it is told otherwise; no browser has for decades."""


def is_local(environ: Mapping[str, object], config: Config) -> bool:
    """Whether the request comes from this machine, by its connection alone.

    A request that a proxy passed on is not local, whatever it says; nor is one
    that a browser was tricked into making under another host's name. A unix
    socket is there for a proxy: whoever asks through it may be anywhere.
    """
    if config.web.behind_proxy or config.socket_path is not None:
        return False
    if environ.get("SERVER_PROTOCOL") == ONLY_PROXIES:
        return False
    if any(mark in environ for mark in FORWARDED):
        return False
    host = _host(str(environ.get("HTTP_HOST", "localhost")))
    here = host == "localhost" or _is_loopback(host)
    return here and _is_loopback(str(environ.get("REMOTE_ADDR", "")))


def require_local(environ: Mapping[str, object], config: Config) -> None:
    """Raise `Forbidden`, with a sentence, for anybody else."""
    if not is_local(environ, config):
        raise Forbidden(SENTENCE)


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
