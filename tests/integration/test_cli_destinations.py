"""What a person asks and orders about destinations: what is printed, how it ends."""

import json
import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.errors import HeldBack, LeftOut, NotAllowed
from dock_agent.recording import DestinationName
from dock_agent.store import custody, destinations
from dock_agent.store.db import connect, transaction
from dock_agent.store.transfers import NewTransfer, add
from dock_agent.watch.spoken import left_out
from support.books import DIGEST
from support.cards import card
from support.programs import Site, site
from web_status.overview import MEANS

STRANDED = "not configured any more. 10 files wait for it. Put it back"
ORDER = ("--by", "A. Chief", "--why", "the NAS was scrapped")
NAS = DestinationName("nas")


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """Give a station with one docking of one recording, of which nothing is sent."""
    made = site(tmp_path)
    source = card(tmp_path / "card", {"VIDEO/1.MP4": 300_000, "VIDEO/1.NMEA": 400})
    made.agent("import", str(source), "--camera", "KT-Z1:42")
    return made


def leave_out(here: Site) -> str:
    """Take every destination out of the configuration; return what it was."""
    path = here.root / "dock.toml"
    before = path.read_text("utf-8")
    path.write_text(before.partition("[[dest")[0], "utf-8")
    return before


def withdrawn(here: Site) -> None:
    leave_out(here)
    here.agent("sync", "--once")
    order = ("destinations", "withdraw", "nas", *ORDER, "--although-nowhere-else")
    assert here.agent(*order).code == 0


def told_commands() -> set[str]:
    """Return the commands that the page and the errors name, ids and names filled in.

    Those that run until they are stopped are not among them.
    """
    told = [*MEANS.values(), *left_out("nas", 1), HeldBack.hint, LeftOut.hint]
    named = {each for text in told for each in re.findall("`(dock-agent .+?)`", text)}
    whole = {each.replace("NAME", "nas").replace("ID", "1") for each in named}
    return {each for each in whole if each != "dock-agent sync"}


@pytest.mark.parametrize("command", sorted(told_commands()))
def test_what_a_person_is_told_to_run_can_be_run_as_it_is_told(
    here: Site, command: str
) -> None:
    here.agent("sync", "--once")

    said = here.agent(*shlex.split(command)[1:])

    assert said.code in {0, NotAllowed.exit_code}


# ---- a destination that is left out ------------------------------------------


def test_sync_does_not_end_well_while_files_wait_for_what_is_left_out(
    here: Site,
) -> None:
    leave_out(here)

    said = here.agent("sync", "--once", "--json")

    assert said.code == 40
    assert said.json == {"confirmed": 0, "waiting": 10, "refused": 0}
    assert f"nas: {STRANDED}" in said.err
    assert "destinations withdraw nas" in said.err
    assert "that the configuration no longer names" in said.err
    assert "by itself" not in said.err


def test_an_agent_that_starts_tells_of_what_is_left_out_before_any_sync_does(
    here: Site, tmp_path: Path
) -> None:
    leave_out(here)
    other = card(tmp_path / "other", {"VIDEO/2.MP4": 70})

    here.agent("import", str(other), "--camera", "KT-Z1:42")

    assert f"nas: directory, {STRANDED}" in here.agent("destinations", "list").out


def test_status_and_lists_say_what_waits_for_what_is_left_out(here: Site) -> None:
    here.agent("destinations", "test")
    leave_out(here)
    here.agent("sync", "--once")

    status, listed = here.agent("status"), here.agent("destinations", "list")
    facts = here.agent("status", "--json").json
    (row,) = here.agent("destinations", "list", "--json").json

    assert "Link nas: not configured any more. 10 files wait for it." in status.out
    assert f"nas: directory, {STRANDED}" in listed.out
    assert facts["links"][0]["state"] == "not configured"
    assert facts["queue"]["waiting"] == facts["queue"]["stranded"] == 10
    assert (row["configured"], row["link"], row["waiting"]) == (False, "unknown", 10)


def test_a_file_is_not_listed_as_confirmed_where_nobody_looks_any_more(
    here: Site,
) -> None:
    here.agent("sync", "--once")
    leave_out(here)
    done = here.agent("sync", "--once")

    listed, text = here.agent("recordings", "--json"), here.agent("recordings")
    status = here.agent("status", "--json")

    files = [file for recording in listed.json for file in recording["files"]]
    assert done.code == 0
    assert [file["destinations"] for file in files] == [{}, {}]
    assert [file["formerly"] for file in files] == [{"nas": "confirmed"}] * 2
    assert "nas, not configured any more: confirmed then" in text.out
    assert status.json["links"] == []


