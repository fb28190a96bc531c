"""The log for people: one line per thing that happened, key=value, to stderr."""

import logging


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
