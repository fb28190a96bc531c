"""Whatever is answered in an S3 store's place or by it: each has its scope."""

import socket
from pathlib import Path

import pytest

from dock_agent.errors import (
    Barred,
    Busy,
    Full,
    NotTaken,
    Portal,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Acknowledged, Progress
from dock_agent.sync.transport.client import CAP
from support.answering import Asked, Said
from support.memory_s3 import MemoryS3, always, error, once
from support.place_s3 import Reach, reached
from support.sending import Memory, item

SMALL, LARGE = 1000, PART_SIZE + 5
HTML = {"content-type": "text/html; charset=utf-8"}
NAMED = {"x-amz-request-id": "1"}
REGION = "<Region>eu-west-7</Region>"
ENDLESS = (
    b"<L><IsTruncated>true</IsTruncated>"
    b"<NextPartNumberMarker>1</NextPartNumberMarker></L>"
)
EVERYTHING = {
    "no such key": (error(403, "InvalidAccessKeyId"), Barred, "InvalidAccessKeyId"),
    "wrong secret": (error(403, "SignatureDoesNotMatch"), Barred, "SignatureDoes"),
    "not allowed": (error(403, "AccessDenied"), Barred, "so it is"),
    "unauthorised": (Said(401, NAMED), Barred, "401"),
    "forbidden": (Said(403, NAMED), Barred, "403"),
    "old token": (error(400, "ExpiredToken"), Barred, "ExpiredToken"),
    "no bucket": (error(404, "NoSuchBucket"), Barred, "NoSuchBucket"),
    "elsewhere": (
        Said(301, {**NAMED, "x-amz-bucket-region": "eu-west-7"}),
        Barred,
        'region = "eu-west-7"',
    ),
    "other region": (
        error(400, "AuthorizationHeaderMalformed", REGION),
        Barred,
        'region = "eu-west-7"',
    ),
    "redirect": (error(301, "PermanentRedirect"), Barred, "endpoint or region"),
    "page": (Said(200, HTML, b"<html>Sign in</html>"), Portal, "page"),
    "empty page": (Said(200, HTML), Portal, "page"),
    "forbidden page": (Said(403, HTML, b"<html>Sign in</html>"), Portal, "page"),
    "missing page": (Said(404, HTML, b"<html>nginx</html>"), Portal, "page"),
    "portal's redirect": (Said(302, {"location": "http://p.example"}), Portal, "302"),
    "proxy": (Said(407), Portal, "407"),
    "511": (Said(511, HTML, b"<html>Sign in</html>"), Portal, "511"),
    "somebody's no": (Said(403, {}, b"no"), Unreachable, "not as a store"),
    "nobody's words": (Said(403, NAMED, b"no"), Unreachable, "not as a store"),
    "bad gateway": (Said(502, HTML, b"<html>502</html>"), Unreachable, "502"),
    "klingon": (
        Said(400, {}, b'<?xml version="1.0" encoding="klingon"?><Error/>'),
        Unreachable,
        "not as a store",
    ),
    "too many": (Said(429, {"retry-after": "7"}), Busy, "429"),
    "busy": (Said(503), Busy, "503"),
    "slow down": (error(503, "SlowDown"), Busy, "503"),
    "throttled": (error(400, "ThrottlingException"), Busy, "Throttling"),
    "no room": (Said(507), Full, "507"),
    "not paid": (Said(402), Full, "402"),
    "quota": (error(403, "QuotaExceeded"), Full, "QuotaExceeded"),
    "too large for a proxy": (Said(413, HTML, b"<html/>"), Refused, "limits the size"),
    "too large": (error(400, "EntityTooLarge"), Refused, "limits the size"),
    "name too long": (error(400, "KeyTooLongError"), Refused, "KeyTooLong"),
    "unheard of": (error(400, "InvalidArgument"), Refused, "InvalidArgument"),
    "internal": (error(500, "InternalError"), NotTaken, "InternalError"),
    "502 of its own": (error(502, "InternalError"), NotTaken, "502"),
    "504 of its own": (Said(504, NAMED), NotTaken, "504"),
    "damaged": (error(400, "BadDigest"), NotTaken, "on the way"),
    "cut off": (error(400, "RequestTimeout"), Unreachable, "RequestTimeout"),
}
TO_HEAD = {
    "forbidden": (Said(403, NAMED), Barred),
    "old token, or another region": (Said(400, NAMED), Barred),
    "nobody's 404": (Said(404), Unreachable),
    "a portal's 404": (Said(404, HTML), Portal),
    "a portal's 200": (Said(200, HTML), Portal),
    "somebody's 200": (Said(200), Portal),
    "busy": (Said(503), Busy),
    "unwell": (Said(500, NAMED), NotTaken),
}


@pytest.mark.parametrize("case", EVERYTHING)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_a_put_is_answered_has_its_scope_and_its_words(
    tmp_path: Path, case: str, size: int
) -> None:
    said, kind, words = EVERYTHING[case]
    store = MemoryS3(faults=[always("PUT", "", said)])

    with (
        reached(store, tmp_path) as station,
        pytest.raises(SyncError, match=words) as told,
    ):
        station.send(item(tmp_path, size), Progress(), Memory())

    assert told.type is kind
    assert store.objects == {}


@pytest.mark.parametrize("case", TO_HEAD)
def test_what_a_question_is_answered_has_its_scope(tmp_path: Path, case: str) -> None:
    said, kind = TO_HEAD[case]
    store = MemoryS3(faults=[always("HEAD", "", said)])
    sent = item(tmp_path, SMALL)

    with reached(store, tmp_path) as station:
        for ask in (
            lambda: station.send(sent, Progress(), Memory()),
            lambda: station.confirm(sent, Progress()),
            lambda: station.look(sent, Progress()),
        ):
            with pytest.raises(SyncError) as told:
                ask()
            assert told.type is kind

    assert store.objects == {}


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_no_without_words_is_asked_for_its_words(tmp_path: Path, status: int) -> None:
    sent = item(tmp_path, SMALL)
    store = MemoryS3(faults=[always("HEAD", "", Said(status))])

    with reached(store, tmp_path) as station:
        with pytest.raises(Barred, match=str(status)):  # it lists: it is a store's no
            station.confirm(sent, Progress())
        store.faults.append(always("GET", "", error(403, "InvalidAccessKeyId")))
        with pytest.raises(Barred, match="InvalidAccessKeyId"):
            station.confirm(sent, Progress())
        store.faults.insert(0, always("GET", "", Said(403)))
        with pytest.raises(Unreachable, match="not as a store"):
            station.confirm(sent, Progress())


def test_a_404_in_xml_that_tells_no_id_counts_once_the_bucket_is_listed(
    tmp_path: Path,
) -> None:
    sent, said = item(tmp_path, SMALL), Said(404, {"content-type": "application/xml"})
    store = MemoryS3(faults=[always("HEAD", "", said)])

    with reached(store, tmp_path) as station:
        assert station.look(sent, Progress()) is None
        station.send(sent, Progress(), Memory())
        assert len(store.objects) == 1

        store.faults.append(always("GET", "list-type", error(404, "NoSuchBucket")))
        with pytest.raises(Barred, match="NoSuchBucket"):
            station.look(sent, Progress())
        store.faults.insert(0, always("GET", "list-type", Said(404)))
        with pytest.raises(Unreachable, match="not as a store"):
            station.look(sent, Progress())


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (error(404, "NoSuchBucket"), Barred),
        (error(403, "AccessDenied"), Barred),
        (error(400, "InvalidArgument"), Barred),
        (error(404, "NoSuchKey"), Barred),
        (error(500, "InternalError"), Unreachable),
        (Said(200, {}, b"welcome"), Portal),
        (Said(200, HTML, b"<html/>"), Portal),
        (Said(302, {"location": "http://p.example"}), Portal),
        (Said(503, {"retry-after": "3"}), Busy),
    ],
)
def test_a_probe_is_never_about_an_object(
    tmp_path: Path, said: Said, kind: type[SyncError]
) -> None:
    store = MemoryS3(faults=[always("GET", "list-type", said)])

    with reached(store, tmp_path) as station, pytest.raises(SyncError) as told:
        station.probe()

    assert told.type is kind


