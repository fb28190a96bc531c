"""The agent as a program that clears cameras: folders, and a profile that allows it."""

import json
import shutil
from pathlib import Path

import pytest

from support.cards import card, digests
from support.process import wait_until
from support.programs import Site, site

SIZES = {f"VIDEO/{n:04d}.MP4": 300_000 for n in range(6)} | {"LOG/1": 100}
CAMERA = "KT-Z3:KTZ3A00017"
PROFILE = 'name = "KT-Z3"\ndriver = "mass_storage"\nmay_erase = true\n'


def erasing(root: Path, policy: str, *, profile: str = PROFILE) -> Site:
    """Return a station with this policy whose own profiles allow an erase."""
    here = site(root)
    path = root / "dock.toml"
    text = path.read_text("utf-8").replace('cached = "accept"\n', "")
    more = f'\n[release]\nerase = "{policy}"\n\n[cameras]\nprofiles = "profiles"\n'
    path.write_text(text + more, "utf-8")
    (root / "profiles").mkdir()
    (root / "profiles/z3.toml").write_text(profile, "utf-8")
    return here


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return card(tmp_path / "aside" / CAMERA, SIZES)


def state(here: Site) -> str:
    return str(here.bay("1")["state"])


def file_ids(here: Site) -> list[int]:
    recordings = here.agent("recordings", "--json").json
    return [file["id"] for one in recordings for file in one["files"]]


def test_after_verified_the_bay_is_green_only_once_the_camera_is_cleared(
    tmp_path: Path, camera: Path
) -> None:
    here, before = erasing(tmp_path, "after_verified"), digests(camera)
    docked = here.root / "bays/1" / CAMERA
    with here.running():
        camera.rename(docked)
        wait_until(lambda: state(here) == "sealed")
        bay = here.bay("1")

    assert (bay["colour"], bay["reason"]) == ("green", None)
    assert (bay["done"], bay["total"]) == (7, 7)
    assert digests(docked) == {}
    kept = digests(here.root / "vault/dockings").values()
    assert set(before.values()) <= set(kept)
    assert here.agent("verify", "--all").code == 0


def test_a_camera_that_was_cleared_and_is_docked_again_is_green_at_once(
    tmp_path: Path, camera: Path
) -> None:
    here = erasing(tmp_path, "after_verified")
    docked = here.root / "bays/1" / CAMERA
    with here.running():
        camera.rename(docked)
        wait_until(lambda: state(here) == "sealed")
        docked.rename(camera)
        wait_until(lambda: state(here) == "empty")
        assert here.status()["owed"] == []

        camera.rename(docked)

        wait_until(lambda: state(here) == "sealed")
        bay = here.bay("1")
    assert (bay["colour"], bay["reason"], bay["total"]) == ("green", None, 0)


def test_the_log_says_why_a_file_was_erased(tmp_path: Path, camera: Path) -> None:
    here = erasing(tmp_path, "after_verified")
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: state(here) == "sealed")
    ident = file_ids(here)[0]

    said = here.agent("why-erased", str(ident))
    told = here.agent("why-erased", str(ident), "--json").json

    assert "by station, after_verified" in said.out
    assert [line["kind"] for line in told] == ["erase intended", "erased"]
    assert told[0]["facts"]["copy"]["method"] in {"direct", "dropped"}


def test_after_confirmed_a_camera_is_cleared_while_it_stays_docked(
    tmp_path: Path, camera: Path
) -> None:
    here = erasing(tmp_path, "after_confirmed")
    docked = here.root / "bays/1" / CAMERA
    with here.running():
        camera.rename(docked)
        wait_until(lambda: state(here) == "sealed")
        assert len(digests(docked)) == len(SIZES)

        here.agent("sync", "--once")

        wait_until(lambda: not [p for p in docked.rglob("*") if p.is_file()])
        wait_until(lambda: state(here) == "sealed")
    told = here.agent("why-erased", str(file_ids(here)[0]), "--json").json
    assert told[0]["facts"]["proofs"].keys() == {"nas"}


