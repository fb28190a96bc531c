"""A directory as a destination, on a disk that does not do what it should."""

import errno
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.config import Config, Station, Store, Vault
from dock_agent.config_tables import Destination as Table
from dock_agent.errors import (
    Barred,
    ConfigError,
    Full,
    NotTaken,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import Proof
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.disk import Faults, PowerCut, SimulatedDisk
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.directory.destination import Directory, open_directory
from dock_agent.sync.directory.marker import MARKER
from dock_agent.vault.disk import Beat, Reread, Writer, silent
from dock_agent.vault.layout import PART
from dock_agent.vault.real import RealDisk
from support.places import BEGIN
from support.sending import Hearing, Interrupted, Memory, file, item, sent_whole

TMPFS = Path("/dev/shm")  # noqa: S108  a file system that is nothing but cache
DONE = Progress()


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, 5000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "share"
    made.mkdir()
    return made


def share(root: Path, disk: SimulatedDisk, least: Proof = Proof.READ_BACK) -> Directory:
    disk.make_directory(root)
    return Directory(root, disk, least, local=True)


def asked(nas: Directory, sent: Object) -> list[Callable[[], object]]:
    """Return everything that a share can be asked."""
    return [
        nas.probe,
        lambda: nas.send(sent, DONE, Memory()),
        lambda: nas.confirm(sent, DONE),
        lambda: nas.look(sent, DONE),
        nas.check,
    ]


def test_a_share_that_is_not_there_is_tried_again_and_not_made(
    tmp_path: Path, sent: Object
) -> None:
    away = Directory(tmp_path / "share", RealDisk(), local=True)

    asking = [*asked(away, sent), away.marker]
    for ask in asking:
        with pytest.raises(Unreachable, match="mounted"):
            ask()
    with pytest.raises(Unreachable, match="mounted"):
        away.mark("first")

    assert not (tmp_path / "share").exists()


def test_what_is_left_where_a_share_was_mounted_is_not_written_to(
    root: Path, sent: Object
) -> None:
    nas = Directory(root, RealDisk(), local=True)
    nas.mark("first")
    unmounted(root)

    for ask in asked(nas, sent):
        with pytest.raises(Unreachable, match="mounted"):
            ask()

    assert nas.marker() is None
    assert list(root.iterdir()) == []


def test_an_agent_that_saw_the_marker_at_its_start_misses_it_later(
    root: Path, sent: Object
) -> None:
    Directory(root, RealDisk(), local=True).mark("first")
    restarted = Directory(root, RealDisk(), local=True)
    restarted.marker()
    unmounted(root)

    with pytest.raises(Unreachable, match="mounted"):
        restarted.send(sent, DONE, Memory())

    assert list(root.iterdir()) == []


def test_a_share_that_goes_in_mid_copy_gets_no_name(root: Path, sent: Object) -> None:
    nas = Directory(root, RealDisk(), local=True)
    nas.mark("first")
    cut = replace(sent, moved=lambda _: unmounted(root))

    with pytest.raises(Unreachable, match="mounted"):
        nas.send(cut, DONE, Memory())

    assert list(root.iterdir()) == []
    assert not (root.with_name("away") / sent.key).exists()


def test_another_share_in_its_place_is_not_written_to(root: Path, sent: Object) -> None:
    nas = Directory(root, RealDisk(), local=True)
    nas.mark("first")
    unmounted(root)
    Directory(root, RealDisk(), local=True).mark("second")

    for ask in asked(nas, sent):
        with pytest.raises(Barred, match="second"):
            ask()

    assert nas.marker() == "second"
    assert [path.name for path in root.iterdir()] == [MARKER]


@pytest.mark.parametrize("found", [b"", b"{}", b'{"id": 1}', b"\xff", b"x" * 10_000])
def test_a_marker_that_is_not_ours_is_left_as_it_is(root: Path, found: bytes) -> None:
    (root / MARKER).write_bytes(found)
    nas = Directory(root, RealDisk(), local=True)

    for ask in (nas.marker, lambda: nas.mark("first")):
        with pytest.raises(Barred, match="not one of ours"):
            ask()

    assert (root / MARKER).read_bytes() == found


def test_a_marker_survives_a_power_cut(root: Path) -> None:
    disk = SimulatedDisk()
    share(root, disk).mark("first")

    disk.crash()

    assert Directory(root, disk, local=True).marker() == "first"
    assert list(disk.listing(root)) == [root / MARKER]


def test_of_two_stations_that_mark_a_share_at_once_one_is_told(root: Path) -> None:
    disk = Overtaken()
    slow, fast = share(root, disk), Directory(root, disk, local=True)
    disk.overtake = lambda: fast.mark("fast")

    with pytest.raises(Barred, match="fast"):
        slow.mark("slow")

    assert fast.marker() == "fast"
    assert list(disk.listing(root)) == [root / MARKER]


def test_a_copy_that_is_read_back_other_than_it_was_sent_is_not_confirmed(
    root: Path, sent: Object
) -> None:
    disk = SimulatedDisk(faults=Faults(flips=1))
    nas = share(root, disk)

    assert sent_whole(nas, sent) is None

    with pytest.raises(Refused, match="already called"):
        nas.send(sent, DONE, Memory())


def test_a_copy_that_rots_over_there_is_not_confirmed_again(
    root: Path, sent: Object
) -> None:
    nas = Directory(root, RealDisk(), local=True)
    assert sent_whole(nas, sent) is not None
    copy = root / sent.key
    copy.chmod(0o600)
    copy.write_bytes(bytes(sent.size))

    assert nas.confirm(sent, DONE) is None


def test_what_is_confirmed_survives_a_power_cut(root: Path, sent: Object) -> None:
    disk = SimulatedDisk()
    nas = share(root, disk)
    assert sent_whole(nas, sent) is not None

    disk.crash()

    assert nas.confirm(sent, DONE) is not None


def test_a_name_that_is_found_is_made_to_last_before_it_is_confirmed(
    root: Path, sent: Object
) -> None:
    disk = SimulatedDisk()
    nas = share(root, disk)
    named_but_not_flushed(disk, root / sent.key, file(sent).read_bytes())

    done = nas.send(sent, DONE, Memory())
    assert nas.confirm(sent, done, sent=True) is not None
    disk.crash()

    assert nas.confirm(sent, DONE) is not None


@pytest.mark.parametrize(
    ("faults", "capacity", "raised"),
    [
        (Faults(), 4999, Full),
        (Faults(sync_error=errno.EIO), 1 << 20, Unreachable),
        (Faults(read_only=True), 1 << 20, Barred),
    ],
    ids=["full", "broken", "read-only"],
)
def test_a_copy_that_fails_leaves_nothing_behind(
    root: Path, sent: Object, faults: Faults, capacity: int, raised: type[SyncError]
) -> None:
    disk = SimulatedDisk(capacity)
    nas = share(root, disk)
    disk.faults = faults

    with pytest.raises(raised):
        nas.send(sent, DONE, Memory())

    assert list(disk.listing(root)) == []


@pytest.mark.parametrize("at", ["create", "size", "reread"])
@pytest.mark.parametrize(
    ("code", "raised"),
    [
        *((code, Full) for code in (errno.ENOSPC, errno.EDQUOT)),
        *((code, Barred) for code in (errno.EROFS, errno.EACCES, errno.EPERM)),
        (errno.ENOTDIR, Barred),
        *((code, Unreachable) for code in (errno.EIO, errno.ESTALE, errno.ENODEV)),
        *((code, Unreachable) for code in (errno.ENOTCONN, errno.EHOSTDOWN)),
        (errno.ETIMEDOUT, Unreachable),
        *((code, Refused) for code in (errno.EFBIG, errno.ENAMETOOLONG)),
        *((code, NotTaken) for code in (errno.EBUSY, errno.ENOLCK, errno.EAGAIN)),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else None,
)
def test_what_a_share_says_is_what_is_raised(
    root: Path, sent: Object, at: str, code: int, raised: type[SyncError]
) -> None:
    disk = Failing()
    nas = share(root, disk)
    if at != "create":
        assert sent_whole(nas, sent) is not None
    disk.failing[at] = code

    with pytest.raises(SyncError) as told:
        nas.send(sent, DONE, Memory())

    assert type(told.value) is raised


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_share_in_trouble_is_not_taken_for_an_empty_one(
    root: Path, sent: Object, code: int
) -> None:
    disk = Failing()
    nas = share(root, disk)
    assert sent_whole(nas, sent) is not None
    disk.failing["size"] = code

    for ask in (lambda: nas.confirm(sent, DONE), lambda: nas.look(sent, DONE)):
        with pytest.raises(SyncError):
            ask()


@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "pipe"])
def test_what_is_no_file_is_another_of_that_name(
    root: Path, sent: Object, kind: str
) -> None:
    target = root / sent.key
    target.parent.mkdir(parents=True)
    MAKE[kind](target, file(sent))
    nas = Directory(root, RealDisk(), local=True)

    with pytest.raises(Refused, match="already called"):
        nas.send(sent, DONE, Memory())

    assert nas.confirm(sent, DONE) is None


