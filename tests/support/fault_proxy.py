"""A proxy on loopback that spoils what passes through it, as a plan says.

It works on plain connections and knows just enough HTTP/1.1 to tell where a message
and its body begin and end. Each connection has one fault, that comes to pass with one
of its requests; before it all is passed on as it is.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from support.fault_kinds import CALM, LIVES_ON, Fault, Kind, Plan
from support.fault_wire import Head, Wire, first, flipped

LOOPBACK = "127.0.0.1"
PATIENCE = 30.0  # seconds that the proxy itself waits for a word
PAGE = b"<html><body>Sign in to the guest network</body></html>"


@dataclass(frozen=True, slots=True)
class Served:
    """One request that the server answered, whoever heard the answer.

    `late`: whoever asked had hung up long before.
    """

    method: str
    target: str
    status: int
    late: bool = False

    @property
    def puts_it_there(self) -> bool:
        """Whether an object has its name since then: a whole PUT, or a Complete."""
        _, _, query = self.target.partition("?")
        whole = self.method == "PUT" and not query
        complete = self.method == "POST" and "uploadId=" in query
        return self.status == 200 and (whole or complete)

    @property
    def begins_an_upload(self) -> bool:
        """Whether a store waits for parts since then."""
        _, _, query = self.target.partition("?")
        return (self.method, self.status) == ("POST", 200) and query == "uploads="


class Ended(Exception):
    """The connection is to be closed now; `reset`: by an RST."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


