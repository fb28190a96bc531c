import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.bays.topology import bay_of, by_port, port_of
from dock_agent.recording import BayName

BASE = "pci-0000:00:14.0-usb-0:1.2"
PORTS = st.lists(st.integers(1, 16), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "id_path",
    [
        BASE,
        f"{BASE}:1.0",
        f"{BASE}:1.0-scsi-0:0:0:0",
        f"{BASE}:1.0-scsi-0:0:0:0-part1",
        "pci-0000:00:14.0-usbv2-0:1.2:1.0-scsi-0:0:0:0",
        "pci-0000:00:14.0-usbv3-0:1.2:1.0",
    ],
)
def test_every_device_of_a_camera_leads_to_its_port(id_path: str) -> None:
    assert port_of(id_path) == BASE


@pytest.mark.parametrize(
    "id_path", ["", "pci-0000:00:1f.2-ata-1", "platform-sdhci", "usb", "usb-0"]
)
def test_what_is_not_on_usb_has_no_port(id_path: str) -> None:
    assert port_of(id_path) is None


def test_the_port_below_a_hub_is_not_the_hub_s_own() -> None:
    bays = by_port({BASE: BayName("1")})

    assert bay_of(f"{BASE}:1.0", bays) == "1"
    assert bay_of(f"{BASE}.1:1.0", bays) is None
    assert bay_of("pci-0000:00:14.0-usb-0:1.20:1.0", bays) is None
    assert bay_of("pci-0000:00:15.0-usb-0:1.2:1.0", bays) is None


@given(PORTS, PORTS)
def test_two_ports_are_one_bay_only_if_they_are_one_port(
    one: list[int], other: list[int]
) -> None:
    def path(ports: list[int]) -> str:
        return "pci-0000:00:14.0-usb-0:" + ".".join(map(str, ports))

    bays = by_port({path(one): BayName("1")})

    found = bay_of(path(other) + ":1.0-scsi-0:0:0:0", bays)
    assert (found == "1") == (one == other)