def test_nothing_is_replaced_that_came_while_a_copy_was_written(
    root: Path, sent: Object
) -> None:
    def come(count: int) -> None:
        del count
        (root / sent.key).write_bytes(b"theirs")

    with pytest.raises(Refused, match="already called"):
        Directory(root, RealDisk(), local=True).send(
            replace(sent, moved=come), DONE, Memory()
        )

    assert [path.name for path in (root / sent.key).parent.iterdir()] == ["0001.MP4"]
    assert (root / sent.key).read_bytes() == b"theirs"


def test_a_sender_that_loses_its_power_anywhere_leaves_one_part_at_most(
    root: Path, sent: Object
) -> None:
    disk, clock = SimulatedDisk(), ManualClock()
    disk.make_directory(root)
    nas = Directory(root, disk, clock=clock, local=True)
    cuts = 0

    while not survives(nas, disk, sent, cuts):
        disk.crash(names_last=True)
        clock.advance(timedelta(days=1, seconds=1))
        cuts += 1
        assert len(list(disk.listing(root))) <= 1

    assert cuts > 5
    assert nas.confirm(sent, DONE) is not None
    assert list(disk.listing(root)) == [root / sent.key]


def test_a_part_that_a_dead_process_left_is_removed_by_the_next(
    root: Path, sent: Object
) -> None:
    nas = Directory(root, RealDisk(), local=True)
    left = Left()
    with pytest.raises(Killed):
        Directory(root, left, local=True).send(sent, DONE, Memory())
    assert [path.name[: len(PART)] for path in left.parts] == [PART]

    assert sent_whole(nas, sent) is not None

    assert not left.parts[0].exists()


