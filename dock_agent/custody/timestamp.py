"""RFC 3161 time stamps: a third party says that a checkpoint was there at a time.

What is stamped is the note as it was signed, so the file `<number>.checkpoint`:

    openssl ts -verify -data 00000007.checkpoint -in 00000007.tsr -CAfile ca.pem

The only module that knows `rfc3161_client`.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from dock_agent.errors import CustodyError

SHA256 = "2.16.840.1.101.3.4.2.1"
WHY = re.compile('Verify error: ([^"]+)')


class NoStamp(CustodyError):
    """What a time authority answered is no time stamp of this checkpoint."""

    hint = "Is [timestamp] ca_file the certificate of the authority at its url?"


@dataclass(frozen=True, slots=True)
class Question:
    """What an authority is asked, in DER, and the nonce that it has to answer with."""

    query: bytes
    nonce: int


def question(note: str) -> Question:
    """Return what to ask for a note; the nonce is new each time."""
    made = TimestampRequestBuilder(note.encode(), HashAlgorithm.SHA256).build()
    if made.nonce is None:
        raise NoStamp("a question without a nonce")
    return Question(made.as_bytes(), made.nonce)


def authorities(path: Path) -> list[Certificate]:
    """Read the certificates that a stamp has to rest on, PEM; raise `NoStamp`."""
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise NoStamp(f"[timestamp] ca_file {path}: {error.strerror}") from error
    except ValueError as error:
        raise NoStamp(f"[timestamp] ca_file {path} is no certificate, PEM") from error


def verify(
    token: bytes, note: str, roots: list[Certificate], nonce: int | None = None
) -> datetime:
    """Return when the authority saw the note, by its own clock, UTC.

    `token` is its whole answer, DER. `roots` vouch for who signed it, as of that
    time. With `nonce` it has to be the answer to that question. Raises `NoStamp`.
    """
    try:
        told = decode_timestamp_response(token)
        if PKIStatus(told.status) is not PKIStatus.GRANTED:
            raise NoStamp(f"the time authority refused: {PKIStatus(told.status).name}")
        _require_asked(told, note, nonce)
        verifier = VerifierBuilder(roots=roots, nonce=nonce).build()
        verifier.verify(told, told.tst_info.message_imprint.message)
    except VerificationError as error:
        raise NoStamp(f"the time stamp is not to be trusted: {_why(error)}") from error
    except ValueError as error:
        raise NoStamp("the answer is no RFC 3161 time stamp") from error
    return told.tst_info.gen_time


def _require_asked(told: TimeStampResponse, note: str, nonce: int | None) -> None:
    about = told.tst_info.message_imprint
    digest = hashlib.sha256(note.encode()).digest()
    if (about.hash_algorithm.dotted_string, about.message) != (SHA256, digest):
        raise NoStamp("the time stamp is of something else: another digest")
    if nonce is not None and told.tst_info.nonce != nonce:
        raise NoStamp("the time stamp answers another question: another nonce")


def _why(error: VerificationError) -> str:
    found = WHY.search(str(error))
    return str(error).partition(":")[0] if found is None else found[1]
