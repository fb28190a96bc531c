"""The first thing anybody runs: the whole station in one process tree."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.process import wait_until
from support.programs import command

DEMO = command("dock-agent", "demo", "--once")


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, "--listen", "127.0.0.1:0", *words],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_four_cameras_are_docked_proved_sent_and_can_be_checked_without_us(
    tmp_path: Path,
) -> None:
    done = demo("--dir", str(tmp_path / "a demo"))

    assert done.returncode == 0, done.stderr
    assert "46 files" in done.stdout
    assert "objects confirmed by the destination, 0 waiting" in done.stdout
    assert done.stdout.count("is sealed") == 4
    told = done.stdout.partition("Check it without us:\n")[2]
    checked = subprocess.run(
        ["sh", "-c", told], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(" OK\n") == 4


def test_a_scenario_is_played_and_its_vault_is_left_to_be_looked_at(
    tmp_path: Path,
) -> None:
    done = demo("--dir", str(tmp_path), "--scenario", "full-disk")

    assert done.returncode == 0, done.stderr
    assert "Don't dock here" in done.stdout
    vault = Path(re.findall(r"Its vault: (.*)", done.stdout)[0])
    bags = sorted(vault.glob("dockings/*/*/*/*/*"))
    infos = [(bag / "bag-info.txt").read_text("utf-8") for bag in bags]
    assert ["Dock-Complete: true" in info for info in infos] == [False, True]


def test_a_scenario_can_be_played_again_in_the_same_place(tmp_path: Path) -> None:
    first = demo("--dir", str(tmp_path), "--scenario", "full-disk")

    again = demo("--dir", str(tmp_path), "--scenario", "full-disk")

    assert (first.returncode, again.returncode) == (0, 0)


def test_a_taken_port_is_no_reason_not_to_begin(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        done = demo(
            "--dir", str(tmp_path), "--scenario", "full-disk", "--listen", listen
        )

    assert done.returncode == 0, done.stderr
    assert listen not in done.stdout


@contextmanager
def showing(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Show one for the length of the block, once its page is up."""
    shown = subprocess.Popen(
        command("dock-agent", "demo", "--listen", "127.0.0.1:0", "--dir", str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert shown.stdout is not None
    try:
        while "The page" not in (line := shown.stdout.readline()):
            assert line, shown.communicate()
        yield shown
    finally:
        shown.kill()
        shown.communicate()


def at_work(folder: Path) -> list[bytes]:
    """Return the command lines of the processes that work on a directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes())
    return [line for line in found if os.fsencode(folder) in line]


@pytest.mark.parametrize(
    "told", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name
)
def test_whatever_ends_it_ends_all_of_it_in_order(
    tmp_path: Path, told: signal.Signals
) -> None:
    with showing(tmp_path) as shown:
        shown.send_signal(told)
        out, err = shown.communicate(timeout=60)

    assert (shown.returncode, err) == (0, "")
    assert out.endswith("Stopped.\n")
    assert at_work(tmp_path) == []


def test_a_killed_one_leaves_nothing_running_and_can_be_begun_again(
    tmp_path: Path,
) -> None:
    with showing(tmp_path) as shown:
        assert any(b"weed" in line for line in at_work(tmp_path))
        shown.kill()
        shown.wait()
        wait_until(lambda: at_work(tmp_path) == [])

    again = demo("--dir", str(tmp_path))

    assert again.returncode == 0, again.stderr
    assert again.stdout.count("is sealed") == 4
    assert ", 0 waiting" in again.stdout


def test_a_second_one_in_its_directory_is_refused_before_it_touches_anything(
    tmp_path: Path,
) -> None:
    with showing(tmp_path):
        before = sorted((tmp_path / "bays").rglob("*"))

        second = demo("--dir", str(tmp_path))

        assert second.returncode == 33
        assert "Another demonstration runs in this directory" in second.stderr
        assert set(before) <= set((tmp_path / "bays").rglob("*"))


def test_somebody_s_directory_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "bays/1").mkdir(parents=True)

    done = demo("--dir", str(tmp_path))

    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (tmp_path / "bays/1").exists()
