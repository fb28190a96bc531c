"""The agent as a program, with cameras that come, go, and come back."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from support.cards import card, digests
from support.process import wait_until
from support.programs import Site, site

SIZES = {f"VIDEO/{n:04d}.MP4": 700_000 for n in range(8)} | {"LOG/1": 100}
CAMERA = "KT-Z3:KTZ3A00017"


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return card(tmp_path / "aside" / CAMERA, SIZES)


def state(here: Site, bay: str) -> str:
    return str(here.bay(bay)["state"])


def states(here: Site) -> set[str]:
    """Return the states of all bays at one moment."""
    return {str(bay["state"]) for bay in here.status()["bays"]}


def test_a_docked_camera_becomes_green_and_can_be_taken(
    here: Site, camera: Path
) -> None:
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: state(here, "1") == "sealed")
        bay = here.bay("1")
        assert bay["colour"] == "green"
        assert (bay["done"], bay["total"]) == (9, 9)
        assert here.status()["verdict"]["key"] == "all_ready"

        (here.root / "bays/1" / CAMERA).rename(camera)

        wait_until(lambda: state(here, "1") == "empty")
        assert here.status()["owed"] == []


def test_a_camera_pulled_midway_is_owed_and_only_the_rest_is_copied_next_time(
    here: Site, camera: Path
) -> None:
    here.configure(pace=700_000)
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: here.bay("1")["done"] >= 2)
        (here.root / "bays/1" / CAMERA).rename(camera)
        wait_until(lambda: state(here, "1") == "pulled")
        assert here.status()["verdict"]["key"] == "needs_you"
        # The bay's light comes first, the end of its docking right after.
        wait_until(lambda: [o["camera"] for o in here.status()["owed"]] == [CAMERA])
        assert here.bay("1")["colour"] == "red"

        camera.rename(here.root / "bays/2" / CAMERA)

        wait_until(lambda: state(here, "2") == "sealed")
        assert state(here, "1") == "empty"
        assert here.status()["owed"] == []
    assert kept(here) == Counter(digests(here.root / "bays/2" / CAMERA).values())


def test_an_agent_killed_midway_finds_the_camera_and_goes_on(
    here: Site, camera: Path
) -> None:
    here.configure(pace=1_500_000)
    camera.rename(here.root / "bays/1" / CAMERA)
    for _ in range(3):
        with here.running() as agent:
            wait_until(lambda: here.bay("1")["state"] in {"copying", "sealed"})
            agent.kill()
            agent.wait()

    with here.running():
        wait_until(lambda: state(here, "1") == "sealed")
    here.agent("sync", "--once")

    assert kept(here) == Counter(digests(here.root / "bays/1" / CAMERA).values())
    assert here.agent("verify", "--all").code == 0
    assert here.agent("sync", "--once", "--json").json["waiting"] == 0
    sealed = digests(here.root / "vault/dockings")
    assert digests(here.root / "nas/dockings") == sealed


def test_a_destination_that_is_away_for_a_while_loses_nothing(
    here: Site, camera: Path
) -> None:
    (here.root / "nas").rmdir()
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: state(here, "1") == "sealed")
    away = here.agent("sync", "--once", "--json")
    (here.root / "nas").mkdir()

    wait_until(lambda: here.agent("sync", "--once").code == 0)

    assert away.code == 40
    assert digests(here.root / "nas/dockings") == digests(here.root / "vault/dockings")


def test_two_bays_work_at_the_same_time(here: Site, camera: Path) -> None:
    other = card(here.root / "aside/KT-Z1:42", {"VIDEO/1.MP4": 5_600_000})
    here.configure(pace=1_500_000)
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        other.rename(here.root / "bays/2/KT-Z1:42")
        wait_until(lambda: states(here) == {"copying"})

        wait_until(lambda: states(here) == {"sealed"})


def test_an_agent_that_is_told_to_stop_ends_in_order(here: Site, camera: Path) -> None:
    here.configure(pace=200_000)
    with here.running() as agent:
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: state(here, "1") == "copying")
        agent.terminate()

        assert agent.wait(20) == 0
    assert "Traceback" not in (here.root / "run.log").read_text("utf-8")
    assert here.agent("status", "--json").json["live"] is False


def kept(here: Site) -> Counter[str]:
    """Count what the vault holds of cameras, by digest."""
    return Counter(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for data in (here.root / "vault/dockings").glob("*/*/*/*/*/data")
        for path in data.rglob("*")
        if path.is_file() and path.name != "=held-sha256.txt"
    )
