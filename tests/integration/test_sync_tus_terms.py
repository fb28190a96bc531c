"""A tus gateway's receipts, its token, its mark, and what the configuration says."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent import config
from dock_agent.clock import SystemClock
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import Barred, ConfigError, FixityError, NotTaken, Unreachable
from dock_agent.recording import Proof
from dock_agent.sync.destination import Progress
from dock_agent.sync.tus.client import Addressing, Site
from dock_agent.sync.tus.destination import MARKER, Tus, open_tus
from dock_agent.sync.tus.receipt import Receipts
from dock_agent.sync.tus.words import Upload
from support.place_tus import tus
from support.sending import Memory, file, item
from support.tus_gateway import Gateway, Said, gateway

SHORT = 1000
KEY = SigningKey.from_seed(bytes(32))
ANOTHER = SigningKey.from_seed(bytes(31) + b"x")


@pytest.fixture
def there() -> Iterator[Gateway]:
    with gateway() as made:
        yield made


@pytest.fixture
def station(there: Gateway) -> Iterator[Tus]:
    """Yield a client that knows the key of the gateway's receipts."""
    site = Site(there.endpoint, "harbour-1/")
    with closing(tus(site, receipts=Receipts(KEY.public))) as made:
        yield made


@pytest.fixture
def by_path(there: Gateway) -> Iterator[Tus]:
    with closing(tus(path_site(there))) as made:
        yield made


def path_site(there: Gateway) -> Site:
    return Site(f"{there.url}/.tus", "harbour-1/", Addressing.PATH, there.url)


@pytest.mark.parametrize("signs_at", [("PATCH",), ("HEAD",), ("PATCH", "HEAD")])
def test_a_signed_receipt_confirms_right_after_sending(
    there: Gateway, station: Tus, tmp_path: Path, signs_at: tuple[str, ...]
) -> None:
    there.key, there.signs_at, there.shows = KEY, signs_at, False
    sent = item(tmp_path, SHORT)

    done = station.send(sent, Progress(), Memory())
    told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert (told.proof, told.digest) == (Proof.ECHOED, sent.digest)
    assert there.count("GET") == 0


def test_a_receipt_counts_where_the_upload_is_forgotten_at_once(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key, there.forgets = KEY, True
    sent = item(tmp_path, SHORT)

    done = station.send(sent, Progress(), Memory())
    told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof is Proof.ECHOED


@pytest.mark.parametrize("returned", [True, False])
def test_an_old_receipt_for_an_upload_that_is_gone_is_not_believed(
    there: Gateway, station: Tus, tmp_path: Path, *, returned: bool
) -> None:
    there.key = KEY
    sent, memory = item(tmp_path, SHORT), Memory()
    done = station.send(sent, Progress(), memory)
    there.uploads.clear()

    again = station.send(sent, done if returned else memory.newest, Memory())
    told = station.confirm(sent, again, sent=True)

    assert there.count("POST") == 2
    assert told is not None
    assert there.uploads["/uploads/0"].data == file(sent).read_bytes()


def test_a_receipt_is_not_remembered(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key = KEY
    sent, memory = item(tmp_path, SHORT), Memory()
    station.send(sent, Progress(), memory)
    there.uploads.clear()

    assert station.confirm(sent, memory.newest, sent=True) is None


def test_a_receipt_that_is_given_again_for_what_is_there_counts(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key, there.shows = KEY, False
    sent, memory = item(tmp_path, SHORT), Memory()
    station.send(sent, Progress(), memory)

    again = station.send(sent, memory.newest, Memory())
    told = station.confirm(sent, again, sent=True)

    assert told is not None
    assert told.proof is Proof.ECHOED
    assert there.count("POST") == 1


def test_a_receipt_of_then_says_nothing_about_now(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key = KEY
    sent = item(tmp_path, SHORT)
    done = station.send(sent, Progress(), Memory())
    shown = station.confirm(sent, done)
    there.uploads.clear()

    assert shown is not None
    assert shown.proof is Proof.READ_BACK
    assert station.confirm(sent, done) is None


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"key": "harbour-1/another"}, "a receipt for 'harbour-1/another'"),
        ({"size": SHORT - 1}, "999 bytes of 1000"),
        ({"sha256": "0" * 64}, "other bytes than were sent"),
    ],
)
def test_a_receipt_for_anything_else_is_not_taken(
    there: Gateway, station: Tus, tmp_path: Path, claims: dict[str, object], words: str
) -> None:
    there.key, there.receipts = KEY, claims
    sent = item(tmp_path, SHORT)
    done = station.send(sent, Progress(), Memory())

    with pytest.raises(NotTaken, match=words):
        station.confirm(sent, done, sent=True)


