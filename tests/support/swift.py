"""OpenStack Swift on loopback, with its S3 side and its own; curl judges the latter.

It checks the signed digest and, on its own side, the MD5 that a body is said to have.
It knows no checksums, no conditions and no locks on its S3 side.
"""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import httpx

from support.process import wait_until
from support.rooted import Rooted
from support.s3_program import BUCKET, SECRET, free_ports, running

SERVERS = ("object", "container", "account")
ACCOUNT, OTHER = "evidence", "axis"  # one for S3, one for the Axis protocol
USER = "station"
SHARED = """\
[swift-hash]
swift_hash_path_prefix = dock
swift_hash_path_suffix = agent
[storage-policy:0]
name = only
default = yes
"""
SERVER = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = root
swift_dir = /srv
devices = /srv/devices
mount_check = false
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
# Whoever starts a moment late is not to be shunned for a minute: no suppression.
PROXY = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = root
swift_dir = /srv
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache {auth} slo dlo symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_limit = 1000000
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{cache}
error_suppression_limit = 1000000
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
user_{other}_{user} = {secret} .admin
"""
PLAIN = ("catch_errors", "gatekeeper", "healthcheck", "slo", "dlo", "symlink")
RINGS = """\
cd /srv
for each in {rings}; do
  name=${{each%:*}} port=${{each#*:}}
  swift-ring-builder $name.builder create 0 1 1
  swift-ring-builder $name.builder add r1z1-127.0.0.1:$port/d1 1
  swift-ring-builder $name.builder rebalance
done
"""


@dataclass
class Swift(Rooted):
    """A proxy, its three servers, a cache. Its ports: proxy, cache, then those."""

    @property
    def key_id(self) -> str:
        """Return the S3 key of the station: Swift's are made of two names."""
        return f"{ACCOUNT}:{USER}"

    def command(self) -> list[str]:
        return self.inside("swift-proxy-server", "/srv/proxy-server.conf")

    def environment(self) -> Mapping[str, str]:
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def start(self) -> None:
        if not (self.folder / "swift.conf").exists():
            self._lay_out()
        cache = ("-l", "127.0.0.1", "-p", str(self.ports[1]), "-U", "0", "-u", "root")
        self.begin("cache", "memcached", *cache)
        for name in SERVERS:
            self.begin(name, f"swift-{name}-server", f"/srv/{name}-server.conf")
        super().start()

    def prepare(self) -> None:
        """Make the bucket, if it is not there."""
        names = {each["Name"] for each in self.judge.list_buckets()["Buckets"]}
        if BUCKET not in names:
            self.judge.create_bucket(Bucket=BUCKET)

    @property
    def auth(self) -> str:
        """Return where its own side is asked for a token."""
        return f"{self.endpoint}/auth/v1.0"

    @cached_property
    def curl(self) -> "Curl":
        """Return the judge of the account that the Axis protocol has."""
        return Curl(self.auth, f"{OTHER}:{USER}", SECRET)

    def forget_tokens(self) -> None:
        """Lose every token that was given: they are in the cache alone.

        It forgets what is older than a second: what is put there now goes last.
        """
        with socket.create_connection(("127.0.0.1", self.ports[1])) as cache:
            lines = cache.makefile("rb")

            def said(words: bytes) -> bytes:
                cache.sendall(words + b"\r\n")
                return lines.readline()

            def forgot() -> bool:
                said(b"flush_all")
                return said(b"touch last 0") == b"NOT_FOUND\r\n"

            said(b"set last 0 0 1\r\nx")
            wait_until(forgot)

    def _lay_out(self) -> None:
        (self.folder / "devices" / "d1").mkdir(parents=True)
        proxy, cache, *ports = self.ports
        at = dict(zip(SERVERS, ports, strict=True))
        rings = " ".join(f"{name}:{port}" for name, port in at.items())
        plain = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in PLAIN)
        said = PROXY.format(
            port=proxy,
            cache=cache,
            auth="s3api tempauth",  # in this order: the latter asks the former
            account=ACCOUNT,
            other=OTHER,
            user=USER,
            secret=SECRET,
        )
        (self.folder / "proxy-server.conf").write_text(said + plain)
        for name, port in at.items():
            text = SERVER.format(name=name, port=port)
            (self.folder / f"{name}-server.conf").write_text(text)
        self.ran("/bin/sh", "-ec", RINGS.format(rings=rings))
        (self.folder / "swift.conf").write_text(SHARED)


@dataclass
class Curl:
    """Looks at an account of Swift with curl. A path is a container, or an object."""

    auth: str
    user: str
    key: str

    def get(self, *path: str) -> bytes | None:
        """Return an object's bytes; None if there is none."""
        return self._asked(path)

    def put(self, *path: str, data: bytes = b"") -> None:
        """Make a container, or put an object into one."""
        put = ("--request", "PUT", "--data-binary", "@-")
        plain = ("--header", "Content-Type: application/octet-stream")
        assert self._asked(path, *put, *plain, data=data) is not None, path

    def delete(self, *path: str) -> None:
        """Take a container or an object away; it may be gone."""
        self._asked(path, "--request", "DELETE")

    def listed(self, *path: str) -> list[str]:
        """Return the names of an account's containers, or of a container's objects."""
        text = (self._asked(path) or b"").decode()
        return text.splitlines()

    def told(self, *path: str) -> dict[str, str]:
        """Return the headers of an answer to HEAD, their names in lower case."""
        lines = (self._asked(path, "--head") or b"").decode().splitlines()
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {name.lower(): value.strip() for name, _, value in pairs}

    def clear(self) -> None:
        """Take away whatever the account has."""
        for container in self.listed():
            for name in self.listed(container):
                self.delete(container, name)
            self.delete(container)

    def _entered(self) -> tuple[str, str]:
        """Return where the account is, and a token: Swift's cache may lose them."""
        who = {"X-Auth-User": self.user, "X-Auth-Key": self.key}
        said = httpx.get(self.auth, headers=who, trust_env=False).headers
        return said["X-Storage-Url"], said["X-Auth-Token"]

    def _asked(
        self, path: tuple[str, ...], *how: str, data: bytes = b""
    ) -> bytes | None:
        storage, token = self._entered()
        url = "/".join((storage, *(quote(each, safe="") for each in path)))
        plain = ("curl", "--silent", "--show-error", "--fail", "--noproxy", "*")
        done = subprocess.run(
            [*plain, "--header", f"X-Auth-Token: {token}", *how, url],
            input=data,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in {0, 22}, done.stderr  # 22: it said no
        return done.stdout if done.returncode == 0 else None


@contextmanager
def swift(folder: Path) -> Iterator[Swift]:
    """Run Swift for the length of the block."""
    with running(Swift(folder, free_ports(5), root="swift")) as store:
        yield store
