"""The programs themselves, a real store, a link that comes and goes, and SIGKILL.

What the page says over HTTP is held against what boto3 finds in the store.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support.cards import card
from support.fault_proxy import FaultProxy, fault_proxy
from support.process import wait_until
from support.programs import Site, command, site
from support.s3_program import KEY_ID, SECRET
from support.seaweed import BUCKET, Seaweed, seaweed

FILES = 40
CAMERA = "KT-Z3:KTZ3A00017"
SIZES = {f"VIDEO/{n:04d}.MP4": 30_000 for n in range(FILES)}
RATE = 200_000  # bytes a second that the station may use
AT_ONCE = 2  # connections
DESTINATION = f"""
[[destinations]]
name = "cloud"
kind = "s3"
endpoint = "{{endpoint}}"
bucket = "{BUCKET}"
credentials_file = "credentials"
rate = {RATE}
connections = {AT_ONCE}
[web]
listen = "127.0.0.1:0"
"""


@dataclass
class Field:
    """A station's programs, its page, the link, and the store behind it."""

    here: Site
    link: FaultProxy
    store: Seaweed
    page: str = ""
    queued: int = 0

    def ask(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.page}{path}", trust_env=False, timeout=20)

    def status(self) -> Mapping[str, Any]:
        """Return what the page tells a program; it must be live."""
        told: Mapping[str, Any] = self.ask("api/v1/status").json()
        assert told["live"] is True
        return told

    def link_state(self) -> str:
        return str(self.status()["links"][0]["state"])

    def failed_at(self) -> object:
        return self.status()["links"][0]["last_failure"]

    def waiting(self) -> int:
        return int(self.status()["queue"]["waiting"])

    def there(self) -> int:
        """Count what boto3 finds."""
        listed = self.store.judge.list_objects_v2(Bucket=BUCKET, Prefix="dockings/")
        assert not listed["IsTruncated"]
        return int(listed["KeyCount"])

    def tells_the_truth(self, *, up: bool) -> None:
        """Hold the pages against each other, and against the store."""
        told, there = self.status(), self.there()
        link, waiting = told["links"][0], told["queue"]["waiting"]
        assert self.queued - waiting <= there  # each that is called sent is there
        assert (link["goodput"] or 0) <= 2 * RATE
        board, it = self.ask("").text, self.ask("it").text
        if not up:
            assert (link["state"], link["goodput"]) == ("offline", None)
            assert "No network – videos are safe here" in board
            assert link["failure"] in it
        if "Everything is sent" in board:
            assert self.there() == self.queued


@contextmanager
def field(root: Path) -> Iterator[Field]:
    """Run everything but the sending process."""
    with ExitStack() as running:
        (root / "store").mkdir()
        store = running.enter_context(seaweed(root / "store"))
        link = running.enter_context(fault_proxy(store.ports[0]))
        here = site(root / "station")
        plain = (here.root / "dock.toml").read_text("utf-8")
        text = plain.partition("[[destinations]]")[0]
        text += DESTINATION.format(endpoint=link.url)
        (here.root / "dock.toml").write_text(text, encoding="utf-8")
        keys = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
        (here.root / "credentials").write_text(f"[default]\n{keys}", encoding="utf-8")
        (here.root / "credentials").chmod(0o600)
        running.enter_context(here.running())
        made = Field(here, link, store)
        made.page = running.enter_context(web(here))
        yield made


@contextmanager
def web(here: Site) -> Iterator[str]:
    """Serve the page; yield its address."""
    with subprocess.Popen(
        command("dock-web"), stdout=subprocess.PIPE, text=True, env=here.environment()
    ) as serving:
        assert serving.stdout is not None
        try:
            yield serving.stdout.readline().rpartition(" ")[2].strip()
        finally:
            serving.terminate()


@contextmanager
def sync(here: Site) -> Iterator[None]:
    """Run the sending process for the block, and kill it."""
    with (here.root / "sync.log").open("a") as log:
        sending = subprocess.Popen(
            command("dock-agent", "sync"), stderr=log, env=here.environment()
        )
        try:
            yield
        finally:
            sending.kill()
            assert sending.wait(30) == -9  # it did not end by itself


def test_the_page_is_truthful_while_the_sending_process_is_killed_again_and_again(
    tmp_path: Path,
) -> None:
    with field(tmp_path) as site:
        with site.link.shut():
            dock(site)
            never_tried(site)
            for _ in range(2):
                killed_while_the_link_is_down(site)
            assert site.waiting() == site.queued

        with sync(site.here):
            wait_until(lambda: site.waiting() < site.queued - 10)
            site.tells_the_truth(up=True)
        wait_until(lambda: site.waiting() < site.queued)
        site.tells_the_truth(up=True)
        with site.link.shut(), sync(site.here):
            wait_until(lambda: site.link_state() == "offline")
            site.tells_the_truth(up=False)

        with sync(site.here):
            # What the killed ones held is theirs for the length of a lease.
            wait_until(lambda: site.waiting() <= 2 * AT_ONCE + 1)
            site.tells_the_truth(up=True)
            rate = site.status()["links"][0]["goodput"]
            assert 0 < rate <= 2 * RATE


def killed_while_the_link_is_down(site: Field) -> None:
    before = site.failed_at()
    with sync(site.here):
        wait_until(lambda: site.failed_at() != before)
        site.tells_the_truth(up=False)
    site.tells_the_truth(up=False)


def dock(site: Field) -> None:
    """Offload a camera; note how many objects that makes."""
    aside = card(site.here.root / "aside" / CAMERA, SIZES)
    aside.rename(site.here.root / "bays/1" / CAMERA)
    wait_until(lambda: site.status()["bays"][0]["state"] == "sealed")
    bags = (site.here.root / "vault/dockings").rglob("*")
    site.queued = sum(path.is_file() for path in bags)
    wait_until(lambda: site.waiting() == site.queued)


def never_tried(site: Field) -> None:
    assert site.status()["links"][0]["last_success"] is None
    assert "Network not tried yet" in site.ask("").text
    assert "Nobody has tried to reach it yet." in site.ask("it").text
