"""A share that answers from our own memory: refused, unless a person accepts it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from msgspec import structs

from dock_agent.config import Config, Station, Store, Vault
from dock_agent.config_tables import Destination as Table
from dock_agent.errors import Barred, NotTaken
from dock_agent.recording import LinkState, Proof, ReadBack
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.disk import Faults, SimulatedDisk
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.directory.destination import Directory, open_directory
from dock_agent.sync.directory.share import ShareDisk, is_network
from dock_agent.sync.lane import Lane
from dock_agent.sync.open import least_of
from dock_agent.sync.worker import Worker
from dock_agent.vault.disk import Beat, Reread, silent
from dock_agent.vault.real import RealDisk
from support.faultcard import mounted
from support.outbox import outbox
from support.queues import CLOUD
from support.sending import Memory, item, sent_whole

TMPFS = Path("/dev/shm")  # noqa: S108  a file system that is nothing but cache
SAYS = r'prove.* nothing.* `cached = "accept"`'
DONE = Progress()


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, 5000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "share"
    made.mkdir()
    return made


def cached(root: Path, least: Proof = Proof.READ_BACK) -> Directory:
    """Return a share that answers from our own cache."""
    disk = SimulatedDisk(faults=Faults(answers_from_cache=True))
    disk.make_directory(root)
    return Directory(root, disk, least, local=True)


def test_a_copy_that_never_left_our_cache_proves_nothing(
    root: Path, sent: Object
) -> None:
    nas = cached(root)

    done = nas.send(sent, DONE, Memory())
    with pytest.raises(Barred, match=SAYS):
        nas.confirm(sent, done, sent=True)


def test_a_share_that_answers_from_our_cache_is_found_out_before_it_is_sent_to(
    root: Path,
) -> None:
    with pytest.raises(Barred, match=SAYS):
        cached(root).check()


def test_a_copy_in_our_cache_counts_where_a_person_accepts_it(
    root: Path, sent: Object
) -> None:
    nas = cached(root, Proof.CACHED)

    told = sent_whole(nas, sent)

    assert told is not None
    assert told.proof is Proof.CACHED
    assert "memory" in nas.check()


def test_a_copy_that_was_read_back_is_one_wherever_less_would_do(
    root: Path, sent: Object
) -> None:
    disk = SimulatedDisk()
    disk.make_directory(root)

    told = sent_whole(Directory(root, disk, Proof.CACHED, local=True), sent)

    assert told is not None
    assert told.proof is Proof.READ_BACK


@dataclass(slots=True)
class Held(SimulatedDisk):
    """Answers from the cache for large files only: somebody has them open."""

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        found = SimulatedDisk.reread(self, path, beat)
        return replace(found, method=ReadBack.CACHED) if found.size == 5000 else found


def test_one_file_that_stays_in_our_cache_waits_and_the_share_goes_on(
    root: Path, sent: Object
) -> None:
    disk = Held()
    disk.make_directory(root)
    nas = Directory(root, disk, local=True)

    done = nas.send(sent, DONE, Memory())
    with pytest.raises(NotTaken, match="memory"):
        nas.confirm(sent, done, sent=True)


@contextmanager
def in_memory() -> Iterator[Path]:
    if not TMPFS.is_mount():
        pytest.skip("no tmpfs here")
    with tempfile.TemporaryDirectory(dir=TMPFS) as folder:
        yield Path(folder)


def test_a_file_system_in_memory_is_known_for_what_it_is(sent: Object) -> None:
    with in_memory() as folder, pytest.raises(Barred, match=SAYS):
        sent_whole(Directory(folder, ShareDisk(), local=True), sent)


def test_a_worker_sends_nothing_to_a_share_that_proves_nothing(tmp_path: Path) -> None:
    with outbox(tmp_path) as bench, in_memory() as folder:
        bench.queue.docking(1, [10])
        nas = Directory(folder, ShareDisk(), local=True)

        worker = Worker(bench.queue.vault, {CLOUD: Lane(nas)}, bench.clock)
        worker.run_once(bench.conn)

        assert not (folder / "dockings").exists()
        assert bench.link() is LinkState.BARRED
        assert "`cached = " in (bench.row().failure or "")


@pytest.mark.parametrize(
    ("least", "state", "proof"),
    [(Proof.ECHOED, "refused", None), (Proof.CACHED, "confirmed", Proof.CACHED)],
)
def test_what_counts_for_less_is_confirmed_only_where_no_more_is_asked_for(
    tmp_path: Path, least: Proof, state: str, proof: Proof | None
) -> None:
    with outbox(tmp_path) as bench, in_memory() as folder:
        bench.queue.docking(1, [10])
        nas = Directory(folder, ShareDisk(), Proof.CACHED, local=True)

        lanes = {CLOUD: Lane(nas, least=least)}
        Worker(bench.queue.vault, lanes, bench.clock).run_once(bench.conn)

        assert (bench.column("state")[0], bench.column("proof")[0]) == (state, proof)


@pytest.mark.parametrize("cached", [True, False])
def test_a_file_behind_fuse_is_not_taken_for_one_that_was_read_back(
    tmp_path: Path, sent: Object, *, cached: bool
) -> None:
    """Its daemon may answer from this machine's own memory, as this one does."""
    with mounted(tmp_path, tmp_path.with_name("mounted"), cached=cached) as card:
        found = ShareDisk().reread(tmp_path.with_name("mounted") / "5000-0.bin")

    assert card.bytes_read >= sent.size
    assert (found.digest, found.method) == (sent.digest, ReadBack.CACHED)
    assert found.dropped is cached


