from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from dock_agent.config import Config
from dock_agent.recording import BayState
from support.boards import (
    OFFLINE,
    UNSENT,
    StillClock,
    bay,
    charging,
    copying,
    fault,
    mixed,
    owed,
    ready,
    show,
    station,
    status,
)
from web_status import create_app
from web_status.headers import HEADERS

BOARD = {"Accept": "application/vnd.dock-agent.board+json"}
AFAR = {"REMOTE_ADDR": "192.0.2.7"}
EVERYWHERE = ("/", "/api/v1/status", "/healthz", "/sizes.css", "/static/board.js")
AT_THE_STATION = ("/it", "/recordings", "/recordings/x", "/files/1", "/metrics")


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return station(tmp_path)


@pytest.fixture
def client(config: Config, clock: StillClock) -> FlaskClient:
    return create_app(config, clock).test_client()


# ---- the board ---------------------------------------------------------------


def test_the_board_is_whole_without_a_script(
    client: FlaskClient, config: Config
) -> None:
    show(config, status(mixed(), queue=UNSENT, links=(OFFLINE,)))

    page = client.get("/").text

    assert "<title>Bays 3 and 7 need you – everyone else: wait" in page
    for words in ("Take me", "Leave it", "Re-dock", "Tell IT", "Empty"):
        assert words in page
    assert "38 objects to send ·\N{NO-BREAK SPACE}oldest 3 h 55 min" in page
    assert "No network – videos are safe here" in page
    assert "Room for 412 GB" in page
    assert "06:58:12" in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page


def test_the_board_takes_nothing_from_outside(
    client: FlaskClient, config: Config
) -> None:
    show(config, status(mixed()))

    texts = []
    for path in ("/", "/static/board.css", "/static/board.js"):
        with client.get(path) as answer:
            texts.append(answer.get_data(as_text=True))

    for text in texts:
        assert "//" not in text.replace("// ", "").replace("http://www.w3.org", "")
        assert "style=" not in text
        assert "innerHTML" not in text


def test_the_board_names_cameras_and_no_officers(
    client: FlaskClient, config: Config
) -> None:
    camera = owed("KT-Z3:KTZ3A00123")
    show(config, status([ready("1")], owed=(camera,)))

    page = client.get("/").text

    assert "Cam 0123 was removed from bay 2 at 7 of 22: dock it again" in page
    assert '<bdi class="camera" data-k="camera">0101</bdi>' in page


def test_a_stale_board_veils_itself_and_has_nothing_to_take(
    client: FlaskClient, config: Config, clock: StillClock
) -> None:
    show(config, status([ready("1"), charging("2")]))
    clock.advance(5.5)

    page = client.get("/").text

    assert "<title>Not live since 06:58:12 – Leave cameras docked</title>" in page
    assert 'data-live="false"' in page
    assert "Take me" not in page
    assert 'data-treatment="fill"' not in page


def test_without_a_snapshot_the_board_still_answers(client: FlaskClient) -> None:
    answer = client.get("/")

    assert answer.status_code == 200
    assert "<title>Not live – Leave cameras docked</title>" in answer.text


def test_a_hostile_camera_name_stays_text(client: FlaskClient, config: Config) -> None:
    label = "<b>\u202e7"
    show(config, status([copying("1", label=label)], owed=(owed("X:<i>\x1b"),)))

    page = client.get("/").text

    assert "&lt;b&gt;\\u202e7" in page
    assert "&lt;i&gt;\\x1b" in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_sizes_follow_the_screen_and_the_distance(tmp_path: Path) -> None:
    listen = 'listen = "127.0.0.1:0"\n'
    near, far = (
        create_app(station(tmp_path, web=f"{listen}distance_m = {distance}"))
        for distance in (1.0, 2.0)
    )

    sizes = [app.test_client().get("/sizes.css") for app in (near, far)]

    assert sizes[0].mimetype == "text/css"
    assert "--columns: 4; --word: 4.6" in sizes[0].text
    assert sizes[0].text != sizes[1].text


# ---- the status for programs -------------------------------------------------