def test_a_part_that_somebody_else_left_long_ago_is_removed(
    root: Path, sent: Object
) -> None:
    clock, left = ManualClock(), Left()
    other = replace(sent, key=sent.key.replace("0001", "0002"))
    with pytest.raises(Killed):
        Directory(root, left, clock=clock, local=True).send(other, DONE, Memory())
    nas = Directory(root, RealDisk(), clock=clock, local=True)

    nas.send(sent, DONE, Memory())
    assert left.parts[0].exists()  # whoever it is may be at it
    clock.advance(timedelta(days=1, seconds=1))
    nas.send(replace(sent, key=sent.key.replace("0001", "3")), DONE, Memory())

    assert not left.parts[0].exists()


def test_of_two_that_send_one_object_neither_takes_the_others_part(
    root: Path, sent: Object
) -> None:
    nas = Directory(root, RealDisk(), local=True)
    names: list[str] = []

    def inner(_: int) -> None:
        folder = (root / sent.key).parent
        names.extend(path.name for path in folder.iterdir())

    def outer(_: int) -> None:
        nas.send(replace(sent, moved=inner), DONE, Memory())

    with pytest.raises(NotTaken):
        nas.send(replace(sent, moved=outer), DONE, Memory())

    assert len(set(names)) == 2
    assert [path.name for path in (root / sent.key).parent.iterdir()] == ["0001.MP4"]
    assert (root / sent.key).read_bytes() == file(sent).read_bytes()


@pytest.mark.parametrize("confirms", [True, False])
def test_a_directory_of_our_own_disk_is_marked_only_if_it_is_meant(
    root: Path, *, confirms: bool
) -> None:
    nas = Directory(root, RealDisk(), local=confirms)

    if confirms:
        nas.mark("first")
    else:
        with pytest.raises(Barred, match=r"Mount it; .* `local = true`"):
            nas.mark("first")

    assert nas.marker() == ("first" if confirms else None)
    assert [path.name for path in root.iterdir()] == [MARKER] * confirms


def test_a_directory_that_has_its_marker_is_the_place_wherever_it_is(
    root: Path,
) -> None:
    Directory(root, RealDisk(), local=True).mark("first")

    Directory(root, RealDisk()).mark("first")


@pytest.mark.skipif(not TMPFS.is_mount(), reason="no tmpfs here")
def test_a_share_of_its_own_is_marked_and_a_directory_beside_the_vault_is_not() -> None:
    with tempfile.TemporaryDirectory(dir=TMPFS) as folder:
        root = Path(folder, "nas")
        root.mkdir()
        share_, beside = Directory(root, RealDisk()), Directory(root, RealDisk())
        beside.keep_apart(Path(folder))

        with pytest.raises(Barred, match="disk of this machine"):
            beside.mark("first")
        share_.mark("first")

        assert share_.marker() == "first"


