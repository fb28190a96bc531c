"""Serve the status page with waitress: `dock-web`, and inside `dock-agent demo`.

Waitress because idle and half-open connections hold none of its threads; it
speaks plain HTTP and belongs behind a proxy, or on the loopback address.
"""

import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from waitress import wasyncore
from waitress.server import create_server
from waitress.utilities import cleanup_unix_socket

from dock_agent import log
from dock_agent.config import Config, load, locate
from dock_agent.errors import ConfigError, DockError
from dock_agent.signals import until_told
from web_status import create_app

SETTINGS: Mapping[str, Any] = {
    "threads": 8,
    "connection_limit": 1000,
    "channel_timeout": 15,
    "asyncore_use_poll": True,  # select() ends for good at descriptor 1024
    # Not believed, but seen: that they are there shows a proxy (visitor.py).
    "clear_untrusted_proxy_headers": False,
}
LOOK_EVERY = 1.0  # seconds between two looks whether the page is still served


@dataclass(frozen=True, slots=True)
class Serving:
    """A page that is being served; `port` is the real one, None on a unix socket."""

    where: str
    port: int | None
    _server: Any
    _sockets: dict[int, Any]
    _thread: threading.Thread

    @property
    def alive(self) -> bool:
        """Whether anything is still served."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop, and return once nothing is served any more."""
        # From the server's own loop: it waits on the sockets that are closed here.
        self._server.trigger.pull_trigger(
            lambda: wasyncore.close_all(self._sockets, ignore_all=True)
        )
        self._thread.join()
        self._server.task_dispatcher.shutdown()


def serve(config: Config) -> Serving:
    """Serve `config.web.listen` on a thread. Raises `ConfigError` if it cannot."""
    bound, where, port = _listen(config)
    app, sockets = create_app(config), dict[int, Any]()
    server = create_server(app, map=sockets, ident=None, sockets=[bound], **SETTINGS)
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    return Serving(where, port, server, sockets, thread)


def _listen(config: Config) -> tuple[socket.socket, str, int | None]:
    """Return the bound socket, the address for people, and the port."""
    path = config.socket_path
    try:
        if path is not None:
            return _bind_unix(str(path)), str(path), None
        bound = _bind(config.web.listen)
    except (OSError, ValueError) as error:
        listen = config.web.listen
        raise ConfigError(f"[web] listen = {listen!r}: {error}") from error
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return bound, f"http://{shown}:{port}/", port


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    family, kind, _, _, address = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM
    )[0]
    return _bound(socket.socket(family, kind), address)


def _bind_unix(path: str) -> socket.socket:
    cleanup_unix_socket(path)  # an earlier process may have left it
    bound = _bound(socket.socket(socket.AF_UNIX), path)
    Path(path).chmod(0o660)
    return bound


def _bound(fresh: socket.socket, address: Any) -> socket.socket:
    try:
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        fresh.bind(address)
    except OSError:
        fresh.close()
        raise
    return fresh


@click.command()
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="Configuration file."
)
def main(file: Path | None) -> None:
    """Serve the station's status page until stopped."""
    log.set_up(verbose=False)
    stop = until_told()
    try:
        serving = serve(load(locate(file)))
    except DockError as error:
        click.echo(f"dock-web: {error}\n{error.hint}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"status page at {serving.where}")
    while not stop.wait(LOOK_EVERY):
        if not serving.alive:
            sys.exit(1)  # and systemd starts it again
    serving.close()
