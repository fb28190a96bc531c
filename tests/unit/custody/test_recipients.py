"""Public keys of recipients, and the orders that their holders sign."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dock_agent import dock_decrypt
from dock_agent.custody import recipients
from dock_agent.custody.recipients import NoOrder, order, parse, signer
from dock_agent.errors import ConfigError
from support.sealed import keys, recipient

PROFILES = ("default", "fips", "rsa")
ASKED = order("bench", "01JD")


def signed(profile: str, text: bytes = ASKED, number: int = 0) -> bytes:
    key = dock_decrypt.private(keys(profile, number)[0])
    text += f"recipient: {key.id}\n".encode()
    return text + b"signature: " + base64.b64encode(key.sign(text)) + b"\n"


def pem(*made: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return b"".join(
        key.public_key().public_bytes(serialization.Encoding.PEM, form) for key in made
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_both_programs_call_a_recipient_the_same(profile: str) -> None:
    private, public = keys(profile)

    assert parse(public).id == dock_decrypt.private(private).id
    assert parse(public).kind == recipients.PROFILES[profile]


def test_a_private_file_is_no_recipient() -> None:
    with pytest.raises(ConfigError):
        parse(keys("default")[0])


def test_one_key_too_few_or_out_of_order_is_no_recipient() -> None:
    blocks = recipients.BLOCK.findall(keys("default")[1])

    for wrong in (blocks[:2], blocks[::-1], [*blocks, blocks[0]], []):
        with pytest.raises(ConfigError):
            parse(b"".join(wrong))


def test_weak_keys_are_refused() -> None:
    short = rsa.generate_private_key(65537, 2048)
    curve = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(ConfigError, match="too short"):
        parse(pem(short, short))
    with pytest.raises(ConfigError, match="P-384"):
        parse(pem(curve, curve))


@pytest.mark.parametrize("profile", PROFILES)
def test_an_order_that_a_recipient_signed_is_one(profile: str) -> None:
    told = signer(signed(profile), ASKED, [recipient(one) for one in PROFILES])

    assert told == recipient(profile).id


@pytest.mark.parametrize("profile", PROFILES)
def test_an_order_with_any_byte_changed_is_none(profile: str) -> None:
    good = signed(profile)

    for at in range(0, len(good) - 3, 3):
        bad = bytearray(good)
        bad[at] ^= 1
        with pytest.raises(NoOrder):
            signer(bytes(bad), ASKED, [recipient(profile)])


def test_an_order_that_no_recipient_signed_is_none() -> None:
    with pytest.raises(NoOrder, match="no recipient"):
        signer(signed("default", number=1), ASKED, [recipient("default")])


def test_an_order_for_another_station_or_an_earlier_time_is_none() -> None:
    for other in (order("other", "01JD"), order("bench", "01JC")):
        with pytest.raises(NoOrder, match="earlier time"):
            signer(signed("default", other), ASKED, [recipient("default")])


@pytest.mark.parametrize("text", [b"", ASKED, ASKED + b"signature: \n"])
def test_what_nobody_signed_is_no_order(text: bytes) -> None:
    with pytest.raises(NoOrder):
        signer(text, ASKED, [recipient("default")])
