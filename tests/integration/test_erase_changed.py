"""A camera that is not as it was offloaded keeps everything."""

import os
from pathlib import Path

from dock_agent.bays.machine import Failed
from dock_agent.offload.erase.card import WritableCard
from dock_agent.recording import (
    CameraId,
)
from dock_agent.store.dockings import Docking
from support.bench import Bench
from support.cards import card, digests
from support.erasing import (
    SIZES,
    Clearing,
    bench,
    give_other_bytes,
    record_more,
    require_untouched,
    source,
    told,
)
from support.erasing import erasures as recorded

__all__ = ["bench", "source"]


def test_a_camera_that_is_not_as_it_was_offloaded_keeps_everything(
    bench: Bench, tmp_path: Path
) -> None:
    for number, (change, why) in enumerate(CHANGES):
        source = card(tmp_path / f"card-{number}", SIZES)
        camera = CameraId(f"KT-Z3:{number}")
        docking = dock(bench, source, camera)
        change(source)
        now = digests(source)

        Clearing(bench, source, camera=camera).of(docking)

        assert digests(source) == now
        assert recorded(bench, docking.id) == {}
        (line,) = told(bench, docking.id, "erase refused")
        assert why in line["facts"]["reason"]
        assert isinstance(bench.events[-1], Failed), "its bay would be green"


def _grown(source: Path) -> None:
    with (source / "DCIM/0002.MP4").open("ab") as file:
        file.write(b"more")


def _gone(source: Path) -> None:
    (source / "DCIM/0002.MP4").unlink()


def _other_time(source: Path) -> None:
    os.utime(source / "DCIM/0002.MP4", ns=(1, 1))


def _other_case(source: Path) -> None:
    (source / "DCIM/0002.MP4").rename(source / "DCIM/0002.mp4")


def _a_link(source: Path) -> None:
    path = source / "DCIM/0002.MP4"
    path.unlink()
    path.symlink_to("0001.MP4")


CHANGES = (
    (record_more, "it was not there when the camera was offloaded"),
    (_grown, "it is not what was offloaded"),
    (_gone, "it is no longer there"),
    (give_other_bytes, "other bytes"),
    (_other_time, "it is not what was offloaded"),
    (_other_case, "it is no longer there"),
    (_a_link, "it is not what was offloaded"),
)


def dock(bench: Bench, source: Path, camera: CameraId) -> Docking:
    job = bench.job(source, camera)
    bench.offload(job)
    return bench.docking(job.docking)


def test_a_file_that_appears_while_the_camera_is_read_again_keeps_everything(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    class Writing(WritableCard):
        def read(self, fd: int, buffer: memoryview) -> int:
            record_more(source)
            return super().read(fd, buffer)

    Clearing(bench, source, card=Writing).of(docking)

    require_untouched(bench, docking, source, "DCIM/9999.MP4: it was not there")
    assert isinstance(bench.events[-1], Failed)