@pytest.mark.parametrize("text", ["no receipt", "", "a.b"])
def test_what_is_no_receipt_bars_the_place(
    there: Gateway, station: Tus, tmp_path: Path, text: str
) -> None:
    sent = item(tmp_path, SHORT)
    told = {"upload-offset": str(SHORT), "upload-receipt": text}
    there.says["PATCH"] = [Said(204, told)]
    done = station.send(sent, Progress(), Memory())

    with pytest.raises(Barred, match="receipt"):
        station.confirm(sent, done, sent=True)


def test_another_gateways_receipt_bars_the_place(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key = ANOTHER
    sent = item(tmp_path, SHORT)
    done = station.send(sent, Progress(), Memory())

    with pytest.raises(Barred, match="is this the right place"):
        station.confirm(sent, done, sent=True)


def test_a_body_that_was_changed_gets_a_receipt_that_says_so_and_goes_again(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key, there.flips = KEY, True
    sent = item(tmp_path, SHORT)
    done = station.send(sent, Progress(), Memory())
    with pytest.raises(NotTaken, match="other bytes"):
        station.confirm(sent, done, sent=True)
    there.flips = False

    after = station.send(sent, done, Memory())

    assert after.generation == done.generation + 1
    assert station.confirm(sent, after, sent=True) is not None


def test_our_own_file_is_looked_at_before_a_gateway_is_blamed(
    there: Gateway, station: Tus, tmp_path: Path
) -> None:
    there.key, there.flips = KEY, True
    sent = item(tmp_path, SHORT)
    done = station.send(sent, Progress(), Memory())
    file(sent).write_bytes(bytes(SHORT))

    with pytest.raises(FixityError):
        station.confirm(sent, done, sent=True)
    with pytest.raises(FixityError):
        station.confirm(sent, done)


def test_a_receipt_without_a_key_to_check_it_is_no_proof(
    there: Gateway, tmp_path: Path
) -> None:
    there.key, there.shows = KEY, False
    sent = item(tmp_path, SHORT)
    with closing(tus(Site(there.endpoint))) as station:
        done = station.send(sent, Progress(), Memory())

        assert station.confirm(sent, done, sent=True) is None


def test_a_check_says_that_receipts_are_what_it_goes_by(
    there: Gateway, station: Tus
) -> None:
    there.key, there.shows = KEY, False

    assert station.check() == "writable; it signs receipts, it checks nothing"
    assert there.uploads == {}


@pytest.mark.parametrize("habit", ["forgets", "flips"])
def test_a_place_that_proves_nothing_is_barred_before_anything_is_sent(
    there: Gateway, station: Tus, habit: str
) -> None:
    there.flips, there.forgets = habit == "flips", habit == "forgets"

    with pytest.raises(Barred, match="could be confirmed"):
        station.check()


def test_a_check_says_what_it_could_not_take_away(there: Gateway, station: Tus) -> None:
    there.options = {"tus-version": "1.0.0", "tus-extension": "creation"}

    said = station.check()

    assert said.startswith("writable; ")
    assert "; it keeps harbour-1/.probe-" in said


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(204), Barred),
        (Said(204, {"tus-version": "0.2.2,2.0.0"}), Barred),
        (Said(404), Barred),
        (Said(405), Barred),
        (Said(403), Barred),
        (Said(500), Unreachable),
    ],
)
def test_a_probe_finds_out_whether_tus_is_spoken_there(
    there: Gateway, station: Tus, said: Said, kind: type[Exception]
) -> None:
    there.says["OPTIONS"] = [said] * 3

    with pytest.raises(kind) as told:
        station.probe()

    assert told.type is kind


