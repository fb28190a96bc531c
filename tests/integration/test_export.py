"""An export proves itself, to our command and to programs that are not ours."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.custody.checkpoint import read_proof
from dock_agent.custody.signing import PublicKey
from dock_agent.errors import (
    CustodyError,
    VaultUnread,
)
from dock_agent.export import layout
from dock_agent.export.check import Checked, check
from dock_agent.export.choose import NoSuchEvidence
from dock_agent.export.room import ExportUnusable
from dock_agent.offload.messages import AllPassed
from dock_agent.recording import FileState
from dock_agent.store import custody, files
from dock_agent.store.db import transaction
from dock_agent.vault.real import RealDisk
from support.bench import KEY, Bench
from support.cards import DAY, card, content
from support.exports import (
    INSIDE,
    MUTANTS,
    SIZES,
    STRANGER,
    evidence,
    exported,
    exports,
    flip,
    linked,
    unseen,
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that nobody spoils; each test has a copy."""
    return exported(tmp_path_factory.mktemp("good"))


@pytest.fixture
def export(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "export", symlinks=True))


def checked(root: Path, key: PublicKey | None = KEY.public) -> Checked:
    return check(RealDisk(), root, key, unseen)


def right(found: Checked) -> bool:
    return found.custody == "ok" and not found.failed


def told(bench: Bench) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in custody.every(bench.conn)]
    return [line for line in lines if line["kind"] == "exported"]


def test_an_export_has_the_files_and_proves_itself(export: Path) -> None:
    found = checked(export)

    assert right(found)
    assert (found.files, found.ok) == (3, 3)
    assert found.key == KEY.public.fingerprint
    assert found.key_known
    for name, size in SIZES.items():
        assert evidence(export, name).read_bytes() == content(name, size)
        assert evidence(export, name).stat().st_mtime_ns == DAY


def test_an_export_s_own_key_is_never_called_known(export: Path) -> None:
    found = checked(export, None)

    assert right(found)
    assert not found.key_known


@pytest.mark.parametrize("name", MUTANTS)
def test_what_anybody_does_to_an_export_is_noticed(export: Path, name: str) -> None:
    MUTANTS[name](export)

    assert not right(checked(export))


@pytest.mark.parametrize("name", INSIDE)
def test_what_the_log_does_not_bear_out_is_noticed_although_it_is_signed(
    export: Path, name: str
) -> None:
    INSIDE[name](export)

    found = checked(export)

    unsigned = "stranger" in name or "signature" in name
    assert found.failed == ()
    assert found.custody != "ok"
    assert unsigned or "not signed by key" not in found.custody


def test_an_export_made_anew_with_another_key_is_that_key_s(export: Path) -> None:
    MUTANTS["made anew with another key"](export)

    assert right(checked(export, None))
    assert checked(export, None).key == STRANGER.public.fingerprint
    assert STRANGER.public.fingerprint in checked(export).custody


def test_a_link_in_a_file_s_place_is_noticed(export: Path) -> None:
    linked(export)

    assert "is neither a file nor a directory" in str(checked(export).failed)


def test_every_bit_of_an_export_counts(export: Path) -> None:
    """One bit of each file, at a place that its name chooses."""
    names = [path for path in sorted(export.rglob("*")) if path.is_file()]
    for path in names:
        content = path.read_bytes()
        if not content:
            continue
        place = int(hashlib.sha256(path.name.encode()).hexdigest(), 16)
        flip(path, place % len(content))
        assert not right(checked(export)), path
        path.unlink()
        path.write_bytes(content)
    assert right(checked(export))


def test_the_commands_of_verify_txt_work_as_they_are_printed(export: Path) -> None:
    text = (export / layout.HELP).read_text("utf-8")

    whose, *signed, same = [ran(command, export) for command in printed(export)]

    assert (whose.returncode, whose.stdout) == (0, f"{KEY.public.fingerprint}  -\n")
    assert f"It is {KEY.public.fingerprint}" in text
    assert [one.stdout for one in signed] == ["Signature Verified Successfully\n"] * 3
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")


def printed(export: Path) -> list[str]:
    """Return the commands of VERIFY.txt, to the letter."""
    text = (export / layout.HELP).read_text("utf-8")
    return re.findall(r"^    (.+)$", text, re.MULTILINE)


def ran(command: str, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command], cwd=where, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "name", ["flipped bit in a file", "made anew without the key", "file deleted"]
)
def test_the_commands_of_verify_txt_notice_what_they_say(
    export: Path, name: str
) -> None:
    commands = printed(export)

    MUTANTS[name](export)

    assert any(ran(command, export).returncode for command in commands)


def test_a_line_s_proof_is_a_tlog_proof_of_it(export: Path) -> None:
    for line in (export / layout.LOG).read_text("utf-8").splitlines():
        path = export / layout.proof_name(json.loads(line)["seq"])
        proof = read_proof(path.read_text("utf-8"))

        proof.verify(line, [KEY.public], "dock-agent/bench")