def test_the_status_is_the_agents_own(client: FlaskClient, config: Config) -> None:
    written = status([fault("1")])
    show(config, written)

    answer = client.get("/api/v1/status")

    assert answer.get_json()["bays"][0]["reason"] == "no profile knows this camera"
    assert answer.get_json()["verdict"]["text"] == written.verdict.text
    assert answer.headers["ETag"].startswith(f'"{written.rev}-')
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("accept", [{}, BOARD])
def test_an_unchanged_status_is_not_sent_again(
    client: FlaskClient, config: Config, accept: dict[str, str]
) -> None:
    show(config, status([copying("1")]))
    first = client.get("/api/v1/status", headers=accept)
    asked = accept | {"If-None-Match": first.headers["ETag"]}

    again = client.get("/api/v1/status", headers=asked)
    show(config, status([ready("1")]))
    changed = client.get("/api/v1/status", headers=asked)

    assert (again.status_code, again.data) == (304, b"")
    assert changed.status_code == 200


@pytest.mark.parametrize("accept", [{}, BOARD])
def test_an_agent_that_falls_silent_changes_the_answer(
    client: FlaskClient, config: Config, clock: StillClock, accept: dict[str, str]
) -> None:
    show(config, status([ready("1")]))
    tag = client.get("/api/v1/status", headers=accept).headers["ETag"]
    clock.advance(6)

    answer = client.get("/api/v1/status", headers=accept | {"If-None-Match": tag})

    assert answer.status_code == 200
    assert answer.get_json()["live"] is False


def test_a_revision_that_comes_back_after_a_restart_is_not_mistaken(
    client: FlaskClient, config: Config
) -> None:
    before = status([ready("1")])
    show(config, before)
    tag = client.get("/api/v1/status", headers=BOARD).headers["ETag"]
    after = msgspec.structs.replace(status([copying("1")]), rev=before.rev)
    show(config, after)

    answer = client.get("/api/v1/status", headers=BOARD | {"If-None-Match": tag})

    assert answer.status_code == 200


def test_the_script_gets_every_word_it_shows(
    client: FlaskClient, config: Config
) -> None:
    show(config, status([ready("1"), bay("2", BayState.EMPTY)]))

    board = client.get("/api/v1/status", headers=BOARD).get_json()

    assert (board["lead"], board["rest"], board["title"]) == (
        "All ready",
        "",
        "All ready",
    )
    assert [tile["word"] for tile in board["tiles"]] == ["Take me", "Empty"]


def test_a_missing_snapshot_is_a_status_too(client: FlaskClient) -> None:
    answer = client.get("/api/v1/status")

    assert answer.status_code == 200
    assert answer.get_json()["live"] is False
    assert answer.get_json()["verdict"]["key"] == "not_live"


def test_from_afar_there_are_no_reasons(client: FlaskClient, config: Config) -> None:
    show(config, status([fault("1")], links=(OFFLINE,)))

    found = client.get("/api/v1/status", environ_overrides=AFAR).get_json()

    assert found["bays"][0]["code"] == "D-17"
    assert found["bays"][0]["reason"] is None
    assert found["links"][0]["failure"] is None


def test_a_log_that_differs_is_said_at_the_station_and_to_nobody_else(
    client: FlaskClient, config: Config
) -> None:
    alarm = "nas: checkpoints/harbour-1/00000007 is there already, and is not ours"
    seen = msgspec.structs.replace(status([ready("1")]), alarms=(alarm,))
    show(config, seen)

    assert alarm in client.get("/it").text
    assert client.get("/api/v1/status").get_json()["alarms"] == [alarm]
    afar = client.get("/api/v1/status", environ_overrides=AFAR).get_json()
    assert afar["alarms"] == []


def test_a_copy_that_rotted_is_said_at_the_station_and_to_nobody_else(
    client: FlaskClient, config: Config
) -> None:
    alert = "vault: dockings/d/data/1.MP4 has other bytes than it had."
    seen = msgspec.structs.replace(status([ready("1")]), alerts=(alert,))
    show(config, seen)

    assert alert in client.get("/it").text
    assert client.get("/api/v1/status").get_json()["alerts"] == [alert]
    afar = client.get("/api/v1/status", environ_overrides=AFAR).get_json()
    assert afar["alerts"] == []