def test_a_token_is_shown_with_every_request_and_read_again_when_it_changes(
    there: Gateway, tmp_path: Path
) -> None:
    token, sent = tmp_path / "token", item(tmp_path, SHORT)
    token.write_text("first\n")
    with closing(tus(Site(there.endpoint), token)) as station:
        done = station.send(sent, Progress(), Memory())
        token.write_text("second-one\n")
        station.confirm(sent, done)
        station.probe()

    shown = [each.headers.get("authorization") for each in there.asked]
    assert shown == ["Bearer first"] * 2 + ["Bearer second-one"] * 2


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff", "é".encode()])
def test_a_token_that_is_none_bars_us_and_is_not_repeated(
    there: Gateway, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with closing(tus(Site(there.endpoint), tmp_path / "token")) as station:
        with pytest.raises(Barred) as told:
            station.probe()

        assert "two words" not in str(told.value)
    assert there.asked == []


@pytest.mark.parametrize(
    "location", ["http://elsewhere.example/files/1", "https://127.0.0.1/files/1"]
)
def test_an_upload_on_another_host_is_not_given_our_token(
    there: Gateway, station: Tus, tmp_path: Path, location: str
) -> None:
    there.location = location

    with pytest.raises(Barred, match="scheme and host"):
        station.send(item(tmp_path, SHORT), Progress(), Memory())


def test_an_upload_that_was_begun_at_another_endpoint_is_begun_again(
    station: Tus, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    known = Progress(Upload("http://elsewhere.example/files/1").handle(), 1)

    done = station.send(sent, known, Memory())

    assert done.generation == 2
    assert station.confirm(sent, done) is not None


def test_a_collection_cannot_be_marked(there: Gateway, station: Tus) -> None:
    station.mark("one")

    assert station.marker() is None
    assert there.asked == []


def test_a_place_that_is_marked_as_another_is_left_alone(
    there: Gateway, by_path: Tus
) -> None:
    there.objects[f"harbour-1/{MARKER}"] = b'{"id": "another"}'

    with pytest.raises(Barred, match="marked as another"):
        by_path.mark("one")

    assert by_path.marker() == "another"


@pytest.mark.parametrize("mark", [b"", b"[]", b"{}", b"\xff", b'"id"'])
def test_a_mark_that_says_nothing_is_somebody_elses(
    there: Gateway, by_path: Tus, mark: bytes
) -> None:
    there.objects[f"harbour-1/{MARKER}"] = mark

    with pytest.raises(Barred, match="no mark"):
        by_path.marker()


def test_by_path_what_is_there_and_not_shown_is_left_alone(
    there: Gateway, by_path: Tus, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    there.objects[f"harbour-1/{sent.key}"] = bytes(SHORT)
    there.says["GET"] = [Said(405)]

    with pytest.raises(NotTaken, match="not shown"):
        by_path.send(sent, Progress(), Memory())

    assert there.count("POST") == 0


Table = Callable[[str], config.Config]


@pytest.fixture
def configured(there: Gateway, tmp_path: Path) -> Table:
    """Make a configuration whose one destination has these lines, too."""

    def made(lines: str) -> config.Config:
        text = f"""
[station]
id = "harbour-1"
[vault]
path = "vault"
[store]
path = "store.db"
[[destinations]]
name = "main"
kind = "tus"
endpoint = "{there.endpoint}"
prefix = "harbour-1/"
{lines}
"""
        return config.parse(text, base=tmp_path)

    return made


def test_the_configuration_names_files_by_its_own_directory(
    there: Gateway, configured: Table, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "receipts.pem").write_bytes(KEY.public.pem())
    there.key, there.shows = KEY, False
    whole = configured('token_file = "token"\nreceipt_key_file = "receipts.pem"')
    sent = item(tmp_path, SHORT)

    with closing(open_tus(whole, whole.destinations[0], SystemClock())) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert there.asked[0].headers["authorization"] == "Bearer secret"
    assert there.uploads["/uploads/0"].name == f"harbour-1/{sent.key}"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('addressing = "path"', "needs `read_endpoint`"),
        ('receipt_key_file = "nowhere.pem"', "receipt key"),
    ],
)
def test_a_table_that_could_do_harm_is_said_at_the_start(
    configured: Table, lines: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        opened(configured, lines)


def opened(configured: Table, lines: str) -> Tus:
    whole = configured(lines)
    return open_tus(whole, whole.destinations[0], SystemClock())


def test_by_path_the_configuration_says_where_objects_are_fetched(
    there: Gateway, configured: Table, tmp_path: Path
) -> None:
    whole = configured(f'addressing = "path"\nread_endpoint = "{there.url}"')
    table = whole.destinations[0]
    sent = item(tmp_path, SHORT)

    with closing(open_tus(whole, table, SystemClock())) as station:
        done = station.send(sent, Progress(), Memory())

        assert there.asked[-2].path.startswith("/files/harbour-1/dockings/")
        assert done.sent == SHORT