def test_a_table_that_does_not_say_so_means_a_share(tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    table = Table(name="nas", kind="directory", path="nas")

    nas = open_directory(configured(tmp_path), table, ManualClock())

    with pytest.raises(Barred, match="disk of this machine"):
        nas.mark("first")


def test_the_wrong_share_at_the_start_is_put_right_without_a_restart(
    root: Path, sent: Object
) -> None:
    Directory(root, RealDisk(), local=True).mark("wrong")
    nas = Directory(root, RealDisk(), local=True)
    assert nas.marker() == "wrong"
    unmounted(root)
    Directory(root, RealDisk(), local=True).mark("right")

    nas.probe()
    assert nas.marker() == "right"

    assert sent_whole(nas, sent) is not None


def test_a_share_that_was_used_is_the_one_whatever_is_read_there_later(
    root: Path, sent: Object
) -> None:
    Directory(root, RealDisk(), local=True).mark("first")
    nas = Directory(root, RealDisk(), local=True)
    nas.marker()
    nas.send(sent, DONE, Memory())
    unmounted(root)
    Directory(root, RealDisk(), local=True).mark("second")

    assert nas.marker() == "second"  # which its caller is going to object to

    for ask in asked(nas, sent):
        with pytest.raises(Barred, match="second"):
            ask()


def test_a_copy_has_the_time_of_its_recording_and_is_not_to_be_written(
    root: Path, sent: Object
) -> None:
    sent_whole(Directory(root, RealDisk(), local=True), sent)

    facts = (root / sent.key).stat()
    assert facts.st_mtime == BEGIN.timestamp()
    assert facts.st_mode & 0o777 == 0o440


def test_a_check_reads_a_whole_block_and_leaves_nothing_behind(root: Path) -> None:
    disk = SimulatedDisk(faults=Faults(flips=1))
    nas = share(root, disk)

    with pytest.raises(Barred, match="not what was written"):
        nas.check()

    assert list(disk.listing(root)) == []


def test_the_bytes_of_a_copy_are_told_of_before_they_are_written(
    root: Path, sent: Object
) -> None:
    disk = SimulatedDisk()
    nas = share(root, disk)

    with pytest.raises(Interrupted):
        nas.send(Hearing(most=1).of(sent), DONE, Memory())

    assert list(disk.listing(root)) == []


def test_a_table_of_the_configuration_says_where_it_is(tmp_path: Path) -> None:
    whole = configured(tmp_path)
    (tmp_path / "nas").mkdir()
    table = Table(name="nas", kind="directory", path="nas", local=True)

    nas = open_directory(whole, table, ManualClock())
    nas.mark("first")

    assert (tmp_path / "nas" / MARKER).is_file()
    with pytest.raises(ConfigError, match="no path"):
        open_directory(whole, Table(name="nas", kind="directory"), ManualClock())


MAKE: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda target, ours: target.symlink_to(ours),
    "dangling": lambda target, _: target.symlink_to("nowhere"),
    "directory": lambda target, _: target.mkdir(),
    "pipe": lambda target, _: os.mkfifo(target),
}


def configured(base: Path) -> Config:
    return Config(
        station=Station(id="a"),
        vault=Vault(path="v"),
        store=Store(path="s"),
        base=str(base),
    )


def unmounted(root: Path) -> None:
    """Take a share away; an empty directory is left in its place."""
    root.rename(root.with_name("away"))
    root.mkdir()


def named_but_not_flushed(disk: SimulatedDisk, path: Path, content: bytes) -> None:
    """Put a whole file there whose name a power cut would take."""
    disk.make_directory(path.parent)
    writer = disk.create(path, len(content))
    writer.write(memoryview(content), 0)
    writer.finish(len(content), 0)
    writer.sync()
    writer.close()


def survives(nas: Directory, disk: SimulatedDisk, sent: Object, steps: int) -> bool:
    """Send and confirm with so many operations left; whether that was enough."""
    disk.faults.cut_after = steps
    try:
        done = nas.send(sent, DONE, Memory())
        confirmed = nas.confirm(sent, done, sent=True)
    except PowerCut:
        return False
    disk.faults.cut_after = None
    return confirmed is not None


@dataclass(slots=True)
class Overtaken(SimulatedDisk):
    """Somebody else is faster, once, just before a file gets its name."""

    overtake: Callable[[], object] | None = None

    def rename(self, source: Path, target: Path) -> None:
        overtake, self.overtake = self.overtake, None
        if overtake is not None:
            overtake()
        SimulatedDisk.rename(self, source, target)


@dataclass(slots=True)
class Failing(SimulatedDisk):
    """Answers some calls with an errno."""

    failing: dict[str, int] = field(default_factory=dict)

    def _fail(self, call: str) -> None:
        if call in self.failing:
            code = self.failing[call]
            raise OSError(code, os.strerror(code))

    def create(self, path: Path, size: int) -> Writer:
        self._fail("create")
        return SimulatedDisk.create(self, path, size)

    def size(self, path: Path) -> int:
        self._fail("size")
        return SimulatedDisk.size(self, path)

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        self._fail("reread")
        return SimulatedDisk.reread(self, path, beat)


class Killed(BaseException):
    """The process is no more."""


class Left(RealDisk):
    """The disk of a process that is killed before it names its copy."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Path] = []

    def rename(self, source: Path, target: Path) -> None:
        del target
        self.parts.append(source)
        raise Killed

    def unlink(self, path: Path) -> None:
        if path not in self.parts:
            super().unlink(path)