def test_an_alarm_that_somebody_saw_is_shown_as_acknowledged(
    client: FlaskClient, config: Config
) -> None:
    seen = ("nas: it is older (K. Bell)",)
    show(config, msgspec.structs.replace(status([ready("1")]), acknowledged=seen))

    page, figures = client.get("/it").text, client.get("/metrics").text
    afar = client.get("/api/v1/status", environ_overrides=AFAR).get_json()

    assert f"acknowledged. <bdi>{seen[0]}</bdi>" in page
    assert "Keep the vault and the database as they are" not in page
    assert "dock_alarms 0.0" in figures
    assert "dock_alarms_acknowledged 1.0" in figures
    assert afar["acknowledged"] == []


def test_health_is_that_of_the_agent(
    client: FlaskClient, config: Config, clock: StillClock
) -> None:
    show(config, status([ready("1")]))

    live = client.get("/healthz")
    clock.advance(6)
    stale = client.get("/healthz")

    assert (live.status_code, live.text) == (200, "live\n")
    assert (stale.status_code, stale.text) == (503, "not live\n")


def test_the_figures_tell_of_bays_queue_room_and_links(
    client: FlaskClient, config: Config, clock: StillClock
) -> None:
    show(config, status(mixed(), queue=UNSENT, links=(OFFLINE,)))
    clock.advance(2)

    families = list(text_string_to_metric_families(client.get("/metrics").text))

    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert told["dock_bays", "pulled"] == 1
    assert told["dock_bays", "waiting"] == 0
    assert told["dock_link_up", "main"] == 0
    assert told["dock_transfers_waiting",] == 38
    assert told["dock_transfers_waiting_bytes",] == 12e9
    assert told["dock_transfers_oldest_age_seconds",] == 14_100
    assert told["dock_heartbeat_age_seconds",] == 2
    assert told["dock_vault_free_bytes",] == 413e9
    assert told["dock_live",] == 1


def test_a_camera_that_is_back_in_its_bay_is_not_counted_as_owed(
    client: FlaskClient, config: Config
) -> None:
    back = copying("1")
    both = (owed(str(back.camera)), owed("KT-Z3:KTZ3A00123"))
    show(config, status([back], owed=both))

    assert "dock_cameras_owed 1.0" in client.get("/metrics").text


def test_old_figures_are_not_passed_off_as_new(
    client: FlaskClient, config: Config, clock: StillClock
) -> None:
    show(config, status(mixed()))
    clock.advance(60)

    text = client.get("/metrics").text

    assert "dock_live 0.0" in text
    assert "dock_heartbeat_age_seconds 60.0" in text
    assert "dock_bays" not in text


# ---- who may see what --------------------------------------------------------


@pytest.mark.parametrize("path", EVERYWHERE)
def test_the_board_is_open_to_anybody(
    client: FlaskClient, config: Config, path: str
) -> None:
    show(config, status([ready("1")]))

    with client.get(path, environ_overrides=AFAR) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize("path", AT_THE_STATION)
@pytest.mark.parametrize(
    "asked",
    [
        {"environ_overrides": AFAR},
        {
            "environ_overrides": AFAR,
            "headers": {"X-Forwarded-For": "127.0.0.1"},
        },
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},
        {"headers": {"Host": "evil.example"}},
    ],
    ids=["afar", "pretending", "behind a proxy", "another name"],
)
def test_the_other_pages_are_for_people_at_the_station(
    client: FlaskClient, path: str, asked: dict[str, dict[str, str]]
) -> None:
    answer = client.get(path, **asked)

    assert answer.status_code == 403
    assert "Open this page on the station itself" in answer.text


@pytest.mark.parametrize("path", [*EVERYWHERE, *AT_THE_STATION, "/nothing"])
def test_every_answer_carries_the_headers(client: FlaskClient, path: str) -> None:
    with client.get(path, environ_overrides=AFAR) as answer:
        told = answer.headers

    assert {name: told.get(name) for name in HEADERS} == HEADERS
    assert told["Cache-Control"] in ("no-cache", "no-store")


def test_the_policy_allows_nothing_from_outside_and_nothing_inline() -> None:
    policy = HEADERS["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    for rule in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert rule in policy


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/recordings"])
def test_nothing_can_be_changed_here(
    client: FlaskClient, method: str, path: str
) -> None:
    assert getattr(client, method)(path).status_code == 405
