"""Bays that are USB ports, through libudev: the only module that knows pyudev.

The monitor is started before the devices are enumerated, so that none slips
between the two. A device becomes a plain `Sighting` in the thread that got it.
"""

import os
import select
import threading
from collections.abc import Callable, Iterator, Mapping

import pyudev

from dock_agent.bays.detector import Presence, Seen, Sighting, Vanished
from dock_agent.bays.learn import Plug
from dock_agent.bays.topology import bay_of, by_port, port_of
from dock_agent.recording import BayName

FACTS = {
    "ID_SERIAL_SHORT": "serial",
    "ID_VENDOR": "vendor",
    "ID_MODEL": "model",
    "ID_VENDOR_ID": "vendor_id",
    "ID_MODEL_ID": "product_id",
    "ID_FS_TYPE": "fs_type",
    "ID_FS_UUID": "fs_uuid",
    "ID_FS_LABEL": "fs_label",
    "ID_PATH": "id_path",
    "ID_USB_INTERFACES": "interfaces",
    "DISKSEQ": "diskseq",
    "PARTN": "partition",
    "SYSTEMD_MOUNT_WHERE": "mount",
}  # udev's property: our word
SECTOR = 512  # bytes: what sysfs counts in, whatever a disk has
HUB = ":09"  # the USB class of hubs, in ID_USB_INTERFACES
CALLED = ("ID_VENDOR", "ID_MODEL", "ID_SERIAL_SHORT")


class UdevDetector:
    """Meets `Detector`. `ports` says which USB topology path is which bay."""

    def __init__(self, ports: Mapping[str, BayName]) -> None:
        self._ports = by_port(ports)
        self._context = pyudev.Context()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread: threading.Thread | None = None

    def start(self, post: Callable[[Seen], None]) -> None:
        monitor = pyudev.Monitor.from_netlink(self._context)
        monitor.filter_by("block")
        monitor.start()
        for sighting in self.present().sightings:
            post(sighting)
        self._thread = threading.Thread(
            target=self._listen, args=(monitor, post), name="udev", daemon=True
        )
        self._thread.start()

    def present(self) -> Presence:
        """Return every file system in a bay; a disk's own only if it has no parts.

        A disk that has none that is known is returned as such: it may be a camera
        whose card is damaged, and its bay is not empty.
        """
        found: dict[str, Sighting] = {}
        context = pyudev.Context()
        for device in _block_devices(context):
            sighting = self._sighting(device)
            if sighting is not None and device.sys_name not in found:
                found[device.sys_name] = sighting
                found.setdefault(_disk(device), sighting)
        for disk in context.list_devices(subsystem="block", DEVTYPE="disk"):
            bay = self._bay(disk)
            if bay is not None and disk.sys_name not in found and _is_settled(disk):
                found[disk.sys_name] = _told(disk, bay)
        return Presence(tuple({s.token: s for s in found.values()}.values()))

    def stop(self) -> None:
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _listen(self, monitor: pyudev.Monitor, post: Callable[[Seen], None]) -> None:
        poller = select.poll()
        poller.register(monitor.fileno(), select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll()}
            if self._wake_read in ready:
                return
            try:
                device = monitor.poll(timeout=0)
            except OSError:
                continue  # the socket overflowed: the next reconciliation heals it
            if device is not None:
                self._tell(device, post)

    def _tell(self, device: pyudev.Device, post: Callable[[Seen], None]) -> None:
        if device.action == "remove":
            bay = self._bay(device)
            if bay is not None:
                post(Vanished(bay, _token(device)))
            return
        sighting = self._sighting(device)
        if sighting is not None:
            post(sighting)

    def _sighting(self, device: pyudev.Device) -> Sighting | None:
        """Return what a device with a file system in one of our bays is."""
        bay = self._bay(device)
        if bay is None or not device.properties.get("ID_FS_TYPE"):
            return None
        return None if device.device_node is None else _told(device, bay)

    def _bay(self, device: pyudev.Device) -> BayName | None:
        return bay_of(device.properties.get("ID_PATH", ""), self._ports)


def cards(bay: BayName, ports: Mapping[str, BayName]) -> tuple[Sighting, ...]:
    """Return every whole disk in a bay that has a medium, whatever is on it."""
    known = by_port(ports)
    every = pyudev.Context().list_devices(subsystem="block", DEVTYPE="disk")
    return tuple(
        _told(disk, bay)
        for disk in every
        if bay_of(disk.properties.get("ID_PATH", ""), known) == bay
        and _has_medium(disk)
    )


class Plugs:
    """Yields what is plugged into any USB port from now on, hubs left out.

    It waits for each as long as it takes.
    """

    def __init__(self) -> None:
        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        self._monitor.filter_by("usb", "usb_device")
        self._monitor.start()

    def __iter__(self) -> Iterator[Plug]:
        for device in iter(self._monitor.poll, None):
            port = port_of(device.properties.get("ID_PATH", ""))
            is_hub = HUB in device.properties.get("ID_USB_INTERFACES", "")
            if device.action == "add" and port is not None and not is_hub:
                told = (device.properties.get(key) for key in CALLED)
                yield Plug(port, _readable(" ".join(filter(None, told))))


def _block_devices(context: pyudev.Context) -> Iterator[pyudev.Device]:
    for kind in ("partition", "disk"):
        yield from context.list_devices(subsystem="block", DEVTYPE=kind)


def _told(device: pyudev.Device, bay: BayName) -> Sighting:
    facts = {
        ours: _readable(device.properties.get(theirs, ""))
        for theirs, ours in FACTS.items()
    }
    number = device.device_number
    facts["device"] = f"{os.major(number)}:{os.minor(number)}"
    sectors = device.attributes.get("size", b"").strip()
    facts["bytes"] = str(int(sectors) * SECTOR) if sectors.isdigit() else ""
    kept = {name: fact for name, fact in facts.items() if fact}
    return Sighting(bay, _token(device), str(device.device_node), kept)


def _is_settled(disk: pyudev.Device) -> bool:
    """Whether a disk has a medium, and udev has looked at all its parts."""
    parts = [part for part in disk.children if part.subsystem == "block"]
    return _has_medium(disk) and all("ID_PATH" in part.properties for part in parts)


def _has_medium(disk: pyudev.Device) -> bool:
    return bool(disk.attributes.get("size", b"0").strip() != b"0")


def _disk(device: pyudev.Device) -> str:
    """Return the name of the whole disk that a partition lies on, or its own."""
    if device.device_type == "partition" and device.parent is not None:
        return str(device.parent.sys_name)
    return str(device.sys_name)


def _readable(text: str) -> str:
    """Return a property as text that a log can hold, whatever the camera says."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _token(device: pyudev.Device) -> str:
    """Name this attachment: the kernel counts disks up and never reuses a number."""
    return f"{device.properties.get('DISKSEQ', '-')}:{device.sys_name}"
