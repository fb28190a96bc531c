"""What is derived of a card: facts, tracks, and what is odd in its timeline."""

import json
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load
from dock_agent.deriving import Deriver, Ground, Reader, Stopped
from dock_agent.errors import VaultUnusable
from dock_agent.media.child import Ask
from dock_agent.store.db import connect
from support.process import wait_until
from support.programs import Site, site
from web_status import create_app

DATA = Path(__file__).parent.parent / "data"
CARDS = {
    "card-gat947": "VIDEO/20260305/KTZ3A00017_000123_20260305161530_0001",
    "card-dcam": "Media/Video/2026-03-05/DCAM_KTZ3A00017_000123_20260305_161530",
}


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


def offload(here: Site, card: Path, camera: str = "KT-Z3:KTZ3A00017") -> None:
    said = here.agent("import", str(card), "--camera", camera, "--json")
    assert said.code == 0, said.err


def config(here: Site) -> Config:
    return load(here.root / "dock.toml")


@pytest.fixture
def deriver(here: Site) -> Iterator[Deriver]:
    offload(here, DATA / "card-gat947")
    settings = config(here)
    with closing(connect(settings.store_path)) as conn:
        made = Deriver(conn, SystemClock(), Ground.of(settings, ()))
        yield made
        made.close()


def files(here: Site) -> dict[str, Any]:
    listed = here.agent("recordings", "--json").json
    return {f["name"]: f for recording in listed for f in recording["files"]}


def findings(here: Site) -> list[str]:
    return list(here.agent("recordings", "--json").json[0]["findings"])


def is_derived(here: Site) -> bool:
    with closing(sqlite3.connect(here.root / "store.db")) as conn:
        (least,) = conn.execute("SELECT min(derived) FROM docking").fetchone()
    return bool(least == 1)


@pytest.mark.parametrize("card", CARDS)
def test_an_agent_derives_what_made_the_card(here: Site, card: str) -> None:
    told = {
        one["path"]: one
        for one in json.loads((DATA / f"{card}.manifest.json").read_text())["files"]
    }
    offload(here, DATA / card)

    with here.running():
        wait_until(lambda: is_derived(here))

    found = files(here)
    stem = CARDS[card]
    clip = next(f for n, f in found.items() if n.lower() == f"{stem}.mp4".lower())
    made = told[clip["name"]]
    assert clip["facts"]["state"] == "ok"
    assert clip["facts"]["seconds"] == made["duration_s"]
    assert (clip["facts"]["width"], clip["facts"]["height"]) == (640, 360)
    track = found[f"{stem}.NMEA"]["facts"]
    assert track["points"] == made["gps"]["points"]
    assert track["first"] == pytest.approx(made["gps"]["first"], abs=1e-6)
    seen = {name.upper(): count for name, count in track["in_view"].items()}
    assert seen == made["gps"]["sats_in_view"]


def test_what_is_odd_is_told_and_put_on_record(here: Site, deriver: Deriver) -> None:
    while deriver.turn(threading.Event()):
        pass

    odd = findings(here)
    assert any("_9999.MP4 is empty" in text for text in odd)
    assert any("TRUNC_0001.MP4 is cut off" in text for text in odd)
    with closing(sqlite3.connect(here.root / "store.db")) as conn:
        lines = conn.execute(
            'SELECT line FROM custody WHERE line LIKE \'%"kind":"timeline"%\''
        ).fetchall()
    assert [json.loads(line)["facts"]["odd"] for (line,) in lines] == [odd]


def test_a_track_is_laid_beside_as_others_read_it(here: Site, deriver: Deriver) -> None:
    deriver.turn(threading.Event())

    tracks = list(config(here).derived_path.rglob("*.geojson"))
    assert len(tracks) == 2
    assert all(track.with_suffix(".gpx").is_file() for track in tracks)
    assert len(json.loads(tracks[0].read_text())["features"]) == 5


