"""What a demonstration stands on, and that it takes nothing of anybody's away."""

import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from dock_agent.errors import ConfigError
from dock_agent.simulated.stage import (
    CARDS,
    AlreadyShown,
    cameras,
    configure,
    directory,
    free,
    say_what_is_proved,
)
from support.cards import digests


def unheard(line: str) -> None:
    del line


def test_a_directory_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bays/1").mkdir(parents=True)
    (tmp_path / "bays/1/0001.MP4").write_bytes(b"somebody's evidence")

    with pytest.raises(ConfigError, match="not empty"), directory(tmp_path):
        pytest.fail("somebody's directory was taken")

    assert digests(tmp_path).keys() == {b"bays/1/0001.MP4"}


def test_a_directory_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="file"), directory(tmp_path / "file"):
        pytest.fail("a file was taken for a directory")


def test_a_demonstration_s_own_directory_is_used_again(tmp_path: Path) -> None:
    with directory(tmp_path / "demo") as first:
        cameras(first, unheard)

    with directory(tmp_path / "demo") as again:
        assert again == first
        assert len(cameras(again, unheard)) == len(CARDS)


def test_a_directory_in_which_one_is_shown_is_refused_to_the_next(
    tmp_path: Path,
) -> None:
    with (
        directory(tmp_path / "demo"),
        pytest.raises(AlreadyShown, match="demo"),
        directory(tmp_path / "demo"),
    ):
        pytest.fail("two demonstrations had one directory")


def test_without_one_a_new_directory_is_made() -> None:
    with directory(None) as one, directory(None) as other:
        assert one != other
    for folder in (one, other):
        (folder / ".dock-agent-demo").unlink()
        folder.rmdir()


def test_a_directory_that_cannot_prove_what_is_read_back_is_said_so() -> None:
    said: list[str] = []

    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        say_what_is_proved(Path(memory), said.append)

    (line,) = said
    assert "cannot be read back" in line


def test_a_camera_is_docked_at_once_and_whole(tmp_path: Path) -> None:
    docker = cameras(tmp_path, unheard)[0]
    before = digests(docker.path)

    docker.dock()

    assert digests(docker.bay / docker.card.folder) == before
    assert not docker.path.exists()


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        host, _, found = free(f"127.0.0.1:{port}").rpartition(":")

    assert host == "127.0.0.1"
    assert port < int(found) < port + 20


@pytest.mark.parametrize("listen", ["unix:/run/page.sock", "nonsense", "127.0.0.1:0"])
def test_what_has_no_port_of_its_own_is_left_alone(listen: str) -> None:
    assert free(listen) == listen


def test_the_configuration_has_a_bay_for_every_camera_and_a_pace_to_watch(
    tmp_path: Path,
) -> None:
    ready = cameras(tmp_path, unheard)

    with ExitStack() as stack:
        config = configure(tmp_path, "127.0.0.1:0", ready, stack)

    assert [config.resolve(bay.folder or "") for bay in config.bays] == [
        docker.bay for docker in ready
    ]
    assert config.offload.pace > 0
    assert len(config.destinations) == 1