@pytest.mark.parametrize(
    ("table", "least"),
    [
        (Table(name="d", kind="directory", path="p"), Proof.ECHOED),
        (Table(name="d", kind="directory", path="p", cached="accept"), Proof.CACHED),
        (Table(name="d", kind="s3", cached="accept"), Proof.ECHOED),
        (Table(name="d", kind="tus", proof="read-back"), Proof.READ_BACK),
    ],
)
def test_only_a_directory_whose_table_says_so_may_prove_so_little(
    table: Table, least: Proof
) -> None:
    assert least_of(table) is least


@pytest.mark.parametrize("accepts", [True, False])
def test_a_table_says_whether_a_share_in_memory_is_accepted(
    sent: Object, *, accepts: bool
) -> None:
    with in_memory() as folder:
        whole = Config(
            station=Station(id="a"), vault=Vault(path="v"), store=Store(path="s")
        )
        table = Table(name="nas", kind="directory", path=str(folder), local=True)
        table = structs.replace(table, cached="accept") if accepts else table
        nas = open_directory(whole, table, ManualClock())

        if accepts:
            told = sent_whole(nas, sent)
            assert told is not None
            assert told.proof is Proof.CACHED
        else:
            with pytest.raises(Barred, match=SAYS):
                sent_whole(nas, sent)


# ---- what is on the network ----------------------------------------------------


def line(path: Path, kind: str, options: str = "rw") -> str:
    """Return the line of the table of mounts for where `path` is."""
    device = path.stat().st_dev
    number = f"{device >> 8 & 0xFFF}:{device & 0xFF | device >> 12 & 0xFFF00}"
    return f"36 35 {number} / /mnt/nas rw,noatime shared:1 - {kind} nas:/x {options}\n"


@pytest.mark.parametrize(
    ("kind", "options", "network"),
    [
        *((kind, "rw,vers=3.1.1", True) for kind in ("cifs", "smb3", "nfs4", "ceph")),
        ("nfs", "rw,fsc,vers=3", False),
        ("cifs", "rw,fsc", False),
        ("ceph", "rw,fsc=one,acl", False),
        ("nfs4", "rw,fscx", True),
        ("fuse.rclone", "rw", False),
        ("fuse", "rw", False),
        ("overlay", "rw", False),
        ("ext4", "rw", False),
        ("tmpfs", "rw", False),
    ],
)
def test_a_share_is_on_the_network_by_its_kind_and_without_a_cache_on_disk(
    tmp_path: Path, kind: str, options: str, *, network: bool
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(line(tmp_path, kind, options))

    assert is_network(tmp_path, table) is network


def test_a_file_system_of_which_nothing_is_told_is_not_on_the_network(
    tmp_path: Path,
) -> None:
    (tmp_path / "mountinfo").write_text("1 2 0:9999 / /x rw - nfs4 a:/ rw\n\nx\n")

    assert not is_network(tmp_path, tmp_path / "mountinfo")
    assert not is_network(tmp_path)


def test_what_the_kernel_does_not_count_on_the_network_was_read_past_our_cache(
    tmp_path: Path, sent: Object
) -> None:
    """FUSE stands in for cifs: neither is counted to whoever reads."""
    point = tmp_path.with_name("mounted")
    with mounted(tmp_path, point, cached=True):
        table = tmp_path.with_name("mountinfo")
        table.write_text(line(point, "cifs"))
        plain = RealDisk().reread(point / "5000-0.bin")
        found = ShareDisk(table).reread(point / "5000-0.bin")

    assert (plain.method, plain.dropped) == (ReadBack.CACHED, True)
    assert (found.digest, found.method) == (sent.digest, ReadBack.DROPPED)


def test_what_stays_in_our_cache_was_not_read_past_it_on_the_network_either(
    tmp_path: Path,
) -> None:
    """A file system in memory stands in for a share that keeps its pages."""
    with in_memory() as folder:
        (folder / "file").write_bytes(bytes(5000))
        table = tmp_path / "mountinfo"
        table.write_text(line(folder, "nfs4"))

        found = ShareDisk(table).reread(folder / "file")

    assert found.method is ReadBack.CACHED
