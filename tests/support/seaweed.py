"""A real S3 store of its own for each test: SeaweedFS on loopback.

`kill` takes its power, `start` brings it back on the same ports and data. It checks
the checksum header, and not the signed digest.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.s3_program import (
    BUCKET,
    KEY_ID,
    SECRET,
    S3Program,
    boto3_client,
    free_ports,
    installed,
    running,
)

__all__ = ["BUCKET", "KEY_ID", "SECRET", "Seaweed", "seaweed"]
LOCKED = "locked"  # a bucket with object lock
KEEPER, KEEPER_SECRET = "AKKEEPER", "SKKEEPERSKKEEPER"
ACTIONS = [
    f"{verb}:{bucket}"
    for bucket in (BUCKET, LOCKED)
    for verb in ("Read", "Write", "List", "Tagging")
] + [
    f"{verb}Object{kind}:{LOCKED}"
    for verb in ("Get", "Put")
    for kind in ("Retention", "LegalHold")
]
"""No more than a station has; with "Admin" a store makes any bucket that is named."""


@dataclass
class Seaweed(S3Program):
    """One store. Its ports: S3, master, volume, filer."""

    def command(self) -> list[str]:
        s3, master, volume, filer = self.ports
        return [
            installed("weed"),
            "mini",
            f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.config={self.folder / 's3.json'}",
            f"-s3.port={s3}",
            f"-master.port={master}",
            f"-volume.port={volume}",
            f"-filer.port={filer}",
            "-admin.ui=false",
            "-webdav=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
            f"-bucket={BUCKET}",
        ]

    def make_locked(self) -> None:
        """Make a bucket with object lock; what is in it by itself is not locked."""
        with closing(boto3_client(self.endpoint, KEEPER, KEEPER_SECRET)) as keeper:
            keeper.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Run a store for the length of the block; skip the test if there is none."""
    station = {
        "name": "station",
        "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
        "actions": ACTIONS,
    }
    keeper = {
        "name": "keeper",
        "credentials": [{"accessKey": KEEPER, "secretKey": KEEPER_SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps({"identities": [station, keeper]}))
    with running(Seaweed(folder, free_ports(4))) as store:
        yield store
