"""Our own disk does not give what is to be sent: neither lost, nor a destination's."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mfusepy
import pytest

from dock_agent.errors import FixityError, VaultUnread, VaultUnusable
from dock_agent.recording import PART_SIZE, LinkState, TransferState
from dock_agent.sync.carry import OWN_DISK_TRIES, require_vault
from dock_agent.sync.content import FileContent
from dock_agent.sync.destination import Object
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from dock_agent.vault.layout import MARKER
from support.faultcard import FaultCard, mounted
from support.outbox import HOUR, MINUTE, Around, Outbox, outbox
from support.queues import CLOUD, states

QUEUED, CONFIRMED = TransferState.QUEUED, TransferState.CONFIRMED
REFUSED, BLOCKED = TransferState.REFUSED, TransferState.BLOCKED


class Disk(FaultCard):
    """A vault's disk. `opening` and `looking` fail with these codes, by path."""

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self.opening: dict[str, int] = {}
        self.looking: dict[str, int] = {}

    def open(self, path: str, flags: int) -> int:
        if path in self.opening:
            raise mfusepy.FuseOSError(self.opening[path])
        return super().open(path, flags)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path in self.looking:
            raise mfusepy.FuseOSError(self.looking[path])
        return super().getattr(path, fh)


@dataclass
class Mounted:
    """A station whose vault is on a disk that fails as told, and its first object."""

    outbox: Outbox
    disk: Disk
    worker: Worker
    path: Path

    @property
    def first(self) -> str:
        """Return the path of the first object on the disk."""
        return "/" + next(iter(self.outbox.queue.sent))

    def states(self) -> list[TransferState]:
        """Return the state of each object, in order."""
        return list(states(self.outbox.conn).values())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Mounted]:
    with outbox(tmp_path) as made:
        made.queue.docking(1, [100, 200])
        point = tmp_path / "mounted"
        with mounted(made.queue.vault, point, Disk) as disk:
            assert isinstance(disk, Disk)
            worker = Worker(point, {CLOUD: Lane(made.cloud)}, made.clock)
            yield Mounted(made, disk, worker, point)


def test_a_bad_sector_makes_its_own_object_wait_and_no_other(bench: Mounted) -> None:
    bench.disk.errors[bench.first] = 0

    bench.worker.run_once(bench.outbox.conn)

    row = bench.outbox.row()
    assert bench.states() == [QUEUED, CONFIRMED, BLOCKED]
    assert bench.outbox.column("attempts")[0] == 1
    assert os.strerror(errno.EIO) in bench.outbox.column("failure")[0]
    assert bench.outbox.told("refused") == []
    assert (row.link, row.try_after, row.failure) == (LinkState.ONLINE, None, None)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ESTALE, errno.EIO, errno.ENODEV])
@pytest.mark.parametrize("at", ["opening", "looking"])
def test_what_says_nothing_of_the_file_is_not_taken_for_its_loss(
    bench: Mounted, at: str, code: int
) -> None:
    getattr(bench.disk, at)[bench.first] = code

    bench.worker.run_once(bench.outbox.conn)

    assert bench.states() == [QUEUED, CONFIRMED, BLOCKED]
    assert bench.outbox.told("refused") == []


def test_what_can_be_read_again_is_sent(bench: Mounted) -> None:
    bench.disk.errors[bench.first] = 0
    bench.worker.run_once(bench.outbox.conn)

    bench.disk.errors.clear()
    bench.outbox.send_for(5 * MINUTE, MINUTE, bench.worker)

    assert bench.outbox.arrived() == bench.outbox.queue.sent


