"""Send one part while the store still works on the one before.

Each of the two has a thread and a connection of its own. Never are two bodies on the
line: the next one begins when the other side has every byte of the last. The threads
ask, and whoever began them decides: what hears of bytes, and what is made of an answer,
runs in the caller's thread, one after the other.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from dock_agent.errors import Unreachable
from dock_agent.sync.content import Moved
from dock_agent.sync.s3.layout import AHEAD, Piece
from dock_agent.sync.transport.client import Answer

Put = Callable[[Piece, Moved, Callable[[], None]], Answer]
"""Sends a piece; is told `moved`, and what to call once the other side has all of it.

It is called in a thread of its own.
"""


class Ended(Exception):
    """Whoever began the sending has ended it."""


@dataclass(frozen=True, slots=True)
class Moving:
    """Bytes are to move; `reply` is told whether they may."""

    count: int
    reply: "SimpleQueue[bool]"


@dataclass(frozen=True, slots=True)
class Taken:
    """The other side has all of a piece."""

    piece: Piece


@dataclass(frozen=True, slots=True)
class Over:
    """A piece was answered, or failed."""

    piece: Piece
    came: "Future[Answer]"


Post = Moving | Taken | Over


@dataclass(slots=True)
class Relay:
    """One run over some pieces.

    `moved` hears of their bytes. `taken` hears which piece the other side has all of,
    `took` its answer; it returns whether to go on. `most` is how many may be on their
    way.
    """

    put: Put
    moved: Moved
    taken: Callable[[Piece], None]
    took: Callable[[Piece, Answer], bool]
    most: int = AHEAD
    _posts: "SimpleQueue[Post]" = field(default_factory=SimpleQueue)
    _out: int = 0
    _sending: Piece | None = None
    _failed: Unreachable | None = None

    def send(self, pieces: Iterable[Piece]) -> bool:
        """Send them in order; return False as soon as `took` did.

        Raises what any of the four does. After a cut, the other piece may still get
        through; whatever else happens ends it.
        """
        with ThreadPoolExecutor(self.most) as pool:
            try:
                return self._sent(pool, deque(pieces))
            finally:
                self._end()

    def _sent(self, pool: ThreadPoolExecutor, left: deque[Piece]) -> bool:
        while self._out or (left and self._failed is None):
            if left and self._may_begin:
                self._begin(pool, left.popleft())
            elif not self._hear(self._posts.get()):
                return False
        if self._failed is not None:
            raise self._failed
        return True

    @property
    def _may_begin(self) -> bool:
        free = self._sending is None and self._out < self.most
        return free and self._failed is None

    def _begin(self, pool: ThreadPoolExecutor, piece: Piece) -> None:
        def taken() -> None:
            self._posts.put(Taken(piece))

        def over(came: "Future[Answer]") -> None:
            self._posts.put(Over(piece, came))

        self._sending, self._out = piece, self._out + 1
        pool.submit(self.put, piece, self._ask, taken).add_done_callback(over)

    def _ask(self, count: int) -> None:
        """Ask whether bytes may move: `moved`, in the thread of a piece."""
        reply: SimpleQueue[bool] = SimpleQueue()
        self._posts.put(Moving(count, reply))
        if not reply.get():
            raise Ended

    def _hear(self, post: Post) -> bool:
        match post:
            case Moving(count, reply):
                self._move(count, reply)
            case Taken(piece):
                self._freed(piece)
                self.taken(piece)
            case Over(piece, came):
                self._out -= 1
                self._freed(piece)
                answer = self._came(came)
                return answer is None or self.took(piece, answer)
        return True

    def _move(self, count: int, reply: "SimpleQueue[bool]") -> None:
        may = False
        try:
            self.moved(count)
            may = True
        finally:
            reply.put(may)

    def _freed(self, piece: Piece) -> None:
        if self._sending == piece:
            self._sending = None

    def _came(self, came: "Future[Answer]") -> Answer | None:
        """Return the answer; None after a cut, which is raised in the end."""
        try:
            return came.result()
        except Unreachable as error:
            if type(error) is not Unreachable:
                raise
            self._failed = self._failed or error
            return None

    def _end(self) -> None:
        """Let nothing more be sent, and wait until both are over."""
        while self._out:
            match self._posts.get():
                case Moving(_, reply):
                    reply.put(item=False)
                case Over():
                    self._out -= 1
