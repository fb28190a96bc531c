"""The role, rendered by Ansible itself, and read by who will read it there."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dock_agent.config import Config, parse

ROOT = Path(__file__).parent.parent.parent
ROLE = ROOT / "ansible/roles/dock_agent"
EXAMPLE = ROOT / "ansible/inventory.example.yml"
UNITS = ("dock-agent", "dock-sync", "dock-web")
ODD = 'we "said" \\n ü 😀 # {x} %h/'
UNIX = "unix:/run/dock-web/page.sock"


def play(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "ANSIBLE_HOME": str(home / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_ROLES_PATH": str(ROLE.parent),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def render(home: Path, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Render the example station, with some variables changed, into `home`."""
    # The units name commands, and systemd looks whether those are there.
    current = home / "prefix/current"
    current.mkdir(parents=True)
    (current / "venv").symlink_to(sys.prefix)
    given = variables | {
        "out": str(home),
        "role_templates": str(ROLE / "templates"),
        "dock_agent_prefix": str(home / "prefix"),
        "ansible_python_interpreter": sys.executable,
    }
    return play(
        home,
        f"--inventory={EXAMPLE}",
        "--connection=local",
        f"--extra-vars={json.dumps(given)}",
        str(Path(__file__).with_name("render.yml")),
    )


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("example")
    done = render(home)
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station with strange words, no destination but a share, a page on a socket."""
    home = tmp_path_factory.mktemp("odd")
    share = {"name": "nas", "kind": "directory", "path": "/mnt/nas", "prefix": ODD}
    done = render(
        home,
        dock_agent_destinations=[share],
        dock_agent_credentials={},
        dock_agent_web={"listen": UNIX, "distance_m": 2.5},
        dock_agent_encryption={"recipients": ["/etc/agency.pub"]},
        dock_agent_timestamp={"url": "http://time.example/", "ca_file": "/etc/ca.pem"},
        dock_agent_categories=[{"name": "traffic", "keep_days": 30}],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def configuration(home: Path) -> Config:
    return parse((home / "dock-agent.toml").read_text("utf-8"), base=home)


def settings(home: Path, unit: str) -> Mapping[str, list[str]]:
    """Return what a unit sets: each key with its values in their order."""
    found: dict[str, list[str]] = {}
    for line in (home / f"{unit}.service").read_text("utf-8").splitlines():
        key, given, value = line.partition("=")
        if given and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def families(home: Path, unit: str) -> set[str]:
    return set(" ".join(settings(home, unit)["RestrictAddressFamilies"]).split())


def test_ansible_understands_the_playbook_and_warns_of_nothing(tmp_path: Path) -> None:
    site = str(ROOT / "ansible/site.yml")

    done = play(tmp_path, "--syntax-check", f"--inventory={EXAMPLE}", site)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_is_a_configuration_of_ours(example: Path) -> None:
    config = configuration(example)

    assert config.station.id == "north-1"
    assert config.vault.reserve_bytes == 20_000_000_000
    assert config.bay_names() == ("1", "2")
    assert [d.name for d in config.destinations] == ["archive", "nas"]
    windows = [(w.days, w.begin, w.end) for w in config.destinations[0].windows]
    assert windows == [("mon-fri", "20:00", "06:00"), ("sat,sun", "00:00", "23:59")]


def test_encryption_stamps_and_categories_are_there_where_they_are_given_only(
    example: Path, odd: Path
) -> None:
    given, plain = configuration(odd), configuration(example)

    assert (plain.encryption, plain.timestamp, plain.categories) == (None, None, ())
    assert given.encryption is not None
    assert given.encryption.recipients == ("/etc/agency.pub",)
    assert given.timestamp is not None
    assert given.timestamp.ca_file == "/etc/ca.pem"
    assert [(c.name, c.keep_days) for c in given.categories] == [("traffic", 30)]


def test_every_table_of_the_configuration_has_a_variable(example: Path) -> None:
    given = tomllib.loads((example / "dock-agent.toml").read_text("utf-8"))

    # Empty ones of these would be none: they are written only where they are given.
    optional = {"base", "encryption", "timestamp", "categories"}
    assert given.keys() == set(Config.__struct_fields__) - optional


def test_what_the_inventory_says_the_program_reads_to_the_letter(odd: Path) -> None:
    config = configuration(odd)

    assert config.destinations[0].prefix == ODD
    assert config.web.listen == UNIX
    assert config.web.distance_m == 2.5


@pytest.mark.parametrize("station", ["example", "odd"])
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(
    station: str, unit: str, request: pytest.FixtureRequest
) -> None:
    home = request.getfixturevalue(station)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", home / f"{unit}.service"],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in done.stderr.splitlines() if "dock-" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_calls_the_unit_little_exposed(example: Path, unit: str) -> None:
    file = example / f"{unit}.service"

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=15", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_agent_has_no_network_and_still_hears_udev(example: Path) -> None:
    unit = settings(example, "dock-agent")

    assert families(example, "dock-agent") == {"AF_UNIX", "AF_NETLINK"}
    assert unit["IPAddressDeny"] == ["any"]
    assert unit.keys().isdisjoint({"PrivateNetwork", "PrivateUsers"})


def test_the_agent_may_read_past_a_card_s_modes_and_the_others_may_not(
    example: Path,
) -> None:
    more = {u: settings(example, u)["CapabilityBoundingSet"] for u in UNITS}
    given = {u: settings(example, u).get("AmbientCapabilities") for u in UNITS}

    read = "CAP_DAC_READ_SEARCH"
    assert more == {"dock-agent": ["", read], "dock-sync": [""], "dock-web": [""]}
    assert given == {"dock-agent": [read], "dock-sync": None, "dock-web": None}


@pytest.mark.parametrize(
    "name",
    [
        "dock-mount@.service",
        "dock-mount-failed@.service",
        "dock-erase@.service",
        "dock-erase@.path",
    ],
)
def test_systemd_accepts_the_units_that_have_cameras_mounted(
    tmp_path: Path, name: str
) -> None:
    for other in (ROOT / "systemd").glob("dock-*@.*"):
        text = other.read_text("utf-8")
        # What it runs is not installed here.
        text = text.replace("/usr/local/lib/dock-agent/dock-erase", "/bin/true")
        (tmp_path / other.name.replace("@", "@1-7.1")).write_text(text, "utf-8")
    unit = tmp_path / name.replace("@", "@1-7.1")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in done.stderr.splitlines() if "dock-" in line]
    assert (done.returncode, ours) == (0, [])


def test_only_dock_sync_speaks_to_others(example: Path, odd: Path) -> None:
    denied = {u: settings(example, u).get("IPAddressDeny") for u in UNITS}

    assert denied == {"dock-agent": ["any"], "dock-sync": None, "dock-web": ["any"]}
    assert settings(example, "dock-web")["IPAddressAllow"] == ["localhost"]
    assert families(odd, "dock-web") == {"AF_UNIX"}


def test_only_dock_sync_is_given_the_credentials_where_it_looks(example: Path) -> None:
    given = {u: settings(example, u).get("LoadCredential", []) for u in UNITS}
    archive = configuration(example).destinations[0]

    source = "archive:/etc/dock-agent/credentials/archive"
    assert given == {"dock-agent": [], "dock-sync": [source], "dock-web": []}
    assert archive.credentials_file == "/run/credentials/dock-sync.service/archive"


def test_each_service_is_a_user_of_its_own(example: Path) -> None:
    assert {u: settings(example, u)["User"] for u in UNITS} == {
        "dock-agent": ["dock"],
        "dock-sync": ["dock-sync"],
        "dock-web": ["dock-web"],
    }


def test_each_service_writes_only_what_it_has_to(example: Path) -> None:
    keys, state, vault = "/var/lib/dock-agent/keys", "/var/lib/dock-agent", "/srv/dock"

    written = {u: settings(example, u).get("ReadWritePaths", []) for u in UNITS}

    assert written == {
        "dock-agent": [f"{vault}/vault {state} {keys}"],
        "dock-sync": [state, "-/mnt/evidence"],
        "dock-web": [],
    }
    for unit in UNITS:
        assert settings(example, unit)["ProtectSystem"] == ["strict"]
    for unit in ("dock-sync", "dock-web"):
        assert keys in settings(example, unit)["InaccessiblePaths"][0].split()


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_that_ends_is_started_again_forever(example: Path, unit: str) -> None:
    found = settings(example, unit)

    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/srv/%h", "write it from the root, in letters, digits"),
        ("/var/lib/dock-agent", "each need a directory of their own"),
    ],
    ids=["specifier", "shared"],
)
def test_a_path_that_would_mislead_is_refused_before_anything_is_written(
    tmp_path: Path, path: str, sentence: str
) -> None:
    done = render(tmp_path, dock_agent_vault={"path": path})

    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
    assert not (tmp_path / "dock-agent.toml").exists()
