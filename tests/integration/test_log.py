"""What the agent's log tells, and what it keeps quiet about."""

import subprocess
import sys

A_STOPPED_WATCH = """
import logging, queue, sys
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyEmitter
from dock_agent.log import set_up

set_up(verbose=False)
emitter = InotifyEmitter(queue.Queue(), ObservedWatch(sys.argv[1], recursive=False))
emitter.start()
emitter.stop()
emitter.join()
emitter.queue_events(1)
logging.getLogger("watchdog.observers.inotify").error("a real fault")
"""


def test_a_folder_no_longer_watched_is_no_error(tmp_path: object) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", A_STOPPED_WATCH, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    lines = ended.stderr.splitlines()
    assert [line.rpartition("inotify ")[2] for line in lines] == ["a real fault"]
