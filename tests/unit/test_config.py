from pathlib import Path

import pytest

from dock_agent.config import ENVIRONMENT, load, locate, parse
from dock_agent.errors import ConfigError

SMALLEST = """
[station]
id = "harbour-1"
timezone = "Europe/London"

[vault]
path = "vault"

[store]
path = "/var/lib/dock-agent/store.db"

[[bays]]
name = "1"
port = "pci-0000:00:14.0-usb-0:1.2"

[[destinations]]
name = "main"
kind = "directory"
path = "nas"
"""
BASE = Path("/srv/station")
BOTH = 'cached = "accept"\nproof = "read-back"'


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, base=BASE)
    return str(caught.value)


def test_relative_paths_start_at_the_file() -> None:
    config = parse(SMALLEST, base=BASE)

    assert config.vault_path == BASE / "vault"
    assert config.store_path == Path("/var/lib/dock-agent/store.db")


def test_nothing_is_erased_unless_the_file_says_so() -> None:
    assert parse(SMALLEST, base=BASE).release.erase == "never"


FOLDER = SMALLEST.replace('port = "pci-0000:00:14.0-usb-0:1.2"', 'folder = "bays/1"')
ERASE = '\n[release]\nerase = "after_verified"\n'


def test_usb_bays_and_folders_may_be_cleared() -> None:
    for text in (SMALLEST, FOLDER):
        assert parse(text + ERASE, base=BASE).release.erase == "after_verified"


def test_a_vault_that_may_be_memory_is_no_ground_for_an_erase() -> None:
    text = FOLDER.replace("[vault]", '[vault]\ncached = "accept"')

    assert "read back from the medium" in refusal(text + ERASE)


def test_an_erase_after_confirmation_needs_a_destination() -> None:
    text = FOLDER.split("[[destinations]]", maxsplit=1)[0]
    text += ERASE.replace("verified", "confirmed")

    assert "needs a destination" in refusal(text)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ('timezome = "UTC"', "did you mean `timezone`"),
        ("zzz = 1", "unknown key `zzz`"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(wrong: str, says: str) -> None:
    text = SMALLEST.replace('timezone = "Europe/London"', wrong)

    assert says in refusal(text)


def test_an_unknown_key_in_a_list_names_the_nearest_known_one() -> None:
    text = SMALLEST.replace('port = "pci', 'prot = "pci')

    assert "did you mean `port`" in refusal(text)


def test_an_unknown_table_names_the_nearest_known_one() -> None:
    assert "did you mean `vault`" in refusal(SMALLEST.replace("[vault]", "[valut]"))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('port = "pci-0000:00:14.0-usb-0:1.2"', "", "needs a port or a folder"),
        ('"Europe/London"', '"Mars/Olympus"', "Mars/Olympus"),
        ('path = "nas"', "", "needs `path`"),
        ('kind = "directory"', 'kind = "s3"', "needs `endpoint`"),
        ('path = "nas"', 'path = "nas"\n' + BOTH, "choose one"),
        ('id = "harbour-1"', 'id = "Harbour 1"', "station.id"),
        ('id = "harbour-1"', "id = 7", "station.id"),
        ("[station]", "[station", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_words(before: str, after: str, says: str) -> None:
    assert says in refusal(SMALLEST.replace(before, after))


def test_two_bays_of_one_name_are_refused() -> None:
    twice = SMALLEST + '\n[[bays]]\nname = "1"\nfolder = "bays/1"\n'

    assert "bay `1` is there twice" in refusal(twice)


@pytest.mark.parametrize(
    "listen",
    ["127.0.0.1:0", "127.0.0.1:8480", "[::1]:65535", "station:80", "unix:web.sock"],
)
def test_the_page_listens_on_an_address_and_a_port_or_a_socket(listen: str) -> None:
    config = parse(f'{SMALLEST}\n[web]\nlisten = "{listen}"\n', base=BASE)

    assert config.web.listen == listen


@pytest.mark.parametrize(
    "listen",
    ["127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x", "127.0.0.1:", "8480", ":80",
     "127.0.0.1:٣", "unix:", ""],
)  # fmt: skip
def test_a_page_that_could_listen_nowhere_is_refused(listen: str) -> None:
    said = refusal(f'{SMALLEST}\n[web]\nlisten = "{listen}"\n')

    assert f"[web] listen = '{listen}'" in said
    assert "address:port" in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load(tmp_path / "absent.toml")


def test_the_environment_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "/srv/station/dock.toml")

    assert locate(None) == Path("/srv/station/dock.toml")
    assert locate(Path("given.toml")) == Path("given.toml")
