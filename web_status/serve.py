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

from dock_agent import log
from dock_agent.config import Config, load, locate
from dock_agent.errors import ConfigError, DockError
from web_status import create_app

LIMITS: Mapping[str, Any] = {
    "threads": 8,
    "connection_limit": 1000,
    "channel_timeout": 15,
}
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Serving:
    """A page that is being served; `port` is the real one, None on a unix socket."""

    where: str
    port: int | None
    _server: Any
    _sockets: dict[int, Any]
    _thread: threading.Thread

    def close(self) -> None:
        """Stop, and return once nothing is served any more."""
        # From the server's own loop: it waits on the sockets that are closed here.
        self._server.trigger.pull_trigger(
            lambda: wasyncore.close_all(self._sockets, ignore_all=True)
        )
        self._thread.join()
        self._server.task_dispatcher.shutdown()

    def wait(self) -> None:
        """Return when somebody has closed it."""
        self._thread.join()


def serve(config: Config) -> Serving:
    """Serve `config.web.listen` on a thread. Raises `ConfigError` if it cannot."""
    app, sockets = create_app(config), dict[int, Any]()
    kind, where, port = _listen(config)
    server = create_server(app, map=sockets, ident=None, **kind, **LIMITS)
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    return Serving(where, port, server, sockets, thread)


def _listen(config: Config) -> tuple[dict[str, Any], str, int | None]:
    """Return waitress's arguments, the address for people, and the port."""
    listen = config.web.listen
    if listen.startswith(UNIX):
        path = config.resolve(listen.removeprefix(UNIX))
        return {"unix_socket": str(path), "unix_socket_perms": "660"}, str(path), None
    bound = _bind(listen)
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return {"sockets": [bound]}, f"http://{shown}:{port}/", port


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )[0]
        return _bound(socket.socket(family, kind), address)
    except (OSError, ValueError) as error:
        raise ConfigError(f"[web] listen = {listen!r}: {error}") from error


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
    try:
        serving = serve(load(locate(file)))
    except DockError as error:
        click.echo(f"dock-web: {error}\n{error.hint}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"status page at {serving.where}")
    try:
        serving.wait()
    except KeyboardInterrupt:
        serving.close()
