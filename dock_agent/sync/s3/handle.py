"""What an upload to S3 is remembered by: `Progress.upload`, written and read.

`1:ID` is an upload under way; the digit tells whether Complete must name digests.
`sent:ETAG` is an object that this very call has put there; `found:` one that was
there before, of whose bytes nothing is known.
"""

from dataclasses import dataclass

SENT, FOUND = "sent", "found"
UNDER_WAY = frozenset({"0", "1"})


@dataclass(frozen=True, slots=True)
class Handle:
    """The handle in its two halves."""

    kind: str = ""
    rest: str = ""

    @classmethod
    def read(cls, upload: str | None) -> "Handle":
        """Read one; what is none has no kind."""
        kind, colon, rest = (upload or "").partition(":")
        return cls(kind, rest) if colon else cls()

    @property
    def upload_id(self) -> str | None:
        """The upload under way; None if there is none."""
        return self.rest if self.kind in UNDER_WAY else None

    @property
    def names_digests(self) -> bool:
        """Whether Complete must name the digests."""
        return self.kind == "1"

    @property
    def sent_etag(self) -> str | None:
        """The ETag of what was put there; None if nothing was."""
        return self.rest if self.kind == SENT else None

    @property
    def was_found(self) -> bool:
        """Whether the object was there before anything was sent."""
        return self.kind == FOUND


def under_way(ident: str, *, names_digests: bool) -> str:
    """Write the handle of an upload."""
    return f"{int(names_digests)}:{ident}"


def sent(etag: str) -> str:
    """Write the handle of an object that was put there."""
    return f"{SENT}:{etag}"


def found() -> str:
    """Write the handle of an object that was there."""
    return f"{FOUND}:"