@dataclass
class FaultProxy:
    """Stands before the server at `port`. `plan` may be replaced at any time.

    `played` counts the faults that came to pass; `served` is what the server did;
    `clients` has every connection that there was. Once `whole` bytes of requests came,
    over whichever connections, all of them are cut at once, as a link is; none later.
    """

    port: int
    plan: Plan = field(default=lambda _: CALM)
    played: Counter[Kind] = field(default_factory=Counter)
    served: list[Served] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    clients: list[Wire] = field(default_factory=list)
    whole: int | None = None
    _wires: set[Wire] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _listener: socket.socket = field(init=False)
    _accepting: threading.Thread = field(init=False)
    _number: Iterator[int] = field(default_factory=count)
    _mine: int = field(init=False)

    def __post_init__(self) -> None:
        self._open(0)

    @property
    def url(self) -> str:
        """Return where the server seems to be."""
        return f"http://{LOOPBACK}:{self._mine}"

    @property
    def came(self) -> int:
        """Return how many bytes of requests came, on all connections."""
        return sum(client.came for client in self.clients)

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Let nothing listen there: connections are refused, and those open reset."""
        self._shut()
        try:
            yield
        finally:
            self._open(self._mine)

    def close(self) -> None:
        """End every connection, and whatever still waits to be served late."""
        self.over.set()
        self._shut()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _open(self, port: int) -> None:
        self._listener = socket.create_server((LOOPBACK, port), backlog=128)
        self._mine = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _shut(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the one that accepts
        self._accepting.join(PATIENCE)
        self._listener.close()
        for wire in list(self._wires):
            wire.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            fault = self.plan(next(self._number))
            passed = None if self.whole is None else self._passed
            client = Wire(sock, fault.most, passed=passed)
            self.clients.append(client)
            self._wires.add(client)
            thread = threading.Thread(target=self._serve, args=(client, fault))
            thread.start()
            self._threads = [t for t in (*self._threads, thread) if t.is_alive()]

    def _passed(self, count: int) -> None:
        """Cut the link if it is time. What the server does is its own affair."""
        del count
        if self.whole is None or self.came < self.whole:
            return
        self.whole = None
        for client in list(self.clients):
            client.hang_up()
        raise ConnectionResetError("the link is cut")

    def _serve(self, client: Wire, fault: Fault) -> None:
        try:
            server = Wire(socket.create_connection((LOOPBACK, self.port), PATIENCE))
            self._wires.add(server)
            with closing(server):
                self._requests(client, server, fault)
        except Ended as ended:
            if ended.reset:
                client.reset()
        except OSError:
            client.reset()  # either of the two hung up
        finally:
            client.close()
            for wire in [wire for wire in list(self._wires) if wire.closed]:
                self._wires.discard(wire)

    def _requests(self, client: Wire, server: Wire, fault: Fault) -> None:
        for number in count():
            due = number == fault.after
            if due and fault.kind is Kind.END:
                self.played[Kind.END] += 1
                return
            asked = client.head()
            if asked is None:
                return
            now = fault if due else CALM
            self.played[now.kind] += 1
            _Exchange(self, client, server, asked, now).play()
            if now.kind not in LIVES_ON:
                return


@dataclass
class _Exchange:
    """One request and its answer, and what happens to them."""

    proxy: FaultProxy
    client: Wire
    server: Wire
    asked: Head
    fault: Fault

    def play(self) -> None:
        PLAYS.get(self.fault.kind, _Exchange.pass_on)(self)

    def pass_on(self) -> None:
        self._ask(self._body())
        self._answer(self._answered())

    def hole(self) -> None:
        self._wait()
        raise Ended(reset=True)

    def cut_asking(self) -> None:
        self._ask(first(self._body(), self.fault.at))
        raise Ended(reset=True)

    def cut(self) -> None:
        self._ask(self._body())
        self._answer(first(self._answered(), self.fault.at))
        raise Ended(reset=self.fault.kind is Kind.CUT)

    def lost(self) -> None:
        self._ask(self._body())
        self._unheard()
        raise Ended(reset=True)

    def half(self) -> None:
        self.client.finish()
        self._ask(self._body())
        self._unheard()

    def late(self) -> None:
        body = b"".join(self._body())
        self.client.reset()
        self._wait()
        self._ask([body])
        self._unheard()

    def delay(self) -> None:
        self._wait()
        self.pass_on()

    def drip(self) -> None:
        self._ask(self._body())
        whole = b"".join(self._answered())
        for at in range(min(self.fault.at, len(whole))):
            self.client.send(whole[at : at + 1])
            self._wait()
        self.client.send(whole[self.fault.at :])

    def flip_asking(self) -> None:
        self._ask(flipped(self._body(), self.fault.at))
        self._answer(self._answered())

    def flip(self) -> None:
        self._ask(self._body())
        head, *body = self._answered()
        self._answer([head, *flipped(body, self.fault.at)])

    def twice(self) -> None:
        self._ask(self._body())
        self.client.send(b"".join(self._answered()) * 2)

    def busy(self) -> None:
        fault = self.fault
        more = f"Retry-After: {fault.retry_after}\r\n" if fault.retry_after else ""
        self._say(f"{fault.status} Busy", more, b"")

    def portal(self) -> None:
        self._say("200 OK", "Content-Type: text/html\r\n", PAGE)

    def _wait(self) -> None:
        self.proxy.over.wait(self.fault.seconds)

    def _body(self) -> Iterator[bytes]:
        return self.client.body(self.asked)

    def _ask(self, body: Iterable[bytes]) -> None:
        try:
            self.server.send(self.asked.raw)
            for piece in body:
                self.server.send(piece)
        except BrokenPipeError:
            return  # a server that has heard enough may have answered already

    def _answered(self) -> Iterator[bytes]:
        """Yield the server's answer: its head, then pieces of its body."""
        head = self.server.head()
        if head is None:
            raise Ended
        asked, late = self.asked, self.fault.kind is Kind.LATE
        self.proxy.served.append(Served(asked.method, asked.target, head.status, late))
        yield head.raw
        yield from self.server.body(head, bare=asked.method == "HEAD")

    def _answer(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.client.send(piece)

    def _unheard(self) -> None:
        for _ in self._answered():
            pass

    def _say(self, status: str, headers: str, body: bytes) -> None:
        for _ in self._body():
            pass
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n"
        head = f"HTTP/1.1 {status}\r\n{headers}{length}\r\n".encode()
        self.client.send(head if self.asked.method == "HEAD" else head + body)


PLAYS: Mapping[Kind, Callable[[_Exchange], None]] = {
    Kind.HOLE: _Exchange.hole,
    Kind.CUT_ASKING: _Exchange.cut_asking,
    Kind.CUT: _Exchange.cut,
    Kind.SHORT: _Exchange.cut,
    Kind.LOST: _Exchange.lost,
    Kind.HALF: _Exchange.half,
    Kind.LATE: _Exchange.late,
    Kind.DELAY: _Exchange.delay,
    Kind.DRIP: _Exchange.drip,
    Kind.FLIP_ASKING: _Exchange.flip_asking,
    Kind.FLIP: _Exchange.flip,
    Kind.TWICE: _Exchange.twice,
    Kind.BUSY: _Exchange.busy,
    Kind.PORTAL: _Exchange.portal,
}


@contextmanager
def fault_proxy(port: int) -> Iterator[FaultProxy]:
    """Run a proxy before the server at a port of loopback; calm at first."""
    with closing(FaultProxy(port)) as proxy:
        yield proxy
