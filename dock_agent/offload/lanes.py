"""Several pieces of a docking at a time, each handed back in its turn.

While one batch is flushed and read back, the next is read from the camera. What
runs in a lane finds things out and tells nobody: its answer is handed to the
caller's own thread, in the order of the pieces, and only that one speaks to the
parent. With one lane, pieces follow each other strictly.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from dock_agent.errors import DockError

LOOK_UP = 0.25  # seconds the caller waits for a piece before it does something else

T = TypeVar("T")


class Lanes:
    """A few threads. `idle` is called now and then while a piece is waited for."""

    def __init__(self, count: int, idle: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane")
        self._most = count if count == 1 else count + 1  # none waits for work
        self._idle = idle

    def close(self) -> None:
        """Wait for what still runs; begin nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def each(self, pieces: Iterable[Callable[[], T]]) -> Iterator[T]:
        """Yield what each piece returns. Pieces are drawn as lanes become free.

        After a `DockError`, of a piece or of drawing one, nothing more is begun;
        what was begun is still yielded, and then the error is raised.
        """
        waiting, flying = iter(pieces), deque[Future[T]]()
        failure: DockError | None = None
        while True:
            try:
                if failure is None:
                    self._fill(waiting, flying)
                if not flying:
                    break
                found = self._landed(flying.popleft())
            except DockError as error:
                failure = failure or error
            else:
                yield found
        if failure is not None:
            raise failure

    def _fill(
        self, waiting: Iterator[Callable[[], T]], flying: deque[Future[T]]
    ) -> None:
        while len(flying) < self._most:
            piece = next(waiting, None)
            if piece is None:
                return
            flying.append(self._pool.submit(piece))

    def _landed(self, piece: Future[T]) -> T:
        while not wait((piece,), LOOK_UP).done:
            self._idle()
        self._idle()
        return piece.result()
