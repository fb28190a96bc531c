"""Each command as a user types it: what it prints, and how it ends."""

import fcntl
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.cards import card
from support.process import wait_until
from support.programs import Site, site

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/1.NMEA": 400, "LOG/empty": 0}


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def camera(tmp_path: Path) -> str:
    return str(card(tmp_path / "card", SIZES))


def test_an_import_answers_as_the_contract_says(here: Site, camera: str) -> None:
    said = here.agent("import", camera, "--camera", "KT-Z1:42", "--json")

    assert said.code == 0
    answer = said.json
    assert Path(answer.pop("bag")).is_dir()
    assert len(answer.pop("docking")) == 26
    assert answer == {
        "files": 3,
        "bytes": 300_400,
        "verified": 3,
        "skipped": 0,
        "quarantined": 0,
        "sealed": True,
        "complete": True,
    }


def test_what_was_imported_is_listed_sent_and_verified(here: Site, camera: str) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")

    sent = here.agent("sync", "--once", "--json")
    again = here.agent("sync", "--once", "--json")
    listed = here.agent("recordings", "--json").json
    checked = here.agent("verify", "--all", "--json")

    assert (sent.code, sent.json) == (0, {"confirmed": 11, "waiting": 0, "refused": 0})
    assert again.json == {"confirmed": 0, "waiting": 0, "refused": 0}
    files = [file for recording in listed for file in recording["files"]]
    assert {f["name"] for f in files} == set(SIZES)
    assert all(f["destinations"] == {"nas": "confirmed"} for f in files)
    assert {r["camera"] for r in listed} == {"KT-Z1:42"}
    assert checked.json == {"checked": 3, "ok": 3, "failed": [], "custody": "ok"}


def test_a_flipped_byte_ends_verify_with_20(here: Site, camera: str) -> None:
    bag = Path(
        here.agent("import", camera, "--camera", "KT-Z1:42", "--json").json["bag"]
    )
    path = bag / "data/VIDEO/1.MP4"
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])

    said = here.agent("verify", "--all", "--json")

    assert said.code == 20
    assert [f["id"].rsplit("/", 2)[1:] for f in said.json["failed"]] == [
        ["VIDEO", "1.MP4"]
    ]


def test_a_flipped_byte_is_never_sent(here: Site, camera: str) -> None:
    bag = Path(
        here.agent("import", camera, "--camera", "KT-Z1:42", "--json").json["bag"]
    )
    path = bag / "data/VIDEO/1.MP4"
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])

    said = here.agent("sync", "--once", "--json")

    assert said.code == 42
    assert json.loads(said.out)["refused"] == 1
    assert not list((here.root / "nas").rglob("1.MP4"))
    assert not list((here.root / "nas").rglob("tagmanifest.sig"))


def test_a_share_that_is_not_mounted_makes_sync_wait(here: Site, camera: str) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")
    (here.root / "nas").rmdir()

    said = here.agent("sync", "--once", "--json")
    tested = here.agent("destinations", "test", "--json")

    assert said.code == 40
    assert said.json["confirmed"] == 0
    assert said.json["waiting"] == 11
    assert tested.code == 41
    assert "is the share mounted?" in tested.json[0]["detail"]


def test_a_directory_that_is_not_there_ends_import_with_11(here: Site) -> None:
    said = here.agent("import", "/absent", "--camera", "KT-Z1:42")

    assert said.code == 11
    assert "there is no directory /absent" in said.err
    assert "left its bay" not in said.err


def test_a_full_vault_ends_import_with_30_and_keeps_the_camera_as_it_was(
    here: Site, camera: str
) -> None:
    here.configure(reserve=1 << 60)

    said = here.agent("import", camera, "--camera", "KT-Z1:42", "--json")

    assert said.code == 30
    assert said.json["sealed"] is False
    assert "Leave the footage on the camera" in said.err


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('path = "vault"', 'pth = "vault"', "did you mean `path`"),
        ("[vault]", "[valt]", "did you mean `vault`"),
        ('name = "2"', 'name = "1"', "is there twice"),
        ('id = "harbour-1"', "", "id"),
    ],
)
def test_a_wrong_configuration_ends_with_2_and_says_what_is_wrong(
    here: Site, before: str, after: str, says: str
) -> None:
    path = here.root / "dock.toml"
    path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")

    said = here.agent("check-config")

    assert said.code == 2
    assert says in said.err


def test_a_right_configuration_is_explained(here: Site) -> None:
    said = here.agent("check-config")

    assert said.code == 0
    assert "Cameras are erased: never." in said.out


