"""A station on the bench: a Debian guest with USB ports, a cable and a mains plug."""

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from hardware.crash import Crash, crash_image
from hardware.errors import BenchError
from hardware.image import CACHE, Image, digest, keep, run
from hardware.jobs import Channel, Job
from hardware.machine import Hardware, Machine
from hardware.ports import Camera, Ports
from hardware.qmp import Qmp
from support.process import wait_until

START = 180.0  # seconds; about 15 where nothing else runs
DISKS = ("root.qcow2", "data.raw")
WARM_UP = (
    "systemctl is-system-running --wait;"
    " modprobe -a usb_storage uas sd_mod sg vfat exfat nls_ascii nls_cp437 fuse 9p;"
    " lsusb; python3 -c 'import sqlite3, ssl, json'; udevadm settle; sync"
)
# A guest that goes on lives in the past, and draws the random numbers of the last one.
RNDRESEEDCRNG = 0x5207
AWAKE = """\
date -s @{now:.3f}; python3 -ISc '
import fcntl
with open("/dev/urandom", "wb", 0) as pool:
    pool.write(bytes.fromhex("{chance}"))
    fcntl.ioctl(pool, {reseed})'"""
PIECE = 1 << 18  # bytes of an archive that go into the guest at a time
ALIKE = 3
NINE_P = "trans=virtio,version=9p2000.L,msize=262144,ro"


@dataclass(frozen=True, slots=True)
class Extra:
    """What is put into a guest before it is saved; another `name` is another guest.

    It is put into a guest that has `base` already, and that was saved, too.
    """

    name: str = ""
    put: Callable[["Guest"], None] = lambda _: None
    base: "Extra | None" = None

    @property
    def names(self) -> tuple[str, ...]:
        before = () if self.base is None else self.base.names
        return (*before, self.name) if self.name else before


PLAIN = Extra()


