"""The log for people: one line per thing that happened, key=value, to stderr."""

import logging

A_WATCH_ENDED = "InotifyEmitter.queue_events() called when the thread is inactive"


def set_up(*, verbose: bool, quiet: bool = False) -> None:
    """Send log lines to standard error, where systemd's journal reads them."""
    usual = logging.ERROR if quiet else logging.INFO
    logging.basicConfig(
        level=logging.DEBUG if verbose else usual,
        format="%(asctime)s %(levelname)-7s %(name)s %(message)s",
        datefmt="%H:%M:%S",
    )
    for noisy in ("httpx", "httpcore", "waitress", "watchdog"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("watchdog.observers.inotify").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    # watchdog calls it an error that its reader finds the watch ended: so does
    # every reader that is in the middle of a step when the agent is stopped.
    return record.msg != A_WATCH_ENDED
