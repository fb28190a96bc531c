"""A JuiceFS gateway on loopback: MinIO's S3 layer over a directory.

It checks the signed digest of what it is sent, and knows neither checksums nor
conditions nor locks: an old store.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
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
class JuiceFS(S3Program):
    """One gateway; its metadata are in SQLite."""

    @property
    def _meta(self) -> str:
        return f"sqlite3://{self.folder / 'meta.db'}"

    def command(self) -> list[str]:
        return [
            installed("juicefs"),
            "gateway",
            "--multi-buckets",
            "--keep-etag",
            "--object-meta",
            "--object-tag",
            "--no-usage-report",
            "--no-banner",
            f"--cache-dir={self.folder / 'cache'}",
            self._meta,
            f"127.0.0.1:{self.ports[0]}",
        ]

    def environment(self) -> Mapping[str, str]:
        """Return ours with its root user."""
        return {
            **os.environ,
            "HOME": str(self.folder),
            "MINIO_ROOT_USER": KEY_ID,
            "MINIO_ROOT_PASSWORD": SECRET,
        }

    def start(self) -> None:
        """Lay it out once, then start it."""
        if not (self.folder / "meta.db").exists():
            command = [installed("juicefs"), "format", "--storage", "file"]
            data = ["--bucket", f"{self.folder / 'data'}/", self._meta, "evid"]
            done = subprocess.run(
                [*command, *data],
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        super().start()

    def prepare(self) -> None:
        """Make the bucket, if it is not there."""
        names = [each["Name"] for each in self.judge.list_buckets()["Buckets"]]
        if BUCKET not in names:
            self.judge.create_bucket(Bucket=BUCKET)


@contextmanager
def juicefs(folder: Path) -> Iterator[JuiceFS]:
    """Run a gateway for the length of the block; skip the test if there is none."""
    with running(JuiceFS(folder, free_ports(1))) as store:
        yield store
