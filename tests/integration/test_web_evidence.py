import html
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

from dock_agent.clock import stamp
from dock_agent.config import Config
from dock_agent.recording import LinkState
from dock_agent.store import configured, destinations
from dock_agent.store.db import transaction
from dock_agent.watch.compose import Watcher
from support.boards import (
    NOW,
    OFFLINE,
    ONLINE,
    StillClock,
    copying,
    instant,
    mixed,
    show,
    station,
    status,
)
from support.evidence import (
    AT,
    CAMERA,
    HOSTILE,
    MAIN,
    Held,
    confirmed,
    interrupted,
    numbered,
    offloaded,
    store,
)
from web_status import create_app


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return station(tmp_path)


@pytest.fixture
def client(config: Config) -> FlaskClient:
    return create_app(config, StillClock()).test_client()


def words(client: FlaskClient, path: str) -> str:
    """Return what a person reads on a page."""
    text = re.sub(r"<[^>]*>", " ", client.get(path).text)
    return " ".join(html.unescape(text).split())


def test_it_sees_what_is_stuck_since_when_and_why(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        offloaded(conn, 1)
        interrupted(conn, 2)
    show(config, status(mixed(), links=(OFFLINE,)))

    page = words(client, "/it")

    assert "Live: the agent wrote its status 0 s ago." in page
    assert "D-17 no profile knows this camera" in page
    assert "objects.example.org: no route to host" in page
    assert "412 GB left for offloads: 413 GB of 500 GB are free" in page
    assert "main queued 1 5.0 MB under 1 min It goes as soon as" in page
    assert "Objects that wait: 1, 5.0 MB. The oldest waits for under 1 min" in page
    assert f"{CAMERA} left bay 2 at 0 of 1 files" in page
    assert f"{numbered(2)} {CAMERA} 2 interrupted" in page


def test_what_waits_for_a_destination_that_is_left_out_is_for_it_to_see(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        offloaded(conn, 1)
        with transaction(conn):
            destinations.answered(conn, MAIN, LinkState.ONLINE, AT)
            configured.tell(conn, [], AT)
        show(config, Watcher(config).look(conn, {}, instant(NOW)))

    page, board = words(client, "/it"), words(client, "/")
    figures = client.get("/metrics").text

    assert "main : 1 file waits for it. Put it back" in page
    assert "main s3 not configured any more" in page
    assert "main (not configured any more) queued 1" in page
    assert "online" not in page
    assert "1 needs IT" in board
    assert "Connected" not in board
    assert "dock_transfers_stranded 1.0" in figures
    assert 'dock_link_up{destination="main"} 0.0' in figures


def test_a_confirmation_where_nobody_looks_any_more_is_shown_as_one_of_then(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        held = offloaded(conn, 1)
        confirmed(conn, held)
        with transaction(conn):
            configured.tell(conn, [], AT)
        show(config, Watcher(config).look(conn, {}, instant(NOW)))

    page = words(client, f"/files/{held.file}")

    assert "At main (not configured any more) confirmed then" in page
    assert "At main confirmed" not in page
    assert "Everything" not in words(client, "/")


def test_it_is_told_what_a_destination_rejected_and_keeps_apart(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        held = offloaded(conn, 1)
        before = words(client, "/it")
        confirmed(conn, held, apart="the place rejected it: RejectedContent_1")

    page = words(client, "/it")

    assert "kept apart" not in before
    assert "Rejected, and kept apart there" in page
    assert "not where they belong: 1." in page
    assert "the place rejected it: RejectedContent_1" in page


def test_it_is_told_what_to_do_about_a_link(
    client: FlaskClient, config: Config
) -> None:
    with store(config):
        show(config, status(mixed(), links=(OFFLINE,)))

    page = client.get("/it").text

    assert "Nothing has gone there for under 1 min (objects.example.org: no" in page
    assert "<code>dock-agent destinations test</code> says more" in page


def test_a_link_of_a_status_that_is_not_live_has_no_rate(config: Config) -> None:
    fast = msgspec.structs.replace(ONLINE, goodput=5_000_000)
    clock = StillClock()
    client = create_app(config, clock).test_client()
    with store(config):
        show(config, status(mixed(), links=(fast,)))

    live = words(client, "/it")
    clock.advance(6)
    stale = words(client, "/it")

    assert "5.0 MB/s" in live
    assert "5.0 MB/s" not in stale
    assert "bays, room and links are shown as they were then" in stale


def test_it_is_not_told_to_fetch_a_camera_that_sits_in_its_bay(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        interrupted(conn, 2)
    show(config, status([copying("1", camera=CAMERA)]))

    page = words(client, "/it")

    assert "Cameras still owed None." in page
    assert "2 interrupted" in page


def test_it_never_reads_of_more_files_than_there_are(
    client: FlaskClient, config: Config
) -> None:
    show(config, status([copying("1", 14, 13, bytes_done=9, bytes_total=8)]))

    page = words(client, "/it")

    assert "14 of 14" in page
    assert "9 B of 9 B" in page


def test_it_is_told_in_words_that_the_store_cannot_be_read(
    client: FlaskClient,
) -> None:
    page = words(client, "/it")

    assert "Not live: there is no status from the agent that can be read." in page
    assert "no database at" in page
    assert "None." not in page


def test_recordings_are_listed_newest_first(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        offloaded(conn, 1, b"DCIM/first.MP4")
        offloaded(conn, 2, b"DCIM/second.MP4")

    page = words(client, "/recordings")

    assert page.index("DCIM/second.MP4") < page.index("DCIM/first.MP4")
    assert "2026-11-24 07:00:12 GMT" in page


def test_recordings_can_be_limited_to_a_name_and_a_camera(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        offloaded(conn, 1, b"DCIM/first.MP4")
        offloaded(conn, 2, b"DCIM/100%.MP4")

    by_name = words(client, "/recordings?text=100%25")
    by_camera = words(client, "/recordings?camera=KT-Z3:other")

    assert "DCIM/100%.MP4" in by_name
    assert "DCIM/first.MP4" not in by_name
    assert "No recordings match." in by_camera


def test_every_recording_is_on_exactly_one_page(
    client: FlaskClient, config: Config
) -> None:
    with store(config) as conn:
        for number in range(1, 121):
            offloaded(conn, number)
    found: list[str] = []
    path: str | None = "/recordings?text=DCIM"

    while path:
        page = client.get(path).text
        found += re.findall(r'href="/recordings/([0-9A-Z]{26})"', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(more[1]) if more else None

    assert found == [numbered(number) for number in range(120, 0, -1)]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/recordings/nonsense", 404),
        (f"/recordings/{numbered(9)}", 404),
        ("/recordings/..%2f..%2fetc%2fpasswd", 404),
        ("/files/9", 404),
        ("/files/-1", 404),
        ("/files/99999999999999999999999", 404),
        ("/files/1x", 404),
        ("/recordings?after=rubbish", 400),
        (f"/recordings?after={stamp(NOW)}~short", 400),
        (f"/recordings?text={'x' * 201}", 400),
    ],
)
def test_an_id_that_names_nothing_gets_a_sentence(
    client: FlaskClient, config: Config, path: str, code: int
) -> None:
    with store(config):
        answer = client.get(path)

    assert answer.status_code == code
    assert "<h1>" in answer.text


@pytest.fixture
def sent(config: Config) -> Held:
    with store(config) as conn:
        held = offloaded(conn, 1)
        confirmed(conn, held)
    return held


def test_a_recording_shows_its_files_their_digests_and_where_they_are(
    client: FlaskClient, sent: Held
) -> None:
    page = words(client, f"/recordings/{sent.recording}")

    assert f"SHA-256 {sent.digest}" in page
    assert "5.0 MB (5000000 bytes)" in page
    assert "At the station verified" in page
    assert "At main confirmed" in page


def test_a_file_tells_its_custody_in_order_and_in_plain_words(
    client: FlaskClient, sent: Held
) -> None:
    page = words(client, f"/files/{sent.file}")

    story = [
        f"Camera {CAMERA} was docked in bay 2.",
        "What is on the camera was listed: files 1, 5.0 MB.",
        f"read back from the medium; SHA-256 {sent.digest} matched.",
        "Copying began.",
        "Every file was copied; a second full pass began.",
        "The docking was sealed: every file verified, the manifest signed.",
        "Destination main proved the whole file: every byte was fetched again",
    ]
    assert all(sentence in page for sentence in story)
    assert [page.index(s) for s in story] == sorted(page.index(s) for s in story)


def test_a_clock_that_was_not_synchronised_is_told_of_once(
    client: FlaskClient, config: Config
) -> None:
    unsure = replace(AT, trusted=False)
    with store(config) as conn:
        later = offloaded(conn, 1, at=unsure)
        confirmed(conn, later)
        never = offloaded(conn, 2, at=unsure)

    pages = [words(client, f"/files/{held.file}") for held in (never, later)]

    assert [page.count("not synchronised") for page in pages] == [1, 1]
    assert "not synchronised at any of these times" in pages[0]
    assert "not synchronised at the times marked ~" in pages[1]
    assert [page.count("~ 2026-11-24") for page in pages] == [0, 6]


def test_a_file_shows_the_logs_own_lines(
    client: FlaskClient, config: Config, sent: Held
) -> None:
    with sqlite3.connect(config.store_path) as conn:
        lines = [row[0] for row in conn.execute("SELECT line FROM custody")]

    page = words(client, f"/files/{sent.file}")

    assert len(lines) == 7
    assert all(line in page for line in lines)


def test_a_hostile_file_name_stays_text(client: FlaskClient, config: Config) -> None:
    with store(config) as conn:
        held = offloaded(conn, 1, HOSTILE)

    pages = [
        client.get(path).text
        for path in (
            "/recordings",
            f"/recordings/{held.recording}",
            f"/files/{held.file}",
        )
    ]

    for page in pages:
        assert "<script>alert" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "<bdi>DCIM/\\x1b[31m&lt;script&gt;" in page


def test_a_filter_is_shown_as_text(client: FlaskClient, config: Config) -> None:
    with store(config):
        page = client.get('/recordings?text="><script>x</script>').text

    assert "<script>x" not in page


def test_without_a_database_the_pages_say_so(client: FlaskClient) -> None:
    answer = client.get("/recordings")

    assert answer.status_code == 503
    assert "no database at" in html.unescape(answer.text)


def test_a_page_leaves_the_database_as_it_is(
    client: FlaskClient, config: Config, sent: Held
) -> None:
    before = config.store_path.read_bytes()

    client.get(f"/files/{sent.file}")
    client.get("/it")

    assert config.store_path.read_bytes() == before
