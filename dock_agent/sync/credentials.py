"""The key to a destination, from a file as the aws tools write it."""

import configparser
from pathlib import Path

from dock_agent.errors import Barred
from dock_agent.sync.s3.sigv4 import Credentials

FIELDS = ("aws_access_key_id", "aws_secret_access_key")
TOKEN = "aws_session_token"


class CredentialsFile:
    """Read again whenever the file changes, so that keys can be rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], Credentials] | None = None

    def get(self) -> Credentials:
        """Return the key of the section [default]; `Barred` says what is wrong.

        A file that is half written heals by itself: it is looked at each time.
        """
        try:
            facts = self._path.stat()
            version = facts.st_ino, facts.st_size, facts.st_mtime_ns
            read = self._read  # one look: other threads may replace it
            if read is None or read[0] != version:
                read = version, _parsed(self._path.read_text("utf-8"), self._path)
                self._read = read
        except OSError as error:
            raise Barred(f"credentials {self._path}: {error.strerror}") from error
        except UnicodeDecodeError:
            # Without its cause: that one holds the file, and the secret with it.
            raise Barred(f"credentials {self._path} are not text") from None
        return read[1]


def _parsed(text: str, path: Path) -> Credentials:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        section = parser["default"]
        key_id, secret = (section[field] for field in FIELDS)
    except (configparser.Error, KeyError):
        key_id = secret = ""
    if not (key_id and secret):
        # Without its cause: that one quotes the line, and the secret with it.
        wanted = " and ".join(FIELDS)
        raise Barred(f"credentials {path} must have {wanted} in [default]")
    token = section.get(TOKEN)
    if not all(_plain(word) for word in (key_id, secret, token or "-")):
        raise Barred(f"credentials {path}: a key has signs that no key has")
    return Credentials(key_id, secret, token)


def _plain(word: str) -> bool:
    """Whether a header may carry it: what cannot be sent is not a key."""
    return word.isascii() and word.isprintable() and " " not in word
