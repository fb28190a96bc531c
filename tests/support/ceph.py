"""Ceph's S3 gateway on loopback: over a monitor and a disk, or over SQLite alone.

One monitor and one BlueStore disk in a file: whatever loses its power has what it had.
Ceph 16 and 18 check the signed digest of what they are sent, know no checksums, and
drop the lock of an upload in parts without a word. The gateway of Ceph 18 over SQLite
answers each upload in parts as a good one does, and returns another body.
"""

import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.rooted import PATIENCE, Rooted
from support.s3_program import (
    BUCKET,
    KEY_ID,
    SECRET,
    boto3_client,
    free_ports,
    running,
)

LOCKED = "locked"  # a bucket with object lock
STEP = 0.2  # seconds between two questions
USER = (
    *("user", "create", "--uid=station", "--display-name=Station"),
    *(f"--access-key={KEY_ID}", f"--secret-key={SECRET}"),
)
COMMON = """\
[global]
run_dir = /srv/run
log_file = /srv/$name.log
admin_socket = /srv/run/$name.asok
pid_file = /srv/run/$name.pid
keyring = /srv/keyring
{more}
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:{s3}
rgw_data = /srv/rgw
"""
# As little as a pool needs: one copy, one placement group, nothing that balances.
CLUSTER = """\
fsid = {fsid}
mon_host = v1:127.0.0.1:{monitor}
mon_initial_members = a
mon_cluster_log_file = /srv/cluster.log
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_msgr2 = false
ms_bind_ipv6 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data = /srv/mon
osd_data = /srv/osd
osd_objectstore = bluestore
bluestore_block_size = 10737418240
osd_memory_target = 939524096
"""
SQLITE = """\
rgw_backend_store = dbstore
rgw_config_store = dbstore
dbstore_db_dir = /srv
dbstore_config_uri = file:/srv/config.db
"""


@dataclass
class Gateway(Rooted):
    """What is the same over either. Its first port is S3's."""

    def environment(self) -> Mapping[str, str]:
        return {"CEPH_CONF": "/srv/ceph.conf", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def configure(self, more: str) -> None:
        """Write what all its programs read."""
        for name in ("run", "mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        (self.folder / "keyring").touch()
        text = COMMON.format(s3=self.ports[0], more=more)
        (self.folder / "ceph.conf").write_text(text)

    def prepare(self) -> None:
        """Make the buckets, if they are not there."""
        names = {each["Name"] for each in self.judge.list_buckets()["Buckets"]}
        if BUCKET not in names:
            self.judge.create_bucket(Bucket=BUCKET)


@dataclass
class Ceph(Gateway):
    """A monitor, a disk, a gateway. Its ports: S3, monitor."""

    def command(self) -> list[str]:
        return self.inside("radosgw", "-f", "-n", "client.rgw.a")

    def start(self) -> None:
        new = not (self.folder / "ceph.conf").exists()
        if new:
            self._lay_out_the_monitor()
        self.begin("monitor", "ceph-mon", "-f", "-i", "a")
        if new:
            self._until("quorum", "-s")
            self._lay_out_the_disk()
            # It may be too early for the monitor, and end: then it is started again.
            self._until("1 up", "osd", "stat", meanwhile=self._start_the_disk)
            self.ran("radosgw-admin", *USER)
        self._start_the_disk()
        super().start()

    def make_locked(self) -> None:
        """Make a bucket with object lock; what is in it by itself is not locked."""
        with closing(boto3_client(self.endpoint, KEY_ID, SECRET)) as keeper:
            keeper.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)

    def _lay_out_the_monitor(self) -> None:
        fsid, port = str(uuid.uuid4()), self.ports[1]
        self.configure(CLUSTER.format(fsid=fsid, monitor=port))
        at = f"[v1:127.0.0.1:{port}]"
        new = ("--create", "--fsid", fsid, "--addv", "a", at, "/srv/monmap")
        self.ran("monmaptool", *new)
        self.ran("ceph-mon", "--mkfs", "-i", "a", "--monmap", "/srv/monmap")

    def _start_the_disk(self) -> None:
        self.begin("disk", "ceph-osd", "-f", "-i", "0")

    def _lay_out_the_disk(self) -> None:
        ident = str(uuid.uuid4())
        self.ran("ceph", "osd", "new", ident)
        self.ran("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", ident)

    def _until(
        self, told: str, *question: str, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Ask the monitor until it says so."""
        deadline, said = time.monotonic() + PATIENCE, ""
        while told not in said:
            meanwhile()
            assert time.monotonic() < deadline, (question, said)
            threading.Event().wait(STEP)
            asked = self.inside("ceph", "--connect-timeout", "5", *question)
            said = subprocess.run(
                asked,
                capture_output=True,
                text=True,
                check=False,
                env=self.environment(),
            ).stdout


@dataclass
class Liar(Gateway):
    """A gateway over SQLite: quick, and what it puts together of parts is not it."""

    def command(self) -> list[str]:
        return self.inside("radosgw", "-f", "-n", "client.rgw.a", "--no-mon-config")

    def start(self) -> None:
        if not (self.folder / "ceph.conf").exists():
            self.configure(SQLITE)
            self.ran("radosgw-admin", "-n", "client.rgw.a", "--no-mon-config", *USER)
        super().start()


@contextmanager
def ceph16(folder: Path) -> Iterator[Ceph]:
    """Run Ceph 16 for the length of the block."""
    with running(Ceph(folder, free_ports(2), root="ceph16")) as store:
        yield store


@contextmanager
def ceph18(folder: Path) -> Iterator[Ceph]:
    """Run Ceph 18 for the length of the block."""
    with running(Ceph(folder, free_ports(2), root="ceph18")) as store:
        yield store


@contextmanager
def liar(folder: Path) -> Iterator[Liar]:
    """Run Ceph 18's gateway over SQLite for the length of the block."""
    with running(Liar(folder, free_ports(1), root="ceph18")) as store:
        yield store
