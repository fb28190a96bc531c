"""`rclone serve s3` on loopback: a store that checks nothing but MD5, over a directory.

It keeps uploads in memory: when it dies, it forgets them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.s3_program import (
    BUCKET,
    KEY_ID,
    SECRET,
    S3Program,
    free_ports,
    installed,
    running,
)


@dataclass
class RcloneS3(S3Program):
    """One server; a bucket is a directory."""

    host: str = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        """Return the base URL."""
        return f"http://{self.host}:{self.ports[0]}"

    def command(self) -> list[str]:
        return [
            installed("rclone"),
            "serve",
            "s3",
            "--config=",
            f"--addr={self.host}:{self.ports[0]}",
            f"--auth-key={KEY_ID},{SECRET}",
            str(self.folder / "data"),
        ]


@contextmanager
def rclone_s3(folder: Path, host: str = "127.0.0.1") -> Iterator[RcloneS3]:
    """Run a server for the length of the block; skip the test if there is none."""
    (folder / "data" / BUCKET).mkdir(parents=True)
    with running(RcloneS3(folder, free_ports(1), host=host)) as store:
        yield store
