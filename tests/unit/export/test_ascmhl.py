import hashlib
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

from dock_agent.clock import stamp
from dock_agent.export.ascmhl import c4, folder
from dock_agent.export.layout import About
from dock_agent.export.written import Written
from dock_agent.recording import Digest

AT = stamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
ABOUT = About("dock-agent 1", AT, "a & b", "dock-agent/x", {})
EMPTY = "c459dsjfscH38cYeXXYogktxf4Cd9ibshE3BHUo6a58hBXmRQdZrAkZzsWcbWtDg5oQstpDuni4Hirj75GEmTc1sFT"  # noqa: E501  a C4 id is long
FILE = Written(2, Digest("ab" * 32), hashlib.sha512(b"").digest(), 0)
SPACE = "{urn:ASC:MHL:v2.0}"


def test_the_c4_id_of_nothing_is_the_published_one() -> None:
    assert c4(hashlib.sha512(b"").digest()) == EMPTY


def test_a_c4_id_has_90_characters_whatever_the_number() -> None:
    assert c4(bytes(64)) == "c4" + "1" * 88
    assert len(c4(b"\xff" * 64)) == 90


def test_the_list_is_of_the_cameras_files_and_has_their_sha256() -> None:
    made = folder({"data/D/a&<b.MP4": FILE, "custody.jsonl": FILE}, ABOUT)

    listed = ET.fromstring(made["data/ascmhl/0001_data_2026-01-02_030405Z.mhl"])  # noqa: S314  ours
    (entry,) = listed.iter(f"{SPACE}hash")
    assert entry.findtext(f"{SPACE}path") == "D/a&<b.MP4"
    assert entry.findtext(f"{SPACE}c4") == EMPTY
    assert entry.findtext(f"{SPACE}metadata/{SPACE}sha256") == "ab" * 32


def test_the_chain_has_the_list_s_own_c4() -> None:
    made = folder({"data/D/a": FILE}, ABOUT)

    chain = made.pop("data/ascmhl/ascmhl_chain.xml")
    ((name, text),) = made.items()
    assert c4(hashlib.sha512(text.encode()).digest()) in chain
    assert name.removeprefix("data/ascmhl/") in chain