def test_after_a_few_tries_a_person_is_asked(bench: Mounted) -> None:
    bench.disk.errors[bench.first] = 0

    bench.outbox.send_for(2 * HOUR, MINUTE, bench.worker)
    soon = bench.states()
    bench.outbox.send_for(4 * HOUR, MINUTE, bench.worker)

    assert soon == [QUEUED, CONFIRMED, BLOCKED]
    assert bench.states() == [REFUSED, CONFIRMED, BLOCKED]
    assert bench.outbox.column("attempts")[0] == OWN_DISK_TRIES
    (told,) = bench.outbox.told("refused")
    assert told["reason"].startswith(f"tried {OWN_DISK_TRIES} times")
    assert os.strerror(errno.EIO) in told["reason"]


def test_an_object_that_is_missing_in_a_vault_that_is_there_is_told_at_once(
    bench: Mounted,
) -> None:
    bench.disk.looking[bench.first] = errno.ENOENT

    bench.worker.run_once(bench.outbox.conn)

    assert bench.states() == [REFUSED, CONFIRMED, BLOCKED]
    (told,) = bench.outbox.told("refused")
    assert os.strerror(errno.ENOENT) in told["reason"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOENT, errno.EACCES])
def test_a_whole_disk_that_fails_while_an_object_is_sent_puts_none_in_doubt(
    bench: Mounted, code: int
) -> None:
    def fail(item: Object) -> None:
        del item
        bench.disk.gone = code

    lanes = {CLOUD: Lane(Around(bench.outbox.cloud, before=fail))}
    worker = Worker(bench.path, lanes, bench.outbox.clock)
    with pytest.raises(VaultUnusable, match="is not there"):
        worker.run_once(bench.outbox.conn)
    during, tries = bench.states(), bench.outbox.column("attempts")
    bench.disk.gone = 0
    bench.worker.run_once(bench.outbox.conn)

    assert (during, tries) == ([QUEUED, QUEUED, BLOCKED], [0, 0, 0])
    assert bench.outbox.arrived() == bench.outbox.queue.sent


def test_a_bad_sector_in_an_object_that_is_hashed_first_is_no_loss(
    bench: Mounted,
) -> None:
    bench.outbox.queue.docking(2, [2 * PART_SIZE])
    large = "/" + next(key for key in bench.outbox.queue.sent if "000002/" in key)
    bench.disk.errors[large] = PART_SIZE

    bench.worker.run_once(bench.outbox.conn)

    assert states(bench.outbox.conn)[large[1:]] is QUEUED
    assert bench.outbox.told("refused") == []


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ENODEV])
def test_a_vault_whose_marker_cannot_be_read_is_not_there(
    bench: Mounted, code: int
) -> None:
    bench.disk.opening[f"/{MARKER}"] = code

    with pytest.raises(VaultUnusable, match=os.strerror(code)) as told:
        require_vault(bench.path)

    assert str(bench.path) in str(told.value)


@pytest.mark.parametrize("what", ["nothing", "a file", "an empty directory", "a loop"])
def test_what_is_no_vault_is_not_taken_for_one(tmp_path: Path, what: str) -> None:
    path = tmp_path / "elsewhere"
    match what:
        case "a file":
            path.touch()
        case "an empty directory":
            path.mkdir()
        case "a loop":
            path.symlink_to(path)

    with pytest.raises(VaultUnusable, match="is not there"):
        require_vault(path)


def test_a_read_that_fails_says_which_file_and_why() -> None:
    unmapped = Path("/proc/self/mem")  # its first bytes cannot be read: EIO

    with pytest.raises(VaultUnread, match=r"/proc/self/mem: Input/output error"):
        list(FileContent(unmapped).blocks(0, 10))


@pytest.mark.parametrize("kind", ["gone", "link", "directory", "pipe"])
def test_what_is_no_file_any_more_is_not_read_and_not_waited_for(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "file"
    match kind:
        case "link":
            path.symlink_to(tmp_path)
        case "directory":
            path.mkdir()
        case "pipe":
            os.mknod(path, stat.S_IFIFO | 0o600)

    with pytest.raises(FixityError):
        list(FileContent(path).blocks(0, 10))
