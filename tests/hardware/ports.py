"""USB ports, and what is plugged into them: cameras that are slow, failing, pulled.

A port is named by the way to it: "1.2" is port 2 of the hub on root port 1, "7" is a
root port. A card is image file ← blkdebug (bad sectors) ← throttle (speed); all of
it can be changed while the camera is plugged.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hardware.errors import BenchError
from hardware.qmp import Qmp

if TYPE_CHECKING:
    from hardware.guest import Guest

# What QEMU's SCSI layer reports as "unrecovered read error" (sense 3/11/00).
MEDIUM_ERROR = 61
ABORTED = 5
Kind = Literal["read", "write", "flush"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Sectors of 512 bytes, from the start of the card, that fail; -1 is each."""

    sectors: tuple[int, ...]
    kind: Kind = "read"
    error: int = MEDIUM_ERROR


@dataclass(frozen=True, slots=True)
class Camera:
    """What is plugged in. `vendor` and `product` are what the disk says of itself."""

    card: Path
    serial: str = ""
    vendor: str = ""
    product: str = ""
    read_only: bool = False
    bytes_per_s: int = 0  # 0: as fast as it goes


@dataclass(slots=True)
class _Plugged:
    device: str
    camera: Camera
    rate: int
    faults: tuple[Fault, ...] = ()
    wirings: int = 0
    top: str = ""
    nodes: list[str] = field(default_factory=list)


class Ports:
    """The ports of one guest, while it has power."""

    def __init__(self, qmp: Qmp, guest: "Guest") -> None:
        self._qmp, self._guest = qmp, guest
        self._plugged: dict[str, _Plugged] = {}

    def plug(self, port: str, camera: Camera) -> None:
        """Put a camera with a card into a port."""
        if port in self._plugged:
            raise BenchError(f"port {port} is taken")
        plugged = _Plugged("port" + port.replace(".", "_"), camera, camera.bytes_per_s)
        device, qmp = plugged.device, self._qmp
        qmp(
            "blockdev-add",
            driver="file",
            filename=str(camera.card.resolve()),
            node_name=f"{device}-file",
            read_only=camera.read_only,
        )
        self._wire(plugged)
        serial = camera.serial or None
        usb = {"bus": "usb.0", "port": port, "serial": serial}
        qmp("device_add", driver="usb-bot", id=device, **usb)
        qmp(
            "device_add",
            driver="scsi-hd",
            id=f"{device}-lun",
            bus=f"{device}.0",
            scsi_id=0,
            lun=0,
            drive=plugged.top,
            removable=True,
            vendor=camera.vendor or None,
            product=camera.product or None,
            serial=serial,
        )
        # The disk is there before the guest looks.
        attached = {"property": "attached", "value": True}
        qmp("qom-set", path=f"/machine/peripheral/{device}", **attached)
        self._plugged[port] = plugged

    @property
    def plugged(self) -> dict[str, Camera]:
        """What is in which port."""
        return {port: plugged.camera for port, plugged in self._plugged.items()}

    def pull(self, port: str) -> None:
        """Pull the camera out, now, whatever the guest does with it."""
        plugged = self._plugged.pop(port)
        self._qmp("device_del", id=plugged.device)
        self._qmp.wait_until_gone(plugged.device)
        self._let_go(plugged)

    def pull_hub(self, port: str) -> None:
        """Pull a whole hub, with all that is plugged into it."""
        self._qmp("device_del", id=f"hub{port}")
        self._qmp.wait_until_gone(f"hub{port}")
        for below in [name for name in self._plugged if name.startswith(f"{port}.")]:
            self._let_go(self._plugged.pop(below))

    def plug_hub(self, port: str) -> None:
        """Put a hub that was pulled back, with nothing plugged into it."""
        ports = self._guest.hardware.hubs[port]
        self._qmp(
            "device_add",
            driver="usb-hub",
            id=f"hub{port}",
            bus="usb.0",
            port=port,
            ports=ports,
            port_power=True,
        )

    def pace(self, port: str, bytes_per_s: int = 0) -> None:
        """Change the speed of a plugged card; 1 hangs it, 0 frees it.

        Not for longer than 25 s: at 30 s the guest resets the device, and QEMU waits
        for the very request that is held back.
        """
        self._plugged[port].rate = bytes_per_s
        self._wire(self._plugged[port])

    def fail(self, port: str, *faults: Fault) -> None:
        """Let sectors of a plugged card fail; without faults it is sound again."""
        self._plugged[port].faults = faults
        self._wire(self._plugged[port])

    def ready(
        self, port: str, *, partition: bool = True, timeout: float = 60
    ) -> dict[str, str]:
        """Wait until udev has done with a camera's disk; return its properties."""
        part = "-part1" if partition else ""
        name = f"/dev/disk/by-path/*-usb-0:{port}:1.0-scsi-0:0:0:0{part}"
        show = f"udevadm settle; udevadm info -q property $(ls -d {name})"
        end = self._guest.clock() + timeout
        while (job := self._guest.run(show, check=False)).rc:
            if self._guest.clock() > end:
                raise TimeoutError(f"no camera in port {port}: {job.text}")
        lines = (line.partition("=") for line in job.text.splitlines())
        return {name: value for name, _, value in lines}

    def _wire(self, plugged: _Plugged) -> None:
        """Make the card's graph anew; the old throttle lets go of what it held."""
        plugged.wirings += 1
        device, old = plugged.device, plugged.top
        top = f"{device}-{plugged.wirings}"
        group = f"{top}-rate"
        limits = {"bps-total": plugged.rate}
        self._qmp("object-add", qom_type="throttle-group", id=group, limits=limits)
        read_only = plugged.camera.read_only
        card: dict[str, object] = {
            "driver": "blkdebug",
            "read-only": read_only,
            "image": f"{device}-file",
        }
        if plugged.faults:  # an empty list is refused
            card["inject-error"] = list(_rules(plugged.faults))
        self._qmp(
            "blockdev-add",
            node_name=top,
            driver="throttle",
            throttle_group=group,
            read_only=read_only,
            file=card,
        )
        if old:
            drive = {"property": "drive", "value": top}
            self._qmp("qom-set", path=f"/machine/peripheral/{device}-lun", **drive)
            self._unwire(old)
        plugged.top = top

    def _let_go(self, plugged: _Plugged) -> None:
        self._unwire(plugged.top)
        self._qmp("blockdev-del", node_name=f"{plugged.device}-file")

    def _unwire(self, top: str) -> None:
        self._qmp("blockdev-del", node_name=top)
        self._qmp("object-del", id=f"{top}-rate")


def _rules(faults: Iterable[Fault]) -> Iterable[dict[str, object]]:
    """Return the faults as blkdebug takes them."""
    for fault in faults:
        for sector in fault.sectors:
            yield {
                "event": "none",
                "iotype": fault.kind,
                "errno": fault.error,
                "sector": sector,
                "once": False,
            }
