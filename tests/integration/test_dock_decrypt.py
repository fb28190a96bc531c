"""The program that agencies have: a lone file, in a process of its own."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dock_agent import dock_decrypt
from dock_agent.custody.recipients import order, parse, signer
from support.sealed import encrypted, keys, opened, recipient, wrapped

VECTORS = json.loads(
    (Path(__file__).parents[2] / "docs/encryption-vectors.json").read_text("utf-8")
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The file alone, where nothing else of the project is."""
    return Path(shutil.copy(dock_decrypt.__file__, tmp_path / "dock-decrypt.py"))


def run(program: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", program, *map(str, words)],
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("profile", dock_decrypt.PROFILES)
def test_a_key_is_made_a_file_is_encrypted_to_it_and_opened(
    program: Path, profile: str
) -> None:
    told = run(program, "new-key", profile, "agency")
    public = program.with_name("agency.pub").read_bytes()
    program.with_name("clip.enc").write_bytes(encrypted(b"footage", parse(public)))

    done = run(program, "open", "clip.enc", "--key", "agency.key", "--to", "clip")

    assert told.returncode == done.returncode == 0, told.stderr + done.stderr
    assert program.with_name("clip").read_bytes() == b"footage"
    assert done.stdout == f"{hashlib.sha256(b'footage').hexdigest()}  clip\n"
    assert program.with_name("agency.key").stat().st_mode & 0o777 == 0o600
    assert run(program, "show", "clip.enc").stdout == f"{parse(public).id}\n"


def test_what_is_not_whole_gets_no_name_and_leaves_nothing(program: Path) -> None:
    program.with_name("key").write_bytes(keys("default")[0])
    file = encrypted(bytes(3 << 20), recipient("default"))
    program.with_name("clip.enc").write_bytes(file[:-1])
    before = set(program.parent.iterdir())

    done = run(program, "open", "clip.enc", "--key", "key", "--to", "clip")

    assert done.returncode == 1
    assert done.stderr == ("dock-decrypt: it is not what was encrypted, or not whole\n")
    assert set(program.parent.iterdir()) == before


def test_a_file_that_is_there_is_not_replaced(program: Path) -> None:
    program.with_name("key").write_bytes(keys("default")[0])
    program.with_name("clip.enc").write_bytes(encrypted(b"new", recipient("default")))
    program.with_name("clip").write_bytes(b"old")

    done = run(program, "open", "clip.enc", "--key", "key", "--to", "clip")

    assert done.returncode == 1
    assert program.with_name("clip").read_bytes() == b"old"


def test_openssl_unwraps_what_an_hsm_would_and_the_rest_follows(program: Path) -> None:
    first = keys("rsa")[0].split(b"-----BEGIN", 2)[1]
    program.with_name("card.pem").write_bytes(b"-----BEGIN" + first)
    program.with_name("clip.enc").write_bytes(encrypted(b"footage", recipient("rsa")))

    run(program, "wrapped", "clip.enc", recipient("rsa").id, "--to", "wrapped")
    oaep = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")
    options = [word for option in oaep for word in ("-pkeyopt", option)]
    files = ("-inkey", "card.pem", "-in", "wrapped", "-out", "data-key")
    subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", *options, *files],
        cwd=program.parent,
        check=True,
    )
    done = run(program, "open", "clip.enc", "--data-key", "data-key", "--to", "clip")

    assert done.returncode == 0, done.stderr
    assert program.with_name("clip").read_bytes() == b"footage"


def test_an_order_that_it_signs_is_one_for_the_station(program: Path) -> None:
    program.with_name("key").write_bytes(keys("fips")[0])
    asked = order("bench", "01JD")
    program.with_name("order").write_bytes(asked)

    done = run(program, "sign-order", "order", "--key", "key")
    again = run(program, "sign-order", "order", "--key", "key")

    assert (done.returncode, again.returncode) == (0, 1)
    told = program.with_name("order").read_bytes()
    assert signer(told, asked, [recipient("fips")]) == recipient("fips").id


@pytest.mark.parametrize("number", range(len(VECTORS["files"])))
def test_the_published_vectors_open_with_each_of_their_keys(number: int) -> None:
    told = VECTORS["files"][number]
    private = {one["id"]: one["private"].encode() for one in VECTORS["recipients"]}
    phrase, file = VECTORS["phrase"].encode(), base64.b64decode(told["encrypted"])
    plain = (phrase * (told["size"] // len(phrase) + 1))[: told["size"]]

    for ident in told["to"]:
        assert wrapped(file, ident)
        assert opened(file, private[ident]) == plain
    assert hashlib.sha256(plain).hexdigest() == told["sha256"]