def test_a_camera_that_cannot_be_cleared_is_green_and_it_is_told_why(
    tmp_path: Path, camera: Path
) -> None:
    here = erasing(tmp_path, "after_verified")
    docked = here.root / "bays/1" / CAMERA
    (camera / "second name").hardlink_to(camera / "LOG/1")
    before = digests(camera)
    with here.running():
        camera.rename(docked)
        wait_until(lambda: state(here) == "sealed")
        bay = here.bay("1")

    assert bay["colour"] == "green"
    assert "second name" in bay["reason"]
    assert digests(docked) == before


def test_a_hold_keeps_the_camera_as_it_is(tmp_path: Path, camera: Path) -> None:
    here = erasing(tmp_path, "after_confirmed")
    docked = here.root / "bays/1" / CAMERA
    with here.running():
        camera.rename(docked)
        wait_until(lambda: state(here) == "sealed")
        docking = here.agent("recordings", "--json").json[0]["docking"]
        who = ("--by", "A. Judge", "--why", "case 7")
        assert here.agent("hold", "add", docking, *who).code == 0

        here.agent("sync", "--once")

        wait_until(lambda: "on hold" in (here.bay("1")["reason"] or ""))
        assert here.bay("1")["colour"] == "green"
    assert len(digests(docked)) == len(SIZES)
    assert json.loads(here.agent("hold", "list", "--json").out)[0]["docking"] == docking
    assert here.agent("hold", "remove", docking, *who).code == 0
    assert "Nothing" in here.agent("hold", "list").out


def test_a_hold_that_comes_too_late_says_so(tmp_path: Path, camera: Path) -> None:
    here = erasing(tmp_path, "after_verified")
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: state(here) == "sealed")
    docking = here.agent("recordings", "--json").json[0]["docking"]

    told = here.agent("hold", "add", docking, "--by", "A. Judge", "--why", "case 7")

    assert told.code == 0
    assert "may be gone from its camera" in told.out


def test_a_restored_database_is_named_by_doctor_until_a_person_takes_it(
    tmp_path: Path, camera: Path
) -> None:
    here = erasing(tmp_path, "after_confirmed")
    with here.running():
        camera.rename(here.root / "bays/1" / CAMERA)
        wait_until(lambda: state(here) == "sealed")
    store, backup = here.root / "store.db", tmp_path / "backup"
    assert "older than" not in here.agent("doctor").out
    shutil.copy(store, backup)
    docking = here.agent("recordings", "--json").json[0]["docking"]
    who = ("--by", "A. Judge", "--why", "case 7")
    assert here.agent("hold", "add", docking, *who).code == 0
    for left in here.root.glob("store.db*"):
        left.unlink()
    shutil.copy(backup, store)

    before = here.agent("doctor").out
    accepted = here.agent("hold", "accept", *who)
    after = here.agent("doctor").out

    assert "older than line" in before
    assert "hold accept" in before
    assert accepted.code == 0
    assert "older than" not in after


def test_a_model_whose_profile_does_not_say_so_is_never_cleared(
    tmp_path: Path, camera: Path
) -> None:
    here = erasing(tmp_path, "after_verified", profile=PROFILE.replace("true", "false"))
    docked = here.root / "bays/1" / CAMERA
    with here.running():
        camera.rename(docked)
        wait_until(lambda: state(here) == "sealed")
        assert here.bay("1")["reason"] is None

    assert len(digests(docked)) == len(SIZES)
    told = here.agent("why-erased", str(file_ids(here)[0]))
    assert (told.code, "has not erased it" in told.out) == (0, True)


def test_a_file_that_nobody_knows_was_not_erased_by_us(tmp_path: Path) -> None:
    here = erasing(tmp_path, "never")
    with here.running():
        assert here.agent("why-erased", "4711").code == 2
        order = ("--by", "A. Judge", "--why", "case 7")
        assert here.agent("hold", "add", "01M8FKT492DAD8ZVASXE203MSD", *order).code == 2