def test_deriving_changes_nothing_of_the_evidence(here: Site, deriver: Deriver) -> None:
    while deriver.turn(threading.Event()):
        pass

    assert here.agent("verify", "--all").code == 0


def test_a_vault_that_is_out_is_waited_for(here: Site, deriver: Deriver) -> None:
    vault = config(here).vault_path
    vault.rename(vault.with_name("away"))

    with pytest.raises(VaultUnusable):
        deriver.turn(threading.Event())
    vault.with_name("away").rename(vault)

    assert deriver.turn(threading.Event())
    assert files(here)[f"{CARDS['card-gat947']}.MP4"]["facts"]["state"] == "ok"


def test_a_file_that_rotted_away_says_so_and_holds_up_nothing(
    here: Site, deriver: Deriver
) -> None:
    clip = next(config(here).vault_path.rglob("*_0001.MP4"))
    clip.unlink()

    assert deriver.turn(threading.Event())

    told = files(here)[f"{CARDS['card-gat947']}.MP4"]
    assert (told["facts"], told["no_facts"]) == (None, "No such file or directory")


def test_a_reader_that_hangs_is_ended_and_the_next_file_read(tmp_path: Path) -> None:
    fifo, clip = tmp_path / "hangs.mp4", tmp_path / "clip.mp4"
    os.mkfifo(fifo)
    shutil.copy(DATA / "negative/moov_at_end.mp4", clip)
    reader = Reader(deadline=3)

    hung = reader.ask(Ask(str(fifo), str(tmp_path / "1")))
    read = reader.ask(Ask(str(clip), str(tmp_path / "2")))
    reader.end()

    assert hung.reason == "it took over 3 s"
    assert read.facts is not None


def test_an_agent_that_is_stopped_waits_for_no_file(tmp_path: Path) -> None:
    fifo, stop = tmp_path / "hangs.mp4", threading.Event()
    os.mkfifo(fifo)
    stop.set()

    with pytest.raises(Stopped):
        Reader().ask(Ask(str(fifo), str(tmp_path / "1")), stop)


def test_a_reader_that_dies_is_told_of_and_the_next_file_read(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    shutil.copy(DATA / "negative/moov_at_end.mp4", clip)
    reader = Reader()
    reader.ask(Ask(str(clip), str(tmp_path / "1")))

    reader._child.send_signal(signal.SIGKILL)  # type: ignore[union-attr]  # noqa: SLF001
    died = reader.ask(Ask(str(clip), str(tmp_path / "2")))
    read = reader.ask(Ask(str(clip), str(tmp_path / "3")))
    reader.end()

    assert died.facts is None
    assert died.reason == "what reads it died of it"
    assert read.facts is not None


@pytest.mark.parametrize("name", ["bomb.gpx", "endless.nmea", "huge.mp4"])
def test_a_hostile_file_is_answered(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        if name == "bomb.gpx":
            file.write(b'<!DOCTYPE g [<!ENTITY a "aaaa">]><gpx>&a;</gpx>')
        elif name == "endless.nmea":
            file.truncate(1 << 28)  # a line without an end
        else:
            file.write(b"\0\0\0\x08ftyp\0\0\0\1moov" + b"\xff" * 8)
            file.truncate(1 << 40)
    reader = Reader()

    answer = reader.ask(Ask(str(path), str(tmp_path / "beside")))
    reader.end()

    assert answer.reason is None
    assert answer.facts is not None


def test_the_pages_say_what_was_derived(here: Site, deriver: Deriver) -> None:
    deriver.turn(threading.Event())
    client = create_app(config(here), SystemClock()).test_client()
    listed = here.agent("recordings", "--json").json
    by_name = {r["name"]: r["id"] for r in listed}

    page = client.get(f"/recordings/{by_name[CARDS['card-gat947']]}").text

    assert "4.0 s, 640 x 360 pixels, with sound" in page
    assert "5 positions" in page
    assert "BeiDou 6, GLONASS 5, GPS 8, Galileo 5" in page
    assert "TRUNC_0001.MP4 is cut off" in page
