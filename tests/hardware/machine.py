"""The QEMU process of a guest: how it is started, saved, and cut off."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hardware import recipe
from hardware.errors import BenchError
from hardware.image import Image
from hardware.qmp import Qmp, connected
from support.process import wait_until

FIRMWARE = ("-L", "/usr/share/qemu", "-L", "/usr/share/seabios")
QUIET = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
LOG_BYTES = 64 << 30  # a hole, mostly


def accelerator() -> str:
    """Return "kvm" where a processor of flesh and blood runs it, else "tcg".

    A /dev/kvm without one of these modules is some sandbox's own, which starts
    and then fails in the middle of the kernel's start.
    """
    real = any(Path("/sys/module", name).exists() for name in ("kvm_intel", "kvm_amd"))
    return "kvm" if real and os.access("/dev/kvm", os.W_OK) else "tcg"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the guest is plugged together of.

    `hubs` maps root ports to a number of ports: {"1": 4} makes the bays 1.1 to 1.4.
    `shares` are folders of this machine, seen read-only in the guest at /mnt/NAME.
    With `logged`, every write to /data is in a log from which a cut can be replayed.
    """

    hubs: Mapping[str, int] = field(default_factory=lambda: {"1": 4, "2": 4})
    shares: Mapping[str, Path] = field(default_factory=dict)
    memory_mib: int = 1024
    processors: int = 1
    data_mib: int = 1024
    logged: bool = False
    accelerator: str = field(default_factory=accelerator)


def _spent(pid: int) -> list[tuple[int, int]]:
    """Return how long each thread has worked and waited for it, in nanoseconds."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # it has just ended
            worked, waited, _ = map(int, task.read_text().split())
            found.append((worked, waited))
    return found


class Machine:
    """One QEMU process in a folder of its own, where its sockets are short names."""

    def __init__(self, image: Image, folder: Path, hardware: Hardware) -> None:
        self._image, self.folder, self._hardware = image, folder, hardware
        self._process: subprocess.Popen[bytes] | None = None
        self._folder_fd = os.open(folder, os.O_PATH)

    def socket(self, name: str) -> str:
        """Return a path to a socket that is short enough, wherever the folder is."""
        return f"/proc/self/fd/{self._folder_fd}/{name}"

    def launch(self, saved: Path | None = None) -> Qmp:
        """Start QEMU, or go on from a saved state. Raises `BenchError`."""
        for name in ("qmp", "hands", "serial"):
            (self.folder / name).unlink(missing_ok=True)
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(saved),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        qmp = self._connect()
        if saved is not None:
            wait_until(lambda: qmp("query-status")["status"] != "inmigrate")
            qmp("cont")
        return qmp

    def clock(self) -> float:
        """Return seconds that stand still while the guest waits for a processor.

        On a busy machine that may be most of the time, and no failure of the guest
        (field 2 of /proc/PID/schedstat, of the thread that has worked most).
        """
        spent = [] if self._process is None else _spent(self._process.pid)
        _, waited = max(spent, default=(0, 0))
        return time.monotonic() - waited / 1e9

    def cut(self) -> None:
        """Kill it. What the guest handed to its disks is in this machine's cache."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self, timeout: float) -> None:
        """Wait for its own end. Raises `subprocess.TimeoutExpired`."""
        if self._process is not None:
            self._process.wait(timeout)

    def close(self) -> None:
        self.cut()
        os.close(self._folder_fd)

    def _connect(self) -> Qmp:
        wait_until(self._listens)
        return Qmp(self.socket("qmp"))

    def _listens(self) -> bool:
        """Whether QEMU has made its socket. Raises `BenchError` if it ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            said = (self.folder / "qemu.log").read_text(errors="replace")[-1500:]
            raise BenchError(f"QEMU did not start: {said}")
        try:
            connected(self.socket("qmp")).close()
        except OSError:
            return False
        return True

    def _command(self, saved: Path | None) -> list[str]:
        qemu = shutil.which("qemu-system-x86_64")
        if qemu is None:
            raise BenchError("no QEMU here: apt install qemu-system-x86")
        hardware = self._hardware
        processor = "host" if hardware.accelerator == "kvm" else "qemu64"
        words = [
            *(qemu, *QUIET, *FIRMWARE, "-M", "pc"),
            *("-accel", hardware.accelerator, "-cpu", processor),
            *("-m", hardware.memory_mib, "-smp", hardware.processors),
            *("-rtc", "base=utc", "-append", recipe.COMMAND_LINE),
            *("-kernel", self._image.kernel, "-initrd", self._image.initrd),
            *self._disks(),
            *self._sockets(),
            *("-device", "virtio-rng-pci,addr=0x12"),
            *("-device", "qemu-xhci,id=usb,p2=8,p3=8,addr=0x14"),
            *("-netdev", "user,id=net0"),
            *("-device", "virtio-net-pci,netdev=net0,id=nic0,addr=0x15,romfile="),
        ]
        for port, ports in hardware.hubs.items():
            hub = f"usb-hub,bus=usb.0,port={port},ports={ports},id=hub{port}"
            words += ["-device", f"{hub},port-power=on"]
        for number, (name, path) in enumerate(hardware.shares.items()):
            share = f"local,id=fs{number},path={path},security_model=none,readonly=on"
            device = f"virtio-9p-pci,fsdev=fs{number},mount_tag={name}"
            words += ["-fsdev", share, "-device", device]
        if saved is not None:
            words += ["-incoming", f"exec:cat {saved}"]
        return [str(word) for word in words]

    def _disks(self) -> list[str]:
        data_file = {"driver": "file", "filename": "data.raw"}
        data: dict[str, Any] = {
            "driver": "raw",
            "node-name": "data0",
            "file": data_file,
        }
        if self._hardware.logged:
            with (self.folder / "data.log").open("wb") as log:
                log.truncate(LOG_BYTES)
            data |= {
                "driver": "blklogwrites",
                "log": {"driver": "file", "filename": "data.log"},
                "log-super-update-interval": 1,
            }
        root_file = {"driver": "file", "filename": "root.qcow2"}
        root = {"driver": "qcow2", "node-name": "root0", "file": root_file}
        return [
            *("-blockdev", json.dumps(root)),
            *("-device", "virtio-blk-pci,drive=root0,addr=0x10"),
            *("-blockdev", json.dumps(data)),
            *("-device", "virtio-blk-pci,drive=data0,addr=0x11"),
        ]

    @staticmethod
    def _sockets() -> list[str]:
        return [
            *("-device", "virtio-serial-pci,addr=0x13"),
            *("-chardev", "socket,id=hands,path=hands,server=on,wait=off"),
            *("-device", "virtserialport,chardev=hands,name=bench"),
            "-chardev",
            "socket,id=con,path=serial,server=on,wait=off,logfile=console.log,logappend=on",
            *("-serial", "chardev:con", "-qmp", "unix:qmp,server=on,wait=off"),
        ]