def test_what_a_store_says_is_one_line_that_can_be_printed(tmp_path: Path) -> None:
    message = "no\n22:43:32 INFO all is confirmed \x9b2J \u202e" + "x" * 5000
    body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    store = MemoryS3(faults=[always("GET", "", Said(403, NAMED, body.encode()))])

    with reached(store, tmp_path) as station, pytest.raises(Barred) as told:
        station.probe()

    assert "AccessDenied no 22:43:32" in str(told.value)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 300


def test_a_probe_is_one_small_question_about_our_own_prefix(tmp_path: Path) -> None:
    store = MemoryS3()

    with reached(store, tmp_path) as station:
        station.probe()

    assert [(a.method, a.path) for a in store.asked] == [
        ("GET", "/evidence?list-type=2&max-keys=1&prefix=station-1%2F")
    ]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        (
            {
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
                "retry-after": "Wed, 21 Oct 2026 07:30:00 GMT",
            },
            120.0,
        ),
        ({"retry-after": "9" * 5000}, 86_400.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_a_busy_store_says_how_long_to_wait(
    tmp_path: Path, headers: dict[str, str], seconds: float | None
) -> None:
    with (
        reached(lambda _: Said(503, headers), tmp_path) as station,
        pytest.raises(Busy) as told,
    ):
        station.probe()

    assert told.value.wait_s == seconds


def test_a_no_is_asked_for_once_where_the_clocks_agree(tmp_path: Path) -> None:
    store = MemoryS3(faults=[always("GET", "", error(403, "AccessDenied"))])

    with reached(store, tmp_path) as station, pytest.raises(Barred):
        station.probe()

    assert len(store.asked) == 1


def test_what_is_gone_with_the_next_try_is_not_told_of(tmp_path: Path) -> None:
    store = MemoryS3(faults=[once("HEAD", "", Said(500, NAMED))])

    with reached(store, tmp_path) as station:
        station.send(item(tmp_path, SMALL), Progress(), Memory())

    assert len(store.objects) == 1


def test_a_bucket_that_is_gone_makes_no_object_missing(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Said:
        return (
            Said(404, NAMED) if asked.method == "HEAD" else error(404, "NoSuchBucket")
        )

    sent = item(tmp_path, SMALL)
    with reached(answer, tmp_path) as station:
        with pytest.raises(Barred, match="NoSuchBucket"):
            station.confirm(sent, Progress())
        with pytest.raises(Barred, match="NoSuchBucket"):
            station.look(sent, Progress())


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://x",
        "nonsense",
        "http://",
        "http://[1",
        "http://x:99999",
        "http://a..b",
        "http://\u2603\u2603\udcff",
        "https://id:sesame@127.0.0.1",
    ],
)
def test_an_endpoint_that_cannot_be_one_bars_the_place(
    tmp_path: Path, endpoint: str
) -> None:
    station = Reach(endpoint, tmp_path).s3()

    with pytest.raises(Barred) as told:
        station.probe()

    station.close()
    assert "sesame" not in str(told.value)


