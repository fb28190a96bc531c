"""export and verify-export, as their users type them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dock_agent.export import layout
from support.bench import Bench
from support.cards import card
from support.exports import STRANGER, evidence, exports, flip
from support.process import wait_until
from support.programs import Site, command, site

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/1.NMEA": 400, "LOG/empty": 0}
# Its click is older than ours: it has a virtual environment within ours.
ASCMHL = Path(sys.prefix) / "ascmhl/bin/ascmhl-debug"
LARGE = 96 << 20  # bytes


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def docking(here: Site, tmp_path: Path) -> str:
    camera = card(tmp_path / "card", SIZES)
    said = here.agent("import", str(camera), "--camera", "KT-Z1:42", "--json")
    return str(said.json["docking"])


@pytest.fixture
def mhl(tmp_path: Path) -> Path:
    """An export with an ASC MHL."""
    bench = Bench(tmp_path)
    docking = bench.dock(card(tmp_path / "card", SIZES))
    exports(bench, tmp_path / "export", docking.id, ascmhl=True)
    bench.close()
    return tmp_path / "export"


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("out*"))


def test_an_export_answers_as_the_contract_says(here: Site, docking: str) -> None:
    out = here.root / "out"

    said = here.agent("export", docking, "--to", str(out), "--json")
    checked = here.agent("verify-export", str(out), "--json")

    assert (said.code, said.json["files"], said.json["bytes"]) == (0, 3, 300_400)
    assert (checked.code, checked.json["files"], checked.json["ok"]) == (0, 3, 3)
    assert checked.json["custody"] == "ok"
    assert checked.json["key_known"] is False
    shown = here.agent("keys", "show", "--json").json
    assert said.json["key"] == checked.json["key"] == shown["fingerprint"]
    assert here.agent("verify", "--all").code == 0


def test_every_id_that_recordings_prints_can_be_exported(
    here: Site, docking: str
) -> None:
    listed = here.agent("recordings", "--json").json
    ids = {r["id"] for r in listed}
    ids |= {str(f["id"]) for r in listed for f in r["files"]}
    ids |= {r["docking"] for r in listed}
    assert docking in ids

    for number, ident in enumerate(sorted(ids)):
        said = here.agent("export", ident, "--to", str(here.root / f"x{number}"))
        assert said.code == 0, said.err


def test_who_exports_is_on_record(here: Site, docking: str) -> None:
    here.agent("export", docking, "--to", str(here.root / "1"), "--actor", "P. Clerk")
    env = here.environment() | {"SUDO_USER": "clerk"}
    line = command("dock-agent", "export", docking, "--to", str(here.root / "2"))
    subprocess.run(line, env=env, check=True, capture_output=True)

    out = here.root / "3"
    here.agent("export", docking, "--to", str(out))

    log = [
        json.loads(one)
        for one in (out / layout.LOG).read_text("utf-8").split("\n")[:-1]
    ]
    actors = [one["actor"] for one in log if one["kind"] == "exported"]
    assert actors == ["P. Clerk", "clerk"]


def test_a_changed_file_ends_with_20_and_a_changed_log_with_21(
    here: Site, docking: str
) -> None:
    out = here.root / "out"
    here.agent("export", docking, "--to", str(out))

    flip(evidence(out))
    file = here.agent("verify-export", str(out))
    flip(out / layout.LOG, 30)
    flip(out / layout.NOTE_TEXT, 20)
    log = here.agent("verify-export", str(out))

    assert file.code == 20
    assert "VIDEO/1.MP4" in file.out
    assert log.code == 21


def test_an_export_of_another_key_ends_with_21(here: Site, docking: str) -> None:
    out, key = here.root / "out", here.root / "agency.pem"
    here.agent("export", docking, "--to", str(out))
    key.write_bytes(STRANGER.public.pem())

    other = here.agent("verify-export", str(out), "--key", str(key))
    key.write_bytes((out / layout.KEY).read_bytes())
    same = here.agent("verify-export", str(out), "--key", str(key), "--json")

    assert other.code == 21
    assert (same.code, same.json["key_known"]) == (0, True)


def test_an_export_of_a_station_with_a_new_key_tells_of_both(
    here: Site, docking: str
) -> None:
    here.agent("keys", "new", "--yes")

    said = here.agent("export", docking, "--to", str(here.root / "out"))

    assert said.code == 0, said.err
    assert here.agent("verify-export", str(here.root / "out")).code == 0
    assert '"key changed"' in (here.root / "out" / layout.LOG).read_text("utf-8")


def test_a_place_that_is_taken_ends_with_2(here: Site, docking: str) -> None:
    (here.root / "out").mkdir()
    (here.root / "out/theirs").touch()

    said = here.agent("export", docking, "--to", str(here.root / "out"))

    assert said.code == 2
    assert "is there already" in said.err


def test_what_is_no_export_ends_with_2_or_21(here: Site) -> None:
    (here.root / "empty").mkdir()

    assert here.agent("verify-export", str(here.root / "none")).code == 2
    assert here.agent("verify-export", str(here.root / "empty")).code == 21


@contextmanager
def stick(point: Path, options: str) -> Iterator[Path]:
    """Mount a little memory in the place of a memory stick."""
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk: needs root")
@pytest.mark.parametrize("free", ["size=1m", "size=4m,nr_inodes=14"])
def test_a_full_disk_leaves_nothing_half(here: Site, docking: str, free: str) -> None:
    """One is known to be too small; on the other it comes on the way."""
    with stick(here.root / "stick", free) as point:
        said = here.agent("export", docking, "--to", str(point / "out"))

        assert said.code == 30, said.err
        assert left(point) == []
    log = here.agent("export", docking, "--to", str(here.root / "out"))
    assert log.code == 0
    assert "exported" not in (here.root / "out" / layout.LOG).read_text("utf-8")


def test_an_export_that_is_killed_has_no_name(here: Site, tmp_path: Path) -> None:
    big = card(tmp_path / "big", {"1.MP4": 1})
    with (big / "1.MP4").open("r+b") as file:
        file.truncate(LARGE)
    imported = here.agent("import", str(big), "--camera", "KT-Z1:43", "--json").json
    out = here.root / "out"
    line = command("dock-agent", "export", imported["docking"], "--to", str(out))

    child = subprocess.Popen(line, env=here.environment(), stderr=subprocess.DEVNULL)
    wait_until(lambda: any(here.root.glob("out.part-*/data/*/1.MP4")))
    child.kill()
    child.wait()

    assert not out.exists()
    assert len(left(here.root)) == 1
    assert here.agent("export", imported["docking"], "--to", str(out)).code == 0
    assert here.agent("verify-export", str(out)).code == 0
    assert left(here.root) == ["out"]


def test_an_export_needs_no_more_memory_for_a_larger_file(
    here: Site, tmp_path: Path
) -> None:
    peaks = []
    for number, size in enumerate((1, LARGE)):
        source = card(tmp_path / f"card-{number}", {"1.MP4": 1})
        with (source / "1.MP4").open("r+b") as file:
            file.truncate(size)
        camera = f"KT-Z1:{number}"
        told = here.agent("import", str(source), "--camera", camera, "--json").json
        out = str(here.root / f"out-{number}")
        line = command("dock-agent", "export", told["docking"], "--to", out)
        child = subprocess.Popen(
            line, env=here.environment(), stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        peaks.append(used.ru_maxrss)

    assert peaks[1] - peaks[0] < 16 << 10  # KiB


def test_an_ascmhl_is_part_of_what_is_signed(mhl: Path) -> None:
    manifest = (mhl / layout.MANIFEST).read_text("utf-8")

    assert f"{layout.MHL}/ascmhl_chain.xml" in manifest
    assert len(list((mhl / layout.MHL).iterdir())) == 2


@pytest.mark.skipif(
    not ASCMHL.exists(), reason=f"{ASCMHL} is missing: `make test` installs it"
)
def test_the_trade_s_own_tool_accepts_the_ascmhl(mhl: Path) -> None:
    verify = [str(ASCMHL), "verify", "-v", str(mhl / layout.DATA)]

    good = subprocess.run(verify, capture_output=True, text=True, check=False)
    flip(evidence(mhl))
    bad = subprocess.run(verify, capture_output=True, text=True, check=False)

    assert (good.returncode, good.stdout.count(": OK")) == (0, 3)
    assert bad.returncode == 11
