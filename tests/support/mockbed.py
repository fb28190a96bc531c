"""A private /sys with hot-plug events for libudev, through libumockdev by ctypes.

The process must run under `umockdev-wrapper`, and hold no FUSE mount.
"""

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRELOAD = "libumockdev-preload"
PORT = "pci-0000:00:14.0-usb-0:1.{}"


def active() -> bool:
    """Whether this process runs under umockdev-wrapper."""
    return PRELOAD in Path("/proc/self/maps").read_text("utf-8")


def _strings(pairs: Mapping[str, str]) -> ctypes.Array[ctypes.c_char_p]:
    flat = [text.encode() for pair in pairs.items() for text in pair]
    return (ctypes.c_char_p * (len(flat) + 1))(*flat, None)


class Bed:
    """The testbed; `close` it."""

    def __init__(self) -> None:
        lib = self._lib = ctypes.CDLL("libumockdev.so.0")
        for name in ("new", "get_root_dir", "add_devicev"):
            getattr(lib, f"umockdev_testbed_{name}").restype = ctypes.c_void_p
        self._bed = ctypes.c_void_p(lib.umockdev_testbed_new())
        root = lib.umockdev_testbed_get_root_dir(self._bed)
        self._root = ctypes.string_at(root).decode()

    def close(self) -> None:
        ctypes.CDLL("libgobject-2.0.so.0").g_object_unref(self._bed)

    def add(
        self,
        where: tuple[str, str, str | None],
        attributes: Mapping[str, str],
        properties: Mapping[str, str],
    ) -> str:
        """Make a device (subsystem, name, parent) and announce it."""
        subsystem, name, parent = where
        path = self._lib.umockdev_testbed_add_devicev(
            self._bed,
            subsystem.encode(),
            name.encode(),
            parent and parent.encode(),
            _strings(attributes),
            _strings(properties),
        )
        assert path, f"umockdev refused {name}"
        return ctypes.string_at(path).decode()

    def event(self, path: str, action: str) -> None:
        """Announce something about a device, true or not."""
        self._lib.umockdev_testbed_uevent(self._bed, path.encode(), action.encode())

    def remove(self, path: str, *, quietly: bool = False) -> None:
        """Take a device away; `quietly` loses the event."""
        if not quietly:
            self.event(path, "remove")
        self._lib.umockdev_testbed_remove_device(self._bed, path.encode())
        stale = f"{self._root}/sys/block/{os.path.basename(path)}"  # noqa: PTH119
        if os.path.lexists(stale):
            os.unlink(stale)  # noqa: PTH108  umockdev 0.17 forgets this link

    def load(self, text: str) -> None:
        """Make devices as umockdev-record wrote them down."""
        error = ctypes.c_void_p()
        good = self._lib.umockdev_testbed_add_from_string(
            self._bed, text.encode(), ctypes.byref(error)
        )
        assert good, "a device record that cannot be read"


@dataclass(frozen=True)
class Usb:
    """A mass-storage camera: where it is plugged in, and what it says."""

    port: int
    serial: str
    disk: str
    diskseq: int
    uuid: str = "CA3E-0001"
    partitioned: bool = True
    kind: str = "vfat"


def dock(bed: Bed) -> str:
    """Make a host controller with one hub; return the hub's path."""
    pci = bed.add(("pci", "0000:00:14.0", None), {}, {"PCI_SLOT_NAME": "0000:00:14.0"})
    root = bed.add(
        ("usb", "usb1", pci), {"bDeviceClass": "09\n"}, {"DEVTYPE": "usb_device"}
    )
    facts = {"DEVTYPE": "usb_device", "ID_SERIAL_SHORT": "hub", "ID_PATH": PORT[:-3]}
    facts["ID_USB_INTERFACES"] = ":090000:"
    return bed.add(("usb", "1-1", root), {"bDeviceClass": "09\n"}, facts)


def plug(bed: Bed, hub: str, camera: Usb) -> list[str]:
    """Plug a camera in; return its devices' paths, outermost first."""
    path = PORT.format(camera.port)
    common = {
        "ID_BUS": "usb",
        "ID_SERIAL_SHORT": camera.serial,
        "ID_VENDOR_ID": "46f4",
        "ID_MODEL_ID": "0001",
    }
    usb = bed.add(
        ("usb", f"1-1.{camera.port}", hub),
        {"serial": f"{camera.serial}\n"},
        {"DEVTYPE": "usb_device", "ID_PATH": path, **common},
    )
    interface = bed.add(
        ("usb", f"1-1.{camera.port}:1.0", usb), {}, {"DEVTYPE": "usb_interface"}
    )
    return [usb, interface, *add_unit(bed, interface, camera)]


def add_unit(bed: Bed, interface: str, camera: Usb) -> list[str]:
    """Add a disk to a camera's interface: it may have several."""
    common = {
        "ID_BUS": "usb",
        "ID_SERIAL_SHORT": camera.serial,
        "ID_VENDOR_ID": "46f4",
        "ID_MODEL_ID": "0001",
        "ID_PATH": f"{PORT.format(camera.port)}:1.0-scsi-0:0:0:0",
        "DISKSEQ": str(camera.diskseq),
    }
    system = {"ID_FS_TYPE": camera.kind, "ID_FS_UUID": camera.uuid}
    minor = 16 * camera.port + 64 * (ord(camera.disk[2]) - ord("a"))
    disk = bed.add(
        ("block", camera.disk, interface),
        {"dev": f"8:{minor}\n", "size": "131072\n"},
        {"DEVTYPE": "disk", "DEVNAME": f"/dev/{camera.disk}", "MAJOR": "8"}
        | {"MINOR": str(minor)}
        | common
        | ({"ID_PART_TABLE_TYPE": "dos"} if camera.partitioned else system),
    )
    if not camera.partitioned:
        return [disk]
    partition = bed.add(
        ("block", f"{camera.disk}1", disk),
        {"dev": f"8:{minor + 1}\n", "partition": "1\n", "size": "130048\n"},
        {"DEVTYPE": "partition", "DEVNAME": f"/dev/{camera.disk}1", "MAJOR": "8"}
        | {"MINOR": str(minor + 1), "PARTN": "1"}
        | common
        | system,
    )
    return [disk, partition]


def pull(bed: Bed, devices: list[str], *, quietly: bool = False) -> None:
    """Pull a camera: its devices go, innermost first."""
    for path in reversed(devices):
        bed.remove(path, quietly=quietly)
