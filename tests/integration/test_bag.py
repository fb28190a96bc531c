"""A sealed docking, as independent tools and as our own check see it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dock_agent.custody.signing import SigningKey
from dock_agent.offload.messages import AllPassed
from dock_agent.offload.recover import recover
from dock_agent.recording import DockingState
from dock_agent.store.dockings import Docking
from dock_agent.vault.bag import seal
from dock_agent.vault.disk import Disk
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card, hostile

BIN = Path(sys.executable).parent
SIZES = {"VIDEO/a b (1).MP4": 300_000, "VIDEO/執法.MP4": 7, "LOG/empty": 0}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def docking(bench: Bench, tmp_path: Path) -> Docking:
    return bench.dock(card(tmp_path / "card", SIZES))


def sha256sum(bag: Path) -> int:
    command = ["sha256sum", "--check", "--quiet", "--strict", "manifest-sha256.txt"]
    return subprocess.run(command, cwd=bag, check=False, capture_output=True).returncode


def bagit(bag: Path) -> int:
    command = [sys.executable, str(BIN / "bagit.py"), "--quiet", "--validate", str(bag)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def rclone(bag: Path) -> int:
    command = [str(BIN / "rclone"), "checksum", "sha256"]
    command += [str(bag / "manifest-sha256.txt"), str(bag), "--include", "data/**"]
    environment = dict(os.environ) | {"RCLONE_CONFIG": "/dev/null"}
    return subprocess.run(
        command, check=False, capture_output=True, env=environment
    ).returncode


def ours(bag: Path, docking: Docking) -> int:
    return len(verify_bag(RealDisk(), bag, docking.id, KEY.public).failed)


ORACLES = {"sha256sum": sha256sum, "bagit.py": bagit, "rclone": rclone}


@pytest.mark.parametrize("oracle", ORACLES)
def test_an_independent_tool_accepts_a_sealed_docking(
    bench: Bench, docking: Docking, oracle: str
) -> None:
    assert ORACLES[oracle](bench.bag(docking)) == 0


@pytest.mark.parametrize("oracle", ORACLES)
def test_an_independent_tool_accepts_hostile_names(
    bench: Bench, tmp_path: Path, oracle: str
) -> None:
    docking = bench.dock(hostile(tmp_path / "hostile"))

    assert ORACLES[oracle](bench.bag(docking)) == 0


@pytest.mark.parametrize("oracle", ORACLES)
def test_an_independent_tool_accepts_a_docking_that_copied_nothing(
    bench: Bench, docking: Docking, tmp_path: Path, oracle: str
) -> None:
    again = bench.dock(tmp_path / "card")

    assert again.id != docking.id
    assert ORACLES[oracle](bench.bag(again)) == 0


@pytest.mark.parametrize("oracle", ORACLES)
def test_an_independent_tool_rejects_a_flipped_byte(
    bench: Bench, docking: Docking, oracle: str
) -> None:
    flip(bench.bag(docking) / "data/VIDEO/a b (1).MP4")

    assert ORACLES[oracle](bench.bag(docking)) != 0


def test_the_list_of_what_is_held_elsewhere_can_be_checked_by_anyone(
    bench: Bench, docking: Docking, tmp_path: Path
) -> None:
    again = bench.dock(tmp_path / "card")

    command = ["sha256sum", "--check", "--strict", "data/=held-sha256.txt"]
    result = subprocess.run(
        command, cwd=bench.bag(again), check=False, capture_output=True, text=True
    )

    assert result.returncode == 0
    assert str(docking.id) in result.stdout


def test_openssl_accepts_the_signature(bench: Bench, docking: Docking) -> None:
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin"]
    command += ["-inkey", "station-key.pem", "-in", "tagmanifest-sha256.txt"]
    command += ["-sigfile", "tagmanifest.sig"]

    result = subprocess.run(
        command, cwd=bench.bag(docking), check=False, capture_output=True
    )

    assert result.returncode == 0


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    rewrite(path, bytes(content))


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def drop_line(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    rewrite(path, "".join(lines[:1] + lines[2:]).encode())


MUTANTS: dict[str, Callable[[Path], object]] = {
    "a flipped byte": lambda bag: flip(bag / "data/VIDEO/a b (1).MP4"),
    "a missing file": lambda bag: (bag / "data/LOG/empty").unlink(),
    "an extra file": lambda bag: (bag / "data/extra").write_bytes(b""),
    "an extra tag file": lambda bag: (bag / "notes.txt").write_bytes(b"x"),
    "a renamed file": lambda bag: (bag / "data/LOG/empty").rename(bag / "data/LOG/x"),
    "an empty directory": lambda bag: (bag / "data/new").mkdir(),
    "a changed manifest": lambda bag: flip(bag / "manifest-sha256.txt"),
    "a changed tag manifest": lambda bag: flip(bag / "tagmanifest-sha256.txt"),
    "a changed signature": lambda bag: flip(bag / "tagmanifest.sig"),
    "no signature": lambda bag: (bag / "tagmanifest.sig").unlink(),
    "a changed inventory": lambda bag: flip(bag / "inventory.jsonl"),
    "a custody line cut out": lambda bag: drop_line(bag / "custody.jsonl"),
    "another station's key": lambda bag: rewrite(
        bag / "station-key.pem", SigningKey.from_seed(b"x" * 32).public.pem()
    ),
    "changed facts": lambda bag: flip(bag / "bag-info.txt"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_our_own_check_notices(bench: Bench, docking: Docking, mutant: str) -> None:
    bag = bench.bag(docking)
    assert ours(bag, docking) == 0

    MUTANTS[mutant](bag)

    assert ours(bag, docking) > 0


def test_a_bag_resigned_by_another_key_is_noticed(
    bench: Bench, docking: Docking
) -> None:
    bag, other = bench.bag(docking), SigningKey.from_seed(b"x" * 32)
    signed = (bag / "tagmanifest-sha256.txt").read_bytes()
    rewrite(bag / "tagmanifest.sig", other.sign(signed))

    assert ours(bag, docking) > 0


def test_a_whole_bag_in_another_s_place_is_noticed(
    bench: Bench, docking: Docking, tmp_path: Path
) -> None:
    other = bench.dock(card(tmp_path / "other", {"X.MP4": 9}))
    shutil.rmtree(bench.bag(docking))
    shutil.copytree(bench.bag(other), bench.bag(docking))

    assert ours(bench.bag(docking), docking) > 0


def test_a_row_that_the_manifest_does_not_bear_out_is_noticed(
    bench: Bench, docking: Docking
) -> None:
    assert verify_rows(bench.conn, bench.disk, bench.vault, docking).failed == []

    bench.conn.execute("UPDATE file SET sha256 = ? WHERE size = 7", ("0" * 64,))

    assert len(verify_rows(bench.conn, bench.disk, bench.vault, docking).failed) == 1


class Stopped(BaseException):
    """The process died here."""


class StoppingDisk(RealDisk):
    """Dies at the n-th change of the disk."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def rename(self, source: Path, target: Path) -> None:
        self._tick()
        super().rename(source, target)

    def sync_directory(self, path: Path) -> None:
        self._tick()
        super().sync_directory(path)

    def unlink(self, path: Path) -> None:
        self._tick()
        super().unlink(path)

    def _tick(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped


def test_a_seal_that_dies_anywhere_can_be_done_again(tmp_path: Path) -> None:
    source = card(tmp_path / "card", SIZES)
    survived, steps = False, 0

    while not survived:
        root = tmp_path / f"run{steps}"
        root.mkdir()
        bench = Bench(root)
        docking = unsealed(bench, source)
        survived = tried(bench, docking, StoppingDisk(steps))
        if not survived:
            assert bench.docking(docking.id).state is DockingState.INTERRUPTED
            seal(bench.conn, bench.sealer, docking.id)
        assert bench.docking(docking.id).state is DockingState.SEALED
        assert ours(bench.bag(docking), docking) == 0
        bench.close()
        steps += 1

    assert steps > 15


def unsealed(bench: Bench, source: Path) -> Docking:
    """Return a docking that was stopped just before its seal."""
    docking = bench.dies_at(source, AllPassed, before=True)
    recover(bench.conn, bench.sealer)
    return bench.docking(docking.id)


def tried(bench: Bench, docking: Docking, disk: Disk) -> bool:
    bench.disk = disk
    try:
        seal(bench.conn, bench.sealer, docking.id)
    except Stopped:
        bench.disk = RealDisk()
        return False
    bench.disk = RealDisk()
    return True