def test_a_second_agent_on_one_vault_is_refused(here: Site, camera: str) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")
    lock = os.open(here.root / "vault/.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    said = here.agent("import", camera, "--camera", "KT-Z1:42")

    os.close(lock)
    assert said.code == 33
    assert "One vault has one agent" in said.err


def test_a_vault_on_the_camera_is_refused(here: Site) -> None:
    inside = here.root / "vault/card"
    here.agent("import", str(here.root / "bays"), "--camera", "x:1")
    inside.mkdir()

    said = here.agent("import", str(inside), "--camera", "KT-Z1:42")
    around = here.agent("import", str(here.root), "--camera", "KT-Z1:42")

    assert (said.code, around.code) == (32, 32)
    assert "lies on the camera" in said.err


def test_a_vault_that_vanished_is_not_made_anew(here: Site, camera: str) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")
    shutil.rmtree(here.root / "vault")

    gone = here.agent("import", camera, "--camera", "KT-Z1:42")
    (here.root / "vault").mkdir()
    empty = here.agent("import", camera, "--camera", "KT-Z1:42")

    assert (gone.code, empty.code) == (32, 32)
    assert "not there" in gone.err
    assert "marker" in empty.err
    assert list((here.root / "vault").glob("dockings")) == []


def test_a_damaged_database_ends_with_31_and_a_hint(here: Site, camera: str) -> None:
    (here.root / "store.db").write_bytes(b"not a database" * 1000)

    said = here.agent("import", camera, "--camera", "KT-Z1:42")

    assert said.code == 31
    assert "damaged" in said.err
    assert "evidence itself is in the vault" in said.err


@pytest.mark.parametrize(
    "arguments", [["recordings"], ["verify", "--all"], ["status"]], ids=str
)
def test_a_station_without_a_database_is_said_so(
    here: Site, arguments: list[str]
) -> None:
    said = here.agent(*arguments)

    assert said.code == 31
    assert "no database" in said.err
    assert "[store] path" in said.err
    assert "in the vault" not in said.err


@pytest.fixture
def damaged(here: Site, camera: str) -> Site:
    """Give a station whose database lost the rows of one page in silence."""
    here.agent("import", camera, "--camera", "KT-Z1:42")
    path = here.root / "store.db"
    with closing(sqlite3.connect(path)) as conn:
        (page,) = conn.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'recording_start'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096 + 3)
        file.write(bytes(2))  # the number of entries: none, and no page breaks a rule
    return here


def test_a_damaged_database_is_not_taken_for_an_empty_one(damaged: Site) -> None:
    for arguments in (["recordings"], ["recordings", "--json"], ["verify", "--all"]):
        said = damaged.agent(*arguments)

        assert (said.code, said.out) == (31, "")
        assert "is damaged" in said.err


def test_a_doctor_finds_a_damaged_database(damaged: Site) -> None:
    said = damaged.agent("doctor", "--json")

    (found,) = [f for f in said.json if f["what"] == "database"]
    assert not found["ok"]
    assert "is damaged" in found["detail"]


def test_a_doctor_that_finds_something_says_where_to_look(here: Site) -> None:
    said = here.agent("doctor")

    assert said.code == 2
    assert "LOOK vault" in said.out
    assert "marked LOOK" in said.err
    assert "check-config" not in said.err


def test_a_station_without_recordings_says_so(here: Site, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    here.agent("import", str(tmp_path / "bare"), "--camera", "KT-Z1:42")

    assert here.agent("recordings").out == "No recordings.\n"
    assert here.agent("recordings", "--json").json == []


def test_a_docking_that_nobody_knows_is_said_so(here: Site, camera: str) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")

    said = here.agent("verify", "nonsense")

    assert said.code == 2
    assert "no sealed docking is called nonsense" in said.err
    assert "recordings --json" in said.err


def test_a_configuration_that_is_not_there_is_not_to_be_checked(here: Site) -> None:
    said = here.agent("check-config", "--config", "/absent.toml")

    assert said.code == 2
    assert "/absent.toml" in said.err
    assert "--config" in said.err
    assert "check-config" not in said.err


def test_a_station_without_destinations_has_none_to_test(here: Site) -> None:
    path = here.root / "dock.toml"
    path.write_text(path.read_text("utf-8").partition("[[dest")[0], "utf-8")

    said = here.agent("destinations", "test")

    assert (said.code, said.out) == (
        0,
        "No destination is set up: evidence stays in the vault.\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["recordings", "--limit", "0"],
        ["recordings", "--limit", "-1"],
        ["recordings", "--limit", "9223372036854775808"],
        ["recordings", "--camera", "\udcff"],
        ["recordings", "--text", "a\x1b"],
        ["verify", "\udcff"],
        ["import", "/", "--camera", "\udcff"],
    ],
    ids=ascii,
)
def test_what_cannot_be_meant_is_a_usage_error(
    here: Site, arguments: list[str]
) -> None:
    said = here.agent(*arguments)

    assert said.code == 2
    assert said.err.startswith("Usage: ")


def test_a_station_that_never_ran_claims_nothing_of_its_bays(
    here: Site, camera: str
) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")

    said = here.agent("status")

    assert "the bays are not known" in said.out
    assert "Bay " not in said.out
    assert "Not yet confirmed: 11 objects" in said.out


def test_a_destination_that_takes_nothing_is_told_of_with_why_and_what_to_do(
    here: Site, camera: str
) -> None:
    here.agent("import", camera, "--camera", "KT-Z1:42")
    untried = here.agent("status")
    (here.root / "nas").rmdir()
    here.agent("sync", "--once")

    said = here.agent("status")

    assert "Link nas: unknown. Nobody has tried to reach it yet." in untried.out
    assert "Link nas: offline. Nothing has gone there for under 1 min (" in said.out
    assert "`dock-agent destinations test` says more." in said.out


def test_a_camera_that_sits_in_its_bay_need_not_be_docked_again(
    here: Site, camera: str
) -> None:
    here.configure(reserve=1 << 60)
    bay = here.root / "bays/1/card"
    with here.running():
        shutil.move(camera, bay)
        wait_until(lambda: here.bay("1")["state"] == "waiting")
        inside = here.agent("status")
        shutil.move(bay, camera)
        wait_until(lambda: here.bay("1")["state"] == "pulled")
        away = here.agent("status")

    assert "Bay 1: waiting" in inside.out
    assert "must be docked again" not in inside.out
    assert "must be docked again" in away.out
