"""The vault and the link of a story."""

import errno
from pathlib import Path

import pytest

from dock_agent.errors import Unreachable
from dock_agent.recording import ReadBack
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.simulated.dock import Link, StoryDisk
from dock_agent.sync.destination import Progress
from support.sending import item


def test_a_vault_takes_no_more_than_it_may(tmp_path: Path) -> None:
    disk = StoryDisk(tmp_path, 1000)
    (tmp_path / "there").write_bytes(bytes(600))

    with pytest.raises(OSError, match="No space left") as refused:
        disk.create(tmp_path / "more", 401)

    assert refused.value.errno == errno.ENOSPC
    assert disk.free(tmp_path) == 400
    assert not (tmp_path / "more").exists()


def test_a_read_back_is_told_alike_on_every_file_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(600))

    found = StoryDisk(tmp_path, 1000).reread(tmp_path / "file")

    assert (found.method, found.counted) == (ReadBack.DIRECT, 600)


def test_nothing_goes_over_a_link_that_is_down(tmp_path: Path) -> None:
    sent = item(tmp_path, 0)
    cloud = SimulatedCloud(ManualClock())
    link = Link(cloud)
    link.up = False

    for call in (
        link.probe,
        link.check,
        link.marker,
        lambda: link.mark("01"),
        lambda: link.send(sent, Progress(), lambda _: None),
        lambda: link.confirm(sent, Progress()),
        lambda: link.look(sent, Progress()),
    ):
        with pytest.raises(Unreachable):
            call()

    assert cloud.calls == 0
    link.up = True
    assert link.check() == cloud.check()