# ---- withdraw ----------------------------------------------------------------


def test_a_destination_of_the_configuration_has_nothing_withdrawn(here: Site) -> None:
    said = here.agent("destinations", "withdraw", "nas", *ORDER)
    leave_out(here)
    early = here.agent("destinations", "withdraw", "nas", *ORDER)

    assert (said.code, early.code) == (50, 50)
    assert "nas is in the configuration" in said.err
    assert "nas was configured when the station last started" in early.err
    assert "start `dock-agent sync` again" in early.err


def test_what_is_nowhere_else_is_withdrawn_only_by_who_says_so(here: Site) -> None:
    leave_out(here)
    here.agent("sync", "--once")

    refused = here.agent("destinations", "withdraw", "nas", *ORDER)
    waiting = here.agent("transfers", "list", "--json").json
    withdrawn(here)
    done = here.agent("sync", "--once")

    assert refused.code == 50
    assert "of 10 files that wait for nas, 10 would be confirmed nowhere" in refused.err
    assert "--although-nowhere-else" in refused.err
    assert len(waiting) == 10
    assert (done.code, done.out) == (0, "0 confirmed, 0 waiting, 0 refused.\n")


def test_an_order_stands_in_the_log_and_the_vault_keeps_all(here: Site) -> None:
    withdrawn(here)

    with closing(connect(here.root / "store.db")) as conn:
        told = map(json.loads, custody.log(conn).splitlines())
        orders = [line for line in told if line["kind"] == "withdrawn"]
    assert {line["actor"] for line in orders} == {"A. Chief"}
    assert {line["facts"]["reason"] for line in orders} == {"the NAS was scrapped"}
    assert len(orders) == 10
    assert here.agent("verify", "--all", "--json").json["ok"] == 2


@pytest.mark.parametrize("missing", ["--by", "--why"])
def test_an_order_needs_who_and_why(here: Site, missing: str) -> None:
    at = ORDER.index(missing)
    leave_out(here)
    here.agent("sync", "--once")

    said = here.agent("destinations", "withdraw", "nas", *ORDER[:at], *ORDER[at + 2 :])

    assert said.code == 2
    assert missing in said.err


def test_a_destination_that_is_put_back_is_sent_everything(here: Site) -> None:
    before = (here.root / "dock.toml").read_text("utf-8")
    withdrawn(here)
    (here.root / "dock.toml").write_text(before, "utf-8")

    said = here.agent("sync", "--once", "--json")

    assert (said.code, said.json["confirmed"]) == (0, 10)
    assert list((here.root / "nas").rglob("tagmanifest.sig"))


# ---- pause, resume, retry ----------------------------------------------------


def test_sync_says_what_a_person_holds_back_and_not_that_it_goes_by_itself(
    here: Site,
) -> None:
    held = here.agent("destinations", "pause", "nas")

    said = here.agent("sync", "--once")
    listed = here.agent("destinations", "list")
    status = here.agent("status")
    here.agent("destinations", "resume", "nas")
    after = here.agent("sync", "--once")

    assert held.out == "nas is held back.\n"
    assert said.code == 40
    assert "nas: held back; `dock-agent destinations resume nas`" in said.err
    assert "by itself" not in said.err
    assert listed.out == "nas: directory, held back; files that wait for it: 10.\n"
    assert "Link nas: held back." in status.out
    assert after.code == 0


def test_objects_that_are_held_back_wait_until_they_are_let_go(here: Site) -> None:
    held = here.agent("transfers", "pause", "1", "2")

    said = here.agent("sync", "--once")
    listed = here.agent("transfers", "list", "--json").json
    gone = here.agent("transfers", "resume", "--destination", "nas")
    after = here.agent("sync", "--once")

    assert held.out == "Objects held back: 2.\n"
    assert said.code == 40
    assert "transfers resume" in said.err
    assert [one["state"] for one in listed] == ["paused", "paused", "blocked"]
    assert gone.out == "Objects let go: 2.\n"
    assert after.code == 0


