"""The key to a destination, from a file as the aws tools write it."""

import configparser
from pathlib import Path

from dock_agent.errors import Refused
from dock_agent.sync.sigv4 import Credentials

FIELDS = ("aws_access_key_id", "aws_secret_access_key")


class CredentialsFile:
    """Read again whenever the file changes, so that keys can be rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], Credentials] | None = None

    def get(self) -> Credentials:
        """Return the key of the section [default]; `Refused` says what is wrong."""
        try:
            facts = self._path.stat()
            version = facts.st_ino, facts.st_size, facts.st_mtime_ns
            if self._read is None or self._read[0] != version:
                self._read = version, _parsed(self._path.read_text("utf-8"), self._path)
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"credentials {self._path}: {error}") from error
        return self._read[1]


def _parsed(text: str, path: Path) -> Credentials:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        section = parser["default"]
        key_id, secret = (section[field] for field in FIELDS)
    except (configparser.Error, KeyError):
        key_id = secret = ""
    if not key_id.isascii() or not key_id or not secret:
        # Without its cause: that one quotes the line, and the secret with it.
        wanted = " and ".join(FIELDS)
        raise Refused(f"credentials {path} must have {wanted} in [default]")
    return Credentials(key_id, secret, section.get("aws_session_token"))
