"""A station's own programs, from a card to a content destination."""

import os
from pathlib import Path

from dock_agent.simulated.cards import Card, build
from support import axis_rules
from support.axis_docking import bookmarks, complete
from support.axis_server import AxisServer, axis_server
from support.programs import CONFIG, Site, site

CARD = Card("KT-Z3", "KTZ3A00017", "000123", recordings=3)  # the last one is marked
NAS = CONFIG[CONFIG.index("[[destinations]]") :]
AXIS = """\
[[destinations]]
name = "evidence"
kind = "axis"
connection_file = "{path}"
"""


def station(root: Path, connection: Path) -> Site:
    """Return a station that sends to the content destination of a connection file."""
    here = site(root)
    text = CONFIG.format(pace=0, reserve=1000).replace(
        NAS, AXIS.format(path=connection)
    )
    (root / "dock.toml").write_text(text, encoding="utf-8")
    return here


def footage(root: Path) -> dict[str, bytes]:
    """Make a card whose tracks were begun with their clips; return its videos."""
    build(CARD, root)
    for track in root.rglob("*.NMEA"):
        end = track.stat().st_mtime
        os.utime(track, (end - 4, end - 4))
    return {path.stem: path.read_bytes() for path in root.rglob("*.MP4")}


def clips(server: AxisServer) -> dict[str, dict[str, str]]:
    """Return what is told of each clip there, by its container."""
    return {
        container: blob.told
        for container, box in server.boxes.items()
        for name, blob in box.blobs.items()
        if name.endswith(".mp4")
    }


def recordings(server: AxisServer) -> set[str]:
    """Return the containers that are recordings by their names."""
    return {name for name in server.boxes if axis_rules.RECORDING.fullmatch(name)}


def test_a_card_arrives_with_its_times_and_its_mark_and_is_complete(
    tmp_path: Path,
) -> None:
    videos = footage(tmp_path / "card")
    with axis_server() as server:
        here = station(tmp_path, server.write(tmp_path))
        here.agent("import", str(tmp_path / "card"), "--camera", "KT-Z3:KTZ3A00017")

        said = here.agent("sync", "--once", "--json")

        assert (said.code, said.json["refused"], said.json["waiting"]) == (0, 0, 0)
        there = {b.data for box in server.boxes.values() for b in box.blobs.values()}
        assert set(videos.values()) <= there
        told = clips(server)
        assert len(told) == len(videos) == 3
        assert told.keys() < complete(server)
        for container, clip in told.items():
            assert int(clip["stoptime"]) - int(clip["starttime"]) == 4
            assert server.boxes[container].told["stoptime"] == clip["stoptime"]
        assert recordings(server) == told.keys()
        (marked,) = bookmarks(server)
        assert marked.partition("/")[0] == max(told)  # the last one, by its time
        assert server.refused == []
