"""One agent to a vault, and the vault on the disk that it was made on."""

import fcntl
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import AlreadyRunning, VaultUnusable
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.disk import SimulatedDisk
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import MARKER
from dock_agent.vault.lock import (
    held,
    identity,
    lock_bag,
    make,
    refuse_overlap,
)
from dock_agent.vault.real import RealDisk
from support.disks import MAY_MOUNT, small_file_system

HOLDER = """
import sys
from pathlib import Path
from dock_agent.vault.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

needs_root = pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root and loops")


def opened(disk: Disk, root: Path, expected: str | None = None) -> str:
    """Open a vault as a station does at its start."""
    if expected is None:
        make(disk, root)
    return identity(disk, root, ManualClock(seed=7), expected)


def test_a_vault_that_is_held_is_refused_to_another_agent(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(AlreadyRunning), held(tmp_path):
        pytest.fail("two agents hold one vault")


def test_a_vault_is_free_again_when_its_holder_dies(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning), held(tmp_path):
            pytest.fail("two agents hold one vault")
        holder.kill()

    with held(tmp_path):
        again = (tmp_path / ".lock").exists()

    assert again


def test_a_vault_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(VaultUnusable, match="not there"), held(tmp_path / "absent"):
        pytest.fail("it is not there")


def test_a_file_is_no_vault(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    with pytest.raises(VaultUnusable), held(path):
        pytest.fail("it is a file")
    with pytest.raises(VaultUnusable):
        opened(RealDisk(), path)


@needs_root
def test_a_read_only_vault_is_refused(tmp_path: Path) -> None:
    with small_file_system(tmp_path, 40 << 20) as root:
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)

        with pytest.raises(VaultUnusable, match="Read-only"), held(root):
            pytest.fail("it is read-only")
        with pytest.raises(VaultUnusable):
            opened(RealDisk(), root)


def test_a_new_vault_is_made_below_a_directory_that_is_there(tmp_path: Path) -> None:
    ident = opened(RealDisk(), tmp_path / "vault")

    assert len(ident) == 26
    assert (tmp_path / "vault" / MARKER).is_file()


def test_no_vault_is_made_where_not_even_its_parent_is(tmp_path: Path) -> None:
    with pytest.raises(VaultUnusable, match="not there"):
        opened(RealDisk(), tmp_path / "absent" / "vault")

    assert not (tmp_path / "absent").exists()


def test_a_vault_keeps_its_id(tmp_path: Path) -> None:
    first = opened(RealDisk(), tmp_path)
    clock = ManualClock(seed=8)
    clock.advance(timedelta(days=1))

    again = identity(RealDisk(), tmp_path, clock, first)
    unasked = identity(RealDisk(), tmp_path, clock, None)

    assert first == again == unasked


def test_the_empty_directory_of_a_disk_that_is_not_mounted_is_no_vault(
    tmp_path: Path,
) -> None:
    with pytest.raises(VaultUnusable, match="marker is missing"):
        opened(RealDisk(), tmp_path, expected="01JD5Z7V8QXK3T2M4N6P8R0S1W")

    assert list(tmp_path.iterdir()) == []


def test_a_vault_that_went_away_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(VaultUnusable):
        opened(RealDisk(), tmp_path / "vault", expected="01JD5Z7V8QXK3T2M4N6P8R0S1W")

    assert not (tmp_path / "vault").exists()


def test_another_vault_is_not_taken_for_ours(tmp_path: Path) -> None:
    ident = opened(RealDisk(), tmp_path)

    with pytest.raises(VaultUnusable, match="another vault"):
        opened(RealDisk(), tmp_path, expected="Z" + ident[1:])


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"not json", b"\xff"])
def test_a_marker_that_says_nothing_is_no_marker(tmp_path: Path, text: bytes) -> None:
    (tmp_path / MARKER).write_bytes(text)

    with pytest.raises(VaultUnusable):
        opened(RealDisk(), tmp_path)

    assert (tmp_path / MARKER).read_bytes() == text


def test_the_marker_outlives_a_cut_of_the_power() -> None:
    disk = SimulatedDisk()
    disk.make_directory(Path("/srv"))
    ident = opened(disk, Path("/srv/vault"))

    disk.crash()

    assert identity(disk, Path("/srv/vault"), ManualClock(), ident) == ident


@pytest.mark.parametrize(
    ("vault", "camera"), [("c/v", "c"), ("v", "v"), ("v", "v/c"), ("link/v", "c")]
)
def test_a_vault_and_a_camera_never_lie_in_one_another(
    tmp_path: Path, vault: str, camera: str
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "link").symlink_to("c")
    (tmp_path / vault).mkdir(exist_ok=True)
    (tmp_path / camera).mkdir(exist_ok=True)

    with pytest.raises(VaultUnusable, match="lies on the camera"):
        refuse_overlap(tmp_path / vault, tmp_path / camera)


def test_a_folder_beside_the_vault_may_be_a_camera(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault-bay").mkdir()

    refuse_overlap(tmp_path / "vault", tmp_path / "vault-bay")

    assert {path.name for path in tmp_path.iterdir()} == {"vault", "vault-bay"}


@needs_root
def test_the_vaults_own_disk_is_no_camera_wherever_it_is_mounted(
    tmp_path: Path,
) -> None:
    with small_file_system(tmp_path, 40 << 20) as root:
        bay = tmp_path / "bay"
        bay.mkdir()
        subprocess.run(["mount", "--bind", root, bay], check=True)
        try:
            with pytest.raises(VaultUnusable):
                refuse_overlap(root, bay)
        finally:
            subprocess.run(["umount", bay], check=True)


def test_a_bag_is_locked_as_long_as_its_process_works_on_it(tmp_path: Path) -> None:
    first = lock_bag(tmp_path)
    second = lock_bag(tmp_path)
    assert first is not None
    fcntl.flock(first, fcntl.LOCK_UN)
    third = lock_bag(tmp_path)

    assert second is None
    assert third is not None
    os.close(first)
    os.close(third)
