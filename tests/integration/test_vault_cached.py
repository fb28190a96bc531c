"""A vault whose copies are read back from memory is refused, unless it is accepted."""

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load
from dock_agent.errors import NoRoom, VaultUnusable
from dock_agent.opened import opened
from dock_agent.recording import FileState, ReadBack
from dock_agent.simulated.disk import Faults, SimulatedDisk
from dock_agent.store import custody, dockings, files
from dock_agent.store.db import reading
from dock_agent.vault.layout import MARKER
from dock_agent.vault.probe import VaultCached, how_read_back, require_medium
from dock_agent.vault.real import RealDisk
from support.cards import card
from support.disks import SHARED_MEMORY, on_a_block_device
from support.programs import Site, site

VAULT = Path("/srv/vault")


@pytest.fixture
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    if not on_a_block_device(tmp_path):
        pytest.skip("the temporary directory has no block device behind it")
    return tmp_path


def simulated(*, cached: bool = False) -> SimulatedDisk:
    disk = SimulatedDisk(faults=Faults(answers_from_cache=cached))
    disk.make_directory(VAULT)
    return disk


def test_a_vault_in_memory_is_told_from_one_on_a_medium(
    memory: Path, medium: Path
) -> None:
    found = [how_read_back(RealDisk(), root) for root in (memory, medium)]

    assert found == [ReadBack.CACHED, ReadBack.DIRECT]
    assert list(memory.iterdir()) == list(medium.iterdir()) == []


def test_a_vault_that_answers_from_memory_is_refused_with_a_way_out() -> None:
    with pytest.raises(VaultCached, match="answers from memory") as refused:
        require_medium(simulated(cached=True), VAULT)

    assert refused.value.exit_code == 32
    assert 'cached = "accept"' in refused.value.hint
    assert isinstance(refused.value, VaultUnusable)


def test_a_vault_that_answers_from_its_medium_is_accepted_and_left_as_it_was() -> None:
    disk = simulated()

    require_medium(disk, VAULT)

    assert list(disk.listing(VAULT)) == []


def test_a_vault_that_cannot_be_probed_is_said_so_and_keeps_no_probe() -> None:
    full = simulated()
    full.capacity = 0
    broken = simulated()
    broken.faults.sync_error = errno.EIO

    with pytest.raises(NoRoom):
        require_medium(full, VAULT)
    with pytest.raises(VaultUnusable):
        require_medium(broken, VAULT)

    assert list(full.listing(VAULT)) == list(broken.listing(VAULT)) == []


# ---- a station on such a vault ------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, memory: Path) -> Site:
    """A station whose vault is in memory, and which says nothing about it."""
    made = site(tmp_path)
    settle(made, "", memory / "vault")
    return made


def settle(here: Site, cached: str, vault: Path) -> None:
    here.configure()
    text = (here.root / "dock.toml").read_text("utf-8")
    text = text.replace('cached = "accept"\n', cached)
    text = text.replace('path = "vault"', f'path = "{vault}"')
    (here.root / "dock.toml").write_text(text, "utf-8")


def config(here: Site) -> Config:
    return load(here.root / "dock.toml")


def test_a_station_does_not_open_a_vault_that_answers_from_memory(here: Site) -> None:
    with pytest.raises(VaultCached), opened(config(here), SystemClock()):
        pytest.fail("it answers from memory")

    with reading(config(here).store_path) as conn:
        assert custody.log(conn) == ""
    assert not config(here).signing_path.exists()


def test_a_station_opens_a_vault_on_a_medium_without_being_asked_to(
    here: Site, medium: Path
) -> None:
    settle(here, "", medium / "vault")

    with opened(config(here), SystemClock()) as held:
        assert held.sealer.root == medium / "vault"


def test_a_station_opens_the_vault_that_it_was_told_to_accept(here: Site) -> None:
    settle(here, 'cached = "accept"\n', config(here).vault_path)

    with opened(config(here), SystemClock()) as held:
        assert held.sealer.root == config(here).vault_path


def test_what_a_station_opened_is_written_only_while_the_marker_is_there(
    here: Site,
) -> None:
    settle(here, 'cached = "accept"\n', config(here).vault_path)

    with opened(config(here), SystemClock()) as held:
        (held.sealer.root / MARKER).unlink()
        with pytest.raises(OSError, match="marker"):
            held.sealer.disk.make_directory(held.sealer.root / "dockings")


def test_an_import_into_memory_ends_with_32_and_says_what_can_be_done(
    here: Site, tmp_path: Path
) -> None:
    camera = card(tmp_path / "card", {"VIDEO/1.MP4": 300_000})

    said = here.agent("import", str(camera), "--camera", "KT-Z1:42")

    assert said.code == 32
    assert "answers from memory" in said.err
    assert 'set `cached = "accept"` in [vault]' in said.err
    assert list(config(here).vault_path.glob("dockings")) == []


def test_an_import_into_memory_that_is_accepted_never_says_it_read_a_medium(
    here: Site, tmp_path: Path
) -> None:
    settle(here, 'cached = "accept"\n', config(here).vault_path)
    camera = card(tmp_path / "card", {"VIDEO/1.MP4": 300_000})

    said = here.agent("import", str(camera), "--camera", "KT-Z1:42", "--json")

    assert said.code == 0
    with reading(config(here).store_path) as conn:
        (docking,) = dockings.sealed(conn)
        (file,) = files.of_docking(conn, docking.id)
        assert (file.state, file.method) == (FileState.VERIFIED, ReadBack.CACHED)
        assert '"method":"cached"' in custody.log(conn)