def test_an_id_of_which_it_cannot_be_said_is_not_passed_over_in_silence(
    here: Site,
) -> None:
    some = here.agent("transfers", "pause", "1", "99")
    none = here.agent("transfers", "pause", "99")

    assert (some.code, some.out) == (0, "Objects held back: 1.\n")
    assert "ids left as they are: 1; only what waits" in some.err
    assert none.code == 50


@pytest.mark.parametrize("which", [(), ("1", "--all"), ("--all", "--destination", "x")])
def test_whoever_orders_says_which(here: Site, which: tuple[str, ...]) -> None:
    said = here.agent("transfers", "retry", *which)

    assert said.code == 2
    assert "say which" in said.err


def test_what_was_refused_is_listed_with_its_reason_and_tried_again(
    here: Site,
) -> None:
    (path,) = (here.root / "vault").rglob("1.MP4")
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(b"x" + whole[1:])
    here.agent("sync", "--once")

    listed = here.agent("transfers", "list", "--state", "refused")
    path.write_bytes(whole)
    said = here.agent("transfers", "retry", "1")
    after = here.agent("sync", "--once")

    assert len(listed.out.splitlines()) == 2
    assert listed.out.splitlines()[1].strip()
    assert said.out == "Objects to be tried again now: 1.\n"
    assert after.code == 0


# ---- many --------------------------------------------------------------------


def test_a_long_queue_is_listed_in_part_and_the_rest_is_counted(here: Site) -> None:
    with closing(connect(here.root / "store.db")) as conn, transaction(conn):
        (docking,) = conn.execute("SELECT id FROM docking").fetchone()
        for number in range(1000):
            new = NewTransfer(docking, "p", f"{number}", 1, DIGEST)
            add(conn, new, [NAS], SystemClock().now())

    said = here.agent("transfers", "list")
    short = here.agent("transfers", "list", "--destination", "nas", "--limit", "3")
    unknown = here.agent("transfers", "list", "--destination", "other")

    assert len(said.out.splitlines()) == 201
    assert said.out.endswith("… and 810 more: --limit shows more.\n")
    assert len(short.out.splitlines()) == 4
    assert short.out.endswith("… and 1007 more: --limit shows more.\n")
    assert unknown.code == 2


def test_nothing_to_list_is_said_so(here: Site) -> None:
    here.agent("sync", "--once")

    assert here.agent("transfers", "list").out == "Nothing waits.\n"
    said = here.agent("transfers", "list", "--state", "refused")
    assert said.out == "Nothing is refused.\n"


# ---- a place that is reached in another way ----------------------------------


def test_a_person_says_that_a_place_without_a_marker_is_the_one_it_was(
    here: Site,
) -> None:
    elsewhere(here, marker=None)
    order = ("destinations", "same-place", "nas", "--by", "A. Chief", "--why", "DNS")

    said = here.agent(*order)

    assert said.code == 0
    assert "nas is taken for the place it was" in said.out
    with closing(connect(here.root / "store.db")) as conn:
        row = destinations.get(conn, NAS)
        told = [json.loads(line) for line in custody.log(conn).splitlines()][-2:]
    assert (row.place, row.capabilities) == (str(here.root / "nas"), "{}")
    assert [line["kind"] for line in told] == ["order", "destination moved"]
    assert (told[0]["actor"], told[0]["facts"]["reason"]) == ("A. Chief", "DNS")
    assert told[1]["facts"]["marked"] is False


@pytest.mark.parametrize(
    ("marker", "order", "why"),
    [
        ("01ID", ("--by", "A. Chief", "--why", "DNS"), "has a marker"),
        (None, ("--by", " ", "--why", "DNS"), "who gives it, and why"),
    ],
)
def test_nobody_says_so_against_a_marker_or_without_a_name(
    here: Site, marker: str | None, order: tuple[str, ...], why: str
) -> None:
    elsewhere(here, marker)

    said = here.agent("destinations", "same-place", "nas", *order)

    assert said.code == 50
    assert why in said.err
    with closing(connect(here.root / "store.db")) as conn:
        assert destinations.get(conn, NAS).place == "/elsewhere"


def elsewhere(here: Site, marker: str | None) -> None:
    """Remember `nas` as it was reached before, and what it was found to do."""
    with closing(connect(here.root / "store.db")) as conn, transaction(conn):
        conn.execute(
            "UPDATE destination SET place = '/elsewhere', marker = ?,"
            " capabilities = '{\"objects\":true}' WHERE name = 'nas'",
            (marker,),
        )