def test_a_name_that_nobody_knows_is_told_in_words(tmp_path: Path) -> None:
    station = Reach("http://evidence.invalid", tmp_path).s3()

    with pytest.raises(Unreachable, match="cannot be looked up"):
        station.probe()

    station.close()


def test_a_refused_connection_is_told_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    station = Reach(f"http://127.0.0.1:{port}", tmp_path).s3()

    with pytest.raises(Unreachable, match="nothing listens") as told:
        station.send(item(tmp_path), Progress(), Memory())

    station.close()
    assert told.type is Unreachable


def test_words_that_are_not_ascii_are_no_crash(tmp_path: Path) -> None:
    told = error(400, "InvalidArgument", "\u00fc").body
    said = Said(400, {**NAMED, "x-note": "f\u00fcr \u00fc"}, told)
    store = MemoryS3(faults=[always("PUT", "", said)])

    with reached(store, tmp_path) as station, pytest.raises(Refused):
        station.send(item(tmp_path), Progress(), Memory())


def test_credentials_that_are_not_there_bar_the_place(tmp_path: Path) -> None:
    with reached(MemoryS3(), tmp_path) as station:
        next(tmp_path.glob("credentials-*")).unlink()

        with pytest.raises(Barred, match="credentials"):
            station.send(item(tmp_path), Progress(), Memory())


def test_an_answer_without_an_end_is_not_swallowed(tmp_path: Path) -> None:
    with (
        reached(lambda _: Said(200, {}, bytes(CAP + 1)), tmp_path) as station,
        pytest.raises(Unreachable, match="without an end"),
    ):
        station.probe()


@pytest.mark.parametrize(
    "page",
    [
        ENDLESS,
        b"<L><IsTruncated>true</IsTruncated></L>",
        b"<L><Part><PartNumber>" + b"9" * 5000 + b"</PartNumber></Part></L>",
        b'<?xml version="1.0" encoding="klingon"?><L/>',
        b"no list",
    ],
)
def test_a_list_of_parts_that_is_none_is_tried_again(
    tmp_path: Path, page: bytes
) -> None:
    store = MemoryS3(faults=[always("GET", "uploadId", Said(200, NAMED, page))])
    known = Progress("0:u", 1, (Acknowledged(1, "e"),))

    with reached(store, tmp_path) as station, pytest.raises(Unreachable):
        station.send(item(tmp_path, LARGE), known, Memory())


def test_evidence_that_is_called_a_page_is_no_portal(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL, "data/DCIM/index.html")

    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())
        for there in store.objects.values():
            there.headers["content-type"] = "text/html"
        told = station.confirm(sent, Progress())

    assert told is not None


def test_nothing_is_asked_for_in_a_packed_form(tmp_path: Path) -> None:
    store = MemoryS3()

    with reached(store, tmp_path) as station:
        station.probe()

    assert store.asked[0].headers["accept-encoding"] == "identity"
