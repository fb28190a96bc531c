"""Which bay a device is in: by where its plug is, never by what came first.

udev's ID_PATH names every device by the way to it, as
`pci-0000:00:14.0-usb-0:1.2:1.0-scsi-0:0:0:0`: controller, hub ports, then what
is on the device itself. A bay is bound to the part that ends at its port.
"""

import re
from collections.abc import Mapping

from dock_agent.recording import BayName

# Since systemd 255 a path may say usbv2 or usbv3: the same port either way.
PORT = re.compile(r"(?P<bus>.*-usb)(?:v[23])?-(?P<ports>\d+:[\d.]+)(?::.*)?")


def port_of(id_path: str) -> str | None:
    """Return the part of an ID_PATH that ends at the USB port; None if it has none."""
    found = PORT.fullmatch(id_path)
    return None if found is None else f"{found['bus']}-{found['ports']}"


def bay_of(id_path: str, ports: Mapping[str, BayName]) -> BayName | None:
    """Return the bay whose port an ID_PATH leads to; None if it is no bay of ours."""
    port = port_of(id_path)
    return None if port is None else ports.get(port)


def by_port(ports: Mapping[str, BayName]) -> dict[str, BayName]:
    """Return the bays by their port in the form that `bay_of` compares."""
    return {port_of(port) or port: bay for port, bay in ports.items()}
