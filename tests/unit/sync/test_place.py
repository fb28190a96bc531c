"""Where a destination is: another place is another string, a new key is not."""

import json
from pathlib import Path

import msgspec
import pytest

from dock_agent.config import Config, Station, Store, Vault
from dock_agent.config_tables import Destination
from dock_agent.sync.place import place_of
from support.axis_server import KEY, USER, AxisServer

ONE, TWO = "http://127.0.0.1:8080/auth/v1.0", "http://127.0.0.2:8080/auth/v1.0"
FIRST = {"name": "d", "kind": "s3", "endpoint": "https://a", "bucket": "b"}
TUS = {"name": "d", "kind": "tus", "endpoint": "https://a/files"}


def config(folder: Path) -> Config:
    return Config(
        station=Station(id="a"),
        vault=Vault(path="v"),
        store=Store(path="s"),
        base=str(folder),
    )


def axis(folder: Path, **told: object) -> str | None:
    """Return where the place of a connection file is."""
    whole = AxisServer().connection(**{"AuthenticationTokenURI": [ONE], **told})
    path = folder / "connection.json"
    path.write_text(json.dumps(whole))
    table = Destination(name="d", kind="axis", connection_file=path.name)
    return place_of(config(folder), table)()


@pytest.mark.parametrize(
    "other",
    [
        {"AuthenticationTokenURI": [TWO]},
        {"AuthenticationTokenURI": [ONE, TWO]},
        {"AuthenticationTokenURI": [ONE + "?tenant=2"]},
        {"BlobAPIUserName": "another"},
    ],
)
def test_another_account_in_a_connection_file_is_another_place(
    tmp_path: Path, other: dict[str, object]
) -> None:
    assert axis(tmp_path, **other) != axis(tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        {"BlobAPIKey": "rotated"},
        {"ApplicationVersion": "9"},
        {"ContainerType": "mp4"},
        {"FullStoreAndReadSupport": False},
    ],
)
def test_what_does_not_say_where_leaves_the_place_as_it_was(
    tmp_path: Path, other: dict[str, object]
) -> None:
    assert axis(tmp_path, **other) == axis(tmp_path)


def test_the_order_of_the_addresses_of_one_place_says_nothing(tmp_path: Path) -> None:
    forth = axis(tmp_path, AuthenticationTokenURI=[ONE, TWO])

    assert axis(tmp_path, AuthenticationTokenURI=[TWO, ONE]) == forth


def test_a_connection_file_that_was_moved_leads_to_the_same_place(
    tmp_path: Path,
) -> None:
    (tmp_path / "elsewhere").mkdir()

    assert axis(tmp_path / "elsewhere") == axis(tmp_path)


def test_what_is_said_of_a_place_can_be_read_and_has_no_secret_in_it(
    tmp_path: Path,
) -> None:
    told = axis(tmp_path, AuthenticationTokenURI=[ONE + "?signature=hush"])

    assert told is not None
    assert told.startswith(ONE)
    assert not any(secret in told for secret in (KEY, USER, "hush"))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_of_a_connection_file_that_is_not_sound_no_place_is_known(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "connection.json").write_bytes(content)
    table = Destination(name="d", kind="axis", connection_file="connection.json")

    assert place_of(config(tmp_path), table)() is None


def test_a_connection_file_that_is_exchanged_is_noticed(tmp_path: Path) -> None:
    before = axis(tmp_path)
    table = Destination(name="d", kind="axis", connection_file="connection.json")
    where = place_of(config(tmp_path), table)
    assert where() == before

    axis(tmp_path, BlobAPIUserName="another")

    assert where() not in {before, None}


@pytest.mark.parametrize(
    ("table", "other"),
    [
        *((FIRST, {key: f"{FIRST[key]}2"}) for key in ("endpoint", "bucket")),
        (FIRST, {"prefix": "p/"}),
        (TUS, {"endpoint": "https://b/files"}),
        (TUS, {"prefix": "p/"}),
        (TUS, {"addressing": "path", "read_endpoint": "https://a"}),
        ({"name": "d", "kind": "directory", "path": "one"}, {"path": "two"}),
    ],
)
def test_another_address_is_another_place(
    tmp_path: Path, table: dict[str, str], other: dict[str, str]
) -> None:
    tables = (table, {**table, **other})
    one, two = (msgspec.convert(each, Destination) for each in tables)

    assert place_of(config(tmp_path), one)() != place_of(config(tmp_path), two)()
