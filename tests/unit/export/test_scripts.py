"""The page's own cryptography, by the vectors of its standards, in Node."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import dock_agent
from dock_agent.custody.signing import SigningKey

PARTS = Path(dock_agent.__file__).parent / "export/page"
ORDER = 2**252 + 27742317777372353535851937790883648493
SIZES = (0, 1, 55, 56, 63, 64, 65, 111, 112, 119, 120, 127, 128, 129, 1000, 65_537)
RFC_8032 = [  # 7.1: secret key, public key, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
            "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


def node(script: str, given: object) -> Any:
    """Run the page's parts and `script`, which answers with `given`'s fate, in JSON."""
    parts = "".join(
        (PARTS / name).read_text("utf-8") for name in ("sha.js", "ed25519.js")
    )
    source = f"const given = {json.dumps(given)};\n{parts}\n{UNHEX}\n{script}"
    done = subprocess.run(
        ["node", "-"], input=source, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


UNHEX = """
const bytes = (text) => (text.match(/../g) ?? []).map((byte) => parseInt(byte, 16));
const unhex = (text) => Uint8Array.from(bytes(text));
const answer = (thing) => console.log(JSON.stringify(thing));
"""
VERIFY = """
answer(given.map((all) => verifiedHere(...all.map(unhex))));
"""


def test_digests_are_those_of_every_other_program() -> None:
    texts = [hashlib.shake_256(b"%d" % size).digest(size) for size in SIZES]

    found = node(
        "answer(given.map((t) => [hex(sha256(unhex(t))), hex(sha512(unhex(t)))]));",
        [text.hex() for text in texts],
    )

    assert found == [
        [hashlib.sha256(text).hexdigest(), hashlib.sha512(text).hexdigest()]
        for text in texts
    ]


def test_pieces_of_any_size_have_the_digest_of_the_whole() -> None:
    script = """
    const whole = Uint8Array.from({ length: 1000 }, (_, n) => (n * 7) % 251);
    const found = [];
    for (let piece = 1; piece < 200; piece++) {
      const sum = new Sha256();
      for (let at = 0; at < 1000; at += piece) {
        sum.update(whole.subarray(at, at + piece));
      }
      found.push(hex(sum.digest()));
    }
    answer(found);
    """
    whole = bytes((n * 7) % 251 for n in range(1000))

    assert set(node(script, None)) == {hashlib.sha256(whole).hexdigest()}


def test_a_length_of_more_than_32_bits_is_in_the_digest() -> None:
    script = """
    const sum = new Sha256(), piece = new Uint8Array(given.piece);
    for (let n = 0; n < given.pieces; n++) sum.update(piece);
    answer(hex(sum.update(new Uint8Array(1)).digest()));
    """
    piece, pieces = 4 << 20, 128  # 2**29 bytes are 2**32 bits
    whole = hashlib.sha256()
    for _ in range(pieces):
        whole.update(bytes(piece))
    whole.update(bytes(1))

    found = node(script, {"piece": piece, "pieces": pieces})

    assert found == whole.hexdigest()


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_signatures_of_the_rfc_hold(
    secret: str, public: str, message: str, signature: str
) -> None:
    key = SigningKey.from_seed(bytes.fromhex(secret))
    assert key.public.raw.hex() == public

    assert node(VERIFY, [[public, signature, message]]) == [True]


def test_any_bit_that_is_another_spoils_a_signature() -> None:
    key = SigningKey.from_seed(bytes(32))
    message, signature = b"a list of files", key.sign(b"a list of files")
    public, cases = key.public.raw, []
    for at in range(0, 512, 7):
        bad = bytearray(signature)
        bad[at // 8] ^= 1 << at % 8
        cases.append([public.hex(), bytes(bad).hex(), message.hex()])
    cases += [[public.hex(), signature.hex(), (message + b"!").hex()]]
    cases += [[bytes(32).hex(), signature.hex(), message.hex()]]
    cases += [[b"\xff".hex() * 32, signature.hex(), message.hex()]]

    assert not any(node(VERIFY, cases))
    assert node(VERIFY, [[public.hex(), signature.hex(), message.hex()]]) == [True]


def test_a_signature_with_a_second_form_of_its_number_does_not_hold() -> None:
    """RFC 8032, 5.1.7: S is below the order; else each has a twin."""
    key = SigningKey.from_seed(bytes(32))
    signature = key.sign(b"x")
    number = int.from_bytes(signature[32:], "little") + ORDER
    twin = signature[:32] + number.to_bytes(32, "little")

    assert node(VERIFY, [[key.public.raw.hex(), twin.hex(), b"x".hex()]]) == [False]
