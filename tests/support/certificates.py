"""Certificates for servers on loopback: good ones, and such as no one should trust."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in one PEM file, with the one that it rests on."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    def write(self, path: Path) -> Path:
        """Write both, and return the path."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(key + self.certificate.public_bytes(Encoding.PEM))
        return path


def authority(name: str = "authority") -> Pair:
    """Return an authority's own."""
    return _made(name, None, is_authority=True)


def issued(
    by: Pair | None,
    address: str = "127.0.0.1",
    begin: timedelta = -DAY,
    end: timedelta = DAY,
) -> Pair:
    """Return a server's; `by` is None for one that signed itself."""
    return _made(address, by, begin, end)


def _made(
    name: str,
    by: Pair | None,
    begin: timedelta = -DAY,
    end: timedelta = DAY,
    *,
    is_authority: bool = False,
) -> Pair:
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin)
        .not_valid_after(now + end)
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
        )
    )
    if not is_authority:
        alternative = x509.SubjectAlternativeName([_name(name)])
        builder = builder.add_extension(alternative, critical=False)
    return Pair(builder.sign((key if by is None else by.key), hashes.SHA256()), key)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