class Guest:
    """One guest. Its first start goes on from a saved one, made once and kept."""

    def __init__(
        self, image: Image, folder: Path, hardware: Hardware, extra: Extra = PLAIN
    ) -> None:
        folder.mkdir()
        self.folder, self.hardware, self._image = folder, hardware, image
        self._extra = extra
        self._machine = Machine(image, folder, hardware)
        self._fresh = True
        self._qmp: Qmp | None = None
        self._channel: Channel | None = None
        self._ports: Ports | None = None
        self._plugged: Mapping[str, Camera] = {}  # while there is no power

    @property
    def qmp(self) -> Qmp:
        if self._qmp is None:
            raise BenchError("the guest has no power")
        return self._qmp

    @property
    def ports(self) -> Ports:
        if self._ports is None:
            raise BenchError("the guest has no power")
        return self._ports

    def clock(self) -> float:
        """Return seconds in which the guest had a processor; see `Machine`."""
        return self._machine.clock()

    # ---- power

    def start(self, timeout: float = START) -> "Guest":
        """Power on. Its disks hold what the last cut or stop left on them.

        What was plugged in still is.
        """
        if self._fresh:
            self._fresh = False
            self._go_on(self._saved(self._extra, timeout), timeout)
        else:
            self._note_before()
            self._launch(None, timeout)
            self.run("systemctl is-system-running --wait", timeout=timeout, check=False)
        for name in self.hardware.shares:
            mount = f"mount -t 9p -o {NINE_P} {name} /mnt/{name}"
            self.run(f"mkdir -p /mnt/{name} && {mount}", timeout=timeout)
        return self

    def stop(self, timeout: float = 60) -> None:
        """Shut down in order; what does not end in time is cut off."""
        assert self._channel is not None
        self._channel.start("systemctl poweroff")
        try:
            self._machine.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"no shutdown within {timeout} s") from error
        finally:
            self.cut()

    def cut(self) -> None:
        """Pull the mains plug. What the guest handed to its disks is on them."""
        self._machine.cut()
        if self._ports is not None:
            self._plugged = self._ports.plugged
        if self._channel is not None:
            self._channel.close()
        if self._qmp is not None:
            self._qmp.close()
        self._qmp = self._channel = self._ports = None

    def lose_cache(self, *, upto: int, seed: int) -> Crash:
        """Leave /data as a disk may whose own cache was lost; see `crash_image`."""
        before, log, out = (
            self.folder / f"data.{name}" for name in ("before", "log", "raw")
        )
        return crash_image(before, log, out, upto=upto, seed=seed)

    def close(self) -> None:
        self.cut()
        self._machine.close()
        shutil.rmtree(self.folder)

    # ---- commands and files

    def spawn(self, command: str, given: bytes = b"") -> Job:
        """Start a shell command in the guest."""
        if self._channel is None:
            raise BenchError("the guest has no power")
        return self._channel.start(command, given)

    def run(
        self,
        command: str,
        *,
        timeout: float = 60,
        given: bytes = b"",
        check: bool = True,
    ) -> Job:
        """Run a shell command to its end. Raises `BenchError` unless it succeeds."""
        job = self.spawn(command, given)
        try:
            job.wait(timeout)
        except TimeoutError:
            job.kill(9)
            raise
        if check and job.rc:
            raise BenchError(f"{command} ended with {job.rc}:\n{job.text[-2000:]}")
        return job

    def push(self, *paths: Path, to: str = "/root") -> None:
        """Copy files or folders into the guest, durably."""
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for path in paths:
                tar.add(path, path.name)
        self.unpack(packed.getvalue(), to)

    def unpack(self, tar: bytes, to: str) -> None:
        """Unpack an archive in the guest, durably."""
        for at in range(0, len(tar), PIECE):  # one line of JSON each
            self.run("cat >> /root/pushed", given=tar[at : at + PIECE])
        unpack = f"mkdir -p {to} && tar -xf /root/pushed -C {to} --no-same-owner"
        self.run(f"{unpack} && rm /root/pushed && sync", timeout=300)

    def read(self, path: str) -> bytes:
        """Return the content of a file in the guest."""
        return bytes(self.run(f"cat {path}", timeout=300).out)

    def cable(self, *, plugged: bool) -> None:
        """Plug or pull the network cable. This machine's loopback is 10.0.2.2."""
        self.qmp("set_link", name="nic0", up=plugged)

    # ---- how it comes up

    def _launch(self, saved: Path | None, timeout: float) -> None:
        self._qmp = self._machine.launch(saved)
        self._ports = Ports(self._qmp, self)
        for port, camera in self._plugged.items():
            self._ports.plug(port, camera)
        self._channel = Channel(self._machine.socket("hands"), self.clock)
        end = self.clock() + timeout
        while not self._channel.is_up(0.5):
            if self.clock() > end:
                said = (self.folder / "console.log").read_text(errors="replace")
                raise BenchError(f"the guest did not come up: {said[-1500:]}")

    def _go_on(self, kept: Path, timeout: float) -> None:
        """Go on where a guest was saved, today and with other random numbers."""
        for name in DISKS:
            run("cp", "--reflink=auto", "--sparse=always", kept / name, self.folder)
        self._note_before()
        self._launch(kept / "state", timeout)
        chance = os.urandom(64).hex()
        awake = AWAKE.format(now=time.time(), chance=chance, reseed=RNDRESEEDCRNG)
        self.run(awake, timeout=timeout)

    def _saved(self, extra: Extra, timeout: float) -> Path:
        """Return a guest that has booted, saved; make it first if it is new."""
        *before, last = ("", *extra.names)
        alike = replace(self.hardware, logged=False)  # a log changes nothing inside
        stem = f"saved-{digest(self._image.folder.name, alike, *before)}"
        kept = CACHE / f"{stem}-{digest(last)}"
        if not kept.exists():
            if extra.base is None:
                self._make_disks()
                self._note_before()
                self._launch(None, timeout)
                self.run(WARM_UP, timeout=timeout, check=False)
            else:
                self._go_on(self._saved(extra.base, timeout), timeout)
            extra.put(self)
            self._save(kept)
            _forget_older(stem)
        return kept

    def _note_before(self) -> None:
        """Keep the disk as it is when the log of its writes begins."""
        if self.hardware.logged:
            run(
                "cp",
                "--reflink=auto",
                "--sparse=always",
                self.folder / "data.raw",
                self.folder / "data.before",
            )

    def _save(self, kept: Path) -> None:
        """Keep the whole state of the guest, and end it."""
        making = kept.with_suffix(f".{os.getpid()}")
        making.mkdir()
        self.qmp("stop")
        self.qmp("migrate-set-parameters", max_bandwidth=1 << 40)
        self.qmp("migrate", uri=f"exec:cat > {making}/state")
        wait_until(self._is_saved, 120)
        self.cut()
        for name in DISKS:
            run("cp", "--sparse=always", self.folder / name, making)
        keep(making, kept)

    def _is_saved(self) -> bool:
        status = self.qmp("query-migrate").get("status")
        if status in {"failed", "cancelled"}:
            raise BenchError(f"the guest could not be saved: {status}")
        return bool(status == "completed")

    def _make_disks(self) -> None:
        root, data = self.folder / "root.qcow2", self.folder / "data.raw"
        base = self._image.root
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, root)
        size = f"{self.hardware.data_mib}M"
        run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "dockdata", data, size)


def _forget_older(stem: str) -> None:
    """Keep the newest of what was saved alike: each is some 250 MB."""
    alike = sorted(CACHE.glob(f"{stem}-*"), key=lambda path: path.stat().st_mtime)
    for kept in alike[:-ALIKE]:
        shutil.rmtree(kept)


MakeGuest = Callable[..., Guest]
