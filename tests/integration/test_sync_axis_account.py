"""Getting in at a content destination, and what its answers mean."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.errors import (
    Barred,
    Busy,
    DockError,
    Full,
    NotTaken,
    Portal,
    Refused,
    Unreachable,
)
from dock_agent.recording import CameraId
from dock_agent.sync.axis import names
from dock_agent.sync.axis.account import Rejected
from dock_agent.sync.destination import Object, Progress
from support.axis_boxes import Blob, Box
from support.axis_certificate import certificate
from support.axis_docking import docking, faulty, spot, there
from support.axis_server import AxisServer, Fault, Reply, Request, axis_server
from support.place_axis import axis
from support.places import about
from support.sending import Hearing, Memory, item, sent_whole

NOBODY = "http://127.0.0.1:9/auth/v1.0"  # the discard port: nothing listens there
LARGE = 40 << 20  # bytes: more than sockets hold
PAGE = b"<html><body><h1>Sign in</h1></body></html>"


@pytest.fixture
def server() -> Iterator[AxisServer]:
    with axis_server() as made:
        yield made
        assert made.refused == []


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path)


def answering(
    status: int, method: str = "PUT", part: str = "", **headers: str
) -> Fault:
    """Return a fault: requests of a kind get this answer."""

    def fault(request: Request) -> Reply | None:
        if request.method != method or part not in request.path:
            return None
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return Reply(status, told, b"the server's own words")

    return fault


def test_a_token_is_asked_for_once_and_kept(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        destination.probe()
        assert sent_whole(destination, sent) is not None
        destination.probe()

    assert server.count("GET", "auth/v1.0") == 1


def test_a_token_that_is_no_longer_good_is_asked_for_again_once(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        destination.probe()
        server.tokens.clear()

        assert sent_whole(destination, sent) is not None

    assert server.count("GET", "auth/v1.0") == 2


def test_a_token_may_end_at_any_request(server: AxisServer, tmp_path: Path) -> None:
    sent = docking(tmp_path, recordings=1)

    def short_lived(_: Request) -> Reply | None:
        if len(server.asked) % 3 == 0:
            server.tokens.clear()
        return None

    with faulty(server, short_lived), closing(axis(server.write(tmp_path))) as each:
        sent.send(each)

    assert all(there(server, one) is not None for one in sent.objects)


def test_a_new_token_that_is_not_good_either_bars_the_place(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        destination.probe()
        with faulty(server, answering(401, "HEAD")), pytest.raises(Barred, match="401"):
            destination.send(sent, Progress(), Memory())

    assert server.count("GET", "auth/v1.0") == 2


def test_a_wrong_key_bars_the_place_and_a_new_one_in_the_file_opens_it(
    server: AxisServer, tmp_path: Path
) -> None:
    file = server.write(tmp_path, BlobAPIKey="an old one")
    with closing(axis(file)) as destination:
        with pytest.raises(Barred, match="401"):
            destination.probe()

        file.write_bytes(server.write(tmp_path).read_bytes())
        destination.probe()


def test_where_to_get_in_is_tried_in_turn(server: AxisServer, tmp_path: Path) -> None:
    file = server.write(tmp_path, AuthenticationTokenURI=[NOBODY, server.uri])

    with closing(axis(file)) as destination:
        destination.probe()

    nobody = server.write(tmp_path, AuthenticationTokenURI=[NOBODY])
    with (
        closing(axis(nobody)) as destination,
        pytest.raises(Unreachable, match="nothing listens"),
    ):
        destination.probe()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Reply(200), Portal),
        (Reply(200, {"Content-Type": "text/html"}, PAGE), Portal),
        (Reply(302, {"Location": "http://portal.example"}), Portal),
        (Reply(200, {"X-Auth-Token": "t"}), Portal),
        (Reply(503, {"Retry-After": "7"}), Busy),
        (Reply(500), Unreachable),
        (Reply(403), Barred),
    ],
)
def test_whoever_answers_in_place_of_the_token_is_told_apart(
    server: AxisServer, tmp_path: Path, said: Reply, error: type[DockError]
) -> None:
    def fault(request: Request) -> Reply | None:
        return said if request.path == "/auth/v1.0" else None

    with (
        faulty(server, fault),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(error) as caught,
    ):
        destination.probe()

    assert type(caught.value) is error


@pytest.mark.parametrize("storage", ["http://10.0.0.1/v1", "ftp://x/v1", "nowhere"])
def test_a_storage_url_that_is_not_secure_is_not_followed(
    server: AxisServer, tmp_path: Path, storage: str
) -> None:
    server.storage = storage

    with (
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Barred, match="not secure"),
    ):
        destination.probe()


def test_https_is_never_left_for_http(tmp_path: Path) -> None:
    with axis_server(tls=True) as server:
        server.storage = server.url.replace("https", "http")

        with (
            closing(axis(server.write(tmp_path))) as destination,
            pytest.raises(Barred, match="not secure"),
        ):
            destination.probe()


def test_only_the_certificate_of_the_file_is_trusted(tmp_path: Path) -> None:
    with axis_server(tls=True) as server:
        with closing(axis(server.write(tmp_path))) as destination:
            assert sent_whole(destination, item(tmp_path)) is not None

        server.certificate, _ = certificate()
        with (
            closing(axis(server.write(tmp_path))) as destination,
            pytest.raises(Unreachable, match="self-signed"),
        ):
            destination.probe()


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, (Rejected, "never store this: the server's own words")),
        (401, (Barred, "another name or key")),
        (402, (NotTaken, "no licence left")),
        (403, (Barred, "may not do that")),
        (413, (Refused, "so large")),
        (422, (NotTaken, "not what was sent")),
        (500, (NotTaken, "failed")),
        (502, (NotTaken, "failed")),
        (507, (Full, "no room left")),
        (200, (Portal, "no answer of a content destination")),
        (302, (Portal, "somebody else")),
    ],
)
def test_each_answer_to_an_object_means_what_the_api_says(
    server: AxisServer,
    tmp_path: Path,
    sent: Object,
    status: int,
    meaning: tuple[type[DockError], str],
) -> None:
    (error, match), where = meaning, spot(sent)
    file = server.write(tmp_path, FullStoreAndReadSupport=False)

    with (
        faulty(server, answering(status, "PUT", f"{where.container}/")),
        closing(axis(file)) as destination,
        pytest.raises(error, match=match) as caught,
    ):
        destination.send(sent, Progress(), Memory())

    assert type(caught.value) is error
    assert there(server, sent) is None
    assert server.boxes[where.container].told["status"] == "Transferring"


def test_a_place_that_takes_nothing_so_large_is_heard_before_all_is_sent(
    server: AxisServer, tmp_path: Path
) -> None:
    """It answers, and hangs up, while the body is on its way."""
    large, hearing = item(tmp_path, LARGE), Hearing()
    server.deaf = True

    with (
        faulty(server, answering(413, "PUT", f"{spot(large).container}/")),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Refused, match="5 GiB"),
    ):
        destination.send(hearing.of(large), Progress(), Memory())

    assert hearing.total < LARGE


def test_a_busy_place_says_when_to_come_back(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    fault = answering(503, "PUT", f"{spot(sent).container}/", Retry_After="7")

    with (
        faulty(server, fault),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Busy) as caught,
    ):
        destination.send(sent, Progress(), Memory())

    assert caught.value.wait_s == 7


@pytest.mark.parametrize("status", [403, 404])
def test_an_account_that_is_not_ours_bars_the_place(
    server: AxisServer, tmp_path: Path, sent: Object, status: int
) -> None:
    with (
        faulty(server, answering(status, "PUT")),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Barred),
    ):
        destination.send(sent, Progress(), Memory())


@pytest.mark.parametrize("part", [names.USERS, names.DEVICES])
def test_no_licence_for_a_user_or_a_camera_is_said_so_and_holds_nobody_else_up(
    server: AxisServer, tmp_path: Path, sent: Object, part: str
) -> None:
    licensed = replace(about(), camera=CameraId("KT-Z3:OTHER"), officer="000777")
    other = item(tmp_path, what=licensed)
    unknown = {
        names.USERS: f"Users/{names.user_id('000123')}",
        names.DEVICES: "Devices/KTZ3A00017",
    }

    with (
        faulty(server, answering(402, "PUT", unknown[part])),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        with pytest.raises(NotTaken, match="known: 402, it has no licence left"):
            destination.send(sent, Progress(), Memory())
        assert sent_whole(destination, other) is not None

    assert spot(sent).container not in server.boxes


def test_a_user_and_a_camera_are_made_known_before_their_first_recording(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    file = server.write(tmp_path, FullStoreAndReadSupport=False)
    server.supports(Store={"StoreUserIDKey": True})

    with closing(axis(file)) as destination:
        assert sent_whole(destination, sent) is not None

    user = server.boxes["Users"].blobs[names.user_id("000123")]
    camera = server.boxes["Devices"].blobs["KTZ3A00017"]
    assert user.told == {"active": "True", "name": "000123", "userid": "000123"}
    assert camera.told == {
        "active": "True",
        "name": "KT-Z3:KTZ3A00017",
        "model": "KT-Z3",
    }
    puts = [request.path for request in server.asked if request.method == "PUT"]
    first = puts.index(spot(sent).container)
    assert puts.index("Users/" + names.user_id("000123")) < first
    assert puts.index("Devices/KTZ3A00017") < first


def test_a_user_key_is_not_told_to_a_place_that_does_not_keep_it(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    file = server.write(tmp_path, FullStoreAndReadSupport=False)

    with closing(axis(file)) as destination:
        destination.send(sent, Progress(), Memory())

    assert "userid" not in server.boxes["Users"].blobs[names.user_id("000123")].told


def test_a_user_that_is_known_already_is_left_as_it_is(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    theirs = Blob(b"", {"name": "Sergeant Pepper", "active": "False"})
    server.boxes["Users"] = Box(blobs={names.user_id("000123"): theirs})

    with closing(axis(server.write(tmp_path))) as destination:
        assert sent_whole(destination, sent) is not None

    assert server.boxes["Users"].blobs[names.user_id("000123")] is theirs


def test_a_name_that_is_too_long_for_a_header_is_told_beside_it(
    server: AxisServer, tmp_path: Path
) -> None:
    officer = "Ж" * 40
    long = item(tmp_path, what=replace(about(), officer=officer))

    with closing(axis(server.write(tmp_path))) as destination:
        assert sent_whole(destination, long) is not None

    user = server.boxes["Users"].blobs[names.user_id(officer)]
    assert "name" not in user.told
    assert b"%D0%96" * 40 in user.data


def test_a_recording_of_nobody_belongs_to_whom_the_table_names(
    server: AxisServer, tmp_path: Path
) -> None:
    nobody = item(tmp_path, what=replace(about(), officer=None))

    with closing(axis(server.write(tmp_path), user_id="Locker 7")) as destination:
        assert sent_whole(destination, nobody) is not None

    user = names.user_id("Locker 7")
    assert server.boxes["Users"].blobs[user].told["name"] == "Locker 7"
    assert any(name.startswith(user) for name in server.boxes)


def test_capabilities_that_are_damaged_support_nothing(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    file = server.write(tmp_path, FullStoreAndReadSupport=False)
    server.supports(Store={"StoreUserIDKey": True})

    def damaged(request: Request) -> Reply | None:
        if request.path != "System/Capabilities.json" or request.method != "GET":
            return None
        body = server.boxes["System"].blobs["Capabilities.json"].data
        return Reply(200, {"ETag": "0" * 32}, body)

    with faulty(server, damaged), closing(axis(file)) as destination:
        destination.probe()
        destination.send(sent, Progress(), Memory())

    assert "userid" not in server.boxes["Users"].blobs[names.user_id("000123")].told


@pytest.mark.parametrize("status", [500, 503])
def test_a_place_that_fails_when_asked_is_not_there_for_now(
    server: AxisServer, tmp_path: Path, status: int
) -> None:
    with (
        faulty(server, answering(status, "GET", "System/")),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Unreachable),
    ):
        destination.probe()


def test_a_file_that_wants_encryption_bars_the_place_with_a_sentence(
    server: AxisServer, tmp_path: Path
) -> None:
    file = server.write(tmp_path, WantEncryption=True, PublicKey="k", PublicKeyId="1")

    with (
        closing(axis(file)) as destination,
        pytest.raises(Barred, match="encryption to recipients is another part"),
    ):
        destination.probe()


def test_the_key_is_in_no_error(server: AxisServer, tmp_path: Path) -> None:
    file = server.write(tmp_path, BlobAPIKey="s3cret-s3cret")

    with closing(axis(file)) as destination, pytest.raises(Barred) as caught:
        destination.probe()

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("said", [Reply(500), Reply(403), Reply(200), Reply(302)])
def test_a_signature_in_the_address_is_in_no_error(
    server: AxisServer, tmp_path: Path, said: Reply
) -> None:
    signed = server.uri + "?sig=s3cret"
    file = server.write(tmp_path, AuthenticationTokenURI=[signed])

    with (
        faulty(server, lambda request: said if "auth" in request.path else None),
        closing(axis(file)) as destination,
        pytest.raises(DockError) as caught,
    ):
        destination.probe()

    assert "s3cret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_where_it_sends_us_is_told_without_a_secret(
    server: AxisServer, tmp_path: Path
) -> None:
    server.storage = "http://me:s3cret@10.0.0.1/v1?sig=s3cret"

    with (
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Barred, match=r"http://10\.0\.0\.1/v1, which") as caught,
    ):
        destination.probe()

    assert "s3cret" not in str(caught.value)