def test_what_left_the_station_is_in_its_log(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))

    done = exports(bench, tmp_path / "out", docking.id)

    (line,) = told(bench)
    assert line["actor"] == "clerk"
    assert line["docking"] == docking.id
    digest = hashlib.sha256((tmp_path / "out" / layout.MANIFEST).read_bytes())
    assert line["facts"] == {
        "files": 3,
        "key": KEY.id,
        "manifest_sha256": digest.hexdigest(),
        "names": None,
    }
    assert done.manifest == digest.hexdigest()


def test_one_file_is_exported_with_its_docking_s_whole_log(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    file = bench.files(docking)["VIDEO/2.MP4"]

    done = exports(bench, tmp_path / "out", str(file.id))

    assert (done.files, done.bytes) == (1, 7)
    assert right(checked(tmp_path / "out"))
    (line,) = told(bench)
    assert "VIDEO/2.MP4" in str(line["facts"])


def test_a_recording_is_exported_by_its_id(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    file = bench.files(docking)["VIDEO/1.MP4"]

    done = exports(bench, tmp_path / "out", str(file.recording))

    assert done.files >= 1
    assert evidence(tmp_path / "out").exists()
    assert right(checked(tmp_path / "out"))


def test_a_file_that_an_earlier_docking_holds_is_exported_too(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", {"VIDEO/1.MP4": 300_000})
    bench.dock(source)
    docking = bench.dock(card(source, SIZES))

    done = exports(bench, tmp_path / "out", docking.id)

    assert done.files == 3
    assert right(checked(tmp_path / "out"))
    held = tmp_path / "out" / layout.data_name(docking.id, "VIDEO/1.MP4")
    assert held.read_bytes() == content("VIDEO/1.MP4", 300_000)


def test_two_dockings_are_exported_together(bench: Bench, tmp_path: Path) -> None:
    one = bench.dock(card(tmp_path / "card", {"A/1.MP4": 9}))
    two = bench.dock(card(tmp_path / "other", {"A/1.MP4": 10}))

    done = exports(bench, tmp_path / "out", one.id, two.id)

    assert done.files == 2
    assert right(checked(tmp_path / "out"))
    assert len(told(bench)) == 2


def test_an_export_of_what_nobody_has_is_refused(bench: Bench, tmp_path: Path) -> None:
    for ident in ("99", "nothing", "9" * 40, "٣"):
        with pytest.raises(NoSuchEvidence):
            exports(bench, tmp_path / "out", ident)

    assert left(tmp_path) == []


def test_a_file_that_is_not_safe_is_not_exported(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    file = bench.files(docking)["VIDEO/2.MP4"]
    with transaction(bench.conn):
        files.quarantined(bench.conn, file.id, "differs", bench.clock.now())

    with pytest.raises(NoSuchEvidence, match="is quarantined"):
        exports(bench, tmp_path / "out", str(file.id))
    done = exports(bench, tmp_path / "out", docking.id)

    assert (done.files, done.left_out) == (2, 1)
    assert right(checked(tmp_path / "out"))


def test_a_docking_that_is_not_sealed_is_not_exported(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    docking = bench.dies_at(source, AllPassed, before=True)
    assert bench.files(docking)["VIDEO/1.MP4"].state is FileState.VERIFIED

    with pytest.raises(NoSuchEvidence, match="is not sealed"):
        exports(bench, tmp_path / "out", docking.id)


def left(root: Path) -> list[str]:
    return [path.name for path in root.glob("out*")]


def test_a_place_that_is_taken_is_refused(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs").touch()

    with pytest.raises(ExportUnusable):
        exports(bench, tmp_path / "out", docking.id)

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"]
    assert left(tmp_path) == ["out"]


def test_an_empty_directory_makes_way(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    (tmp_path / "out").mkdir()

    exports(bench, tmp_path / "out", docking.id)

    assert right(checked(tmp_path / "out"))


def test_a_place_that_is_not_there_is_refused(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))

    with pytest.raises(ExportUnusable):
        exports(bench, tmp_path / "none" / "out", docking.id)

    assert told(bench) == []


def test_what_the_vault_lost_is_not_exported(bench: Bench, tmp_path: Path) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    path = bench.bag(docking) / "data/VIDEO/1.MP4"
    flip(path)

    with pytest.raises(CustodyError, match="is not what the custody log says"):
        exports(bench, tmp_path / "out", docking.id)
    path.unlink()
    with pytest.raises(VaultUnread):
        exports(bench, tmp_path / "out", docking.id)

    assert left(tmp_path) == []
    assert told(bench) == []


def test_a_log_that_was_signed_and_changed_is_not_exported(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    for name in ("custody_keeps", "custody_fixed"):
        bench.conn.execute(f"DROP TRIGGER IF EXISTS {name}")
    bench.conn.execute("DELETE FROM custody WHERE seq = (SELECT max(seq) FROM custody)")

    with pytest.raises(CustodyError):
        exports(bench, tmp_path / "out", docking.id)

    assert left(tmp_path) == []
