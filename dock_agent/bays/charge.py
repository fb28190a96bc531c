"""How full a camera's battery is, as far as it can be asked."""

from pathlib import Path
from typing import Protocol

from dock_agent.bays.detector import Sighting

POWER_SUPPLIES = Path("/sys/class/power_supply")


class Charger(Protocol):
    """Knows the battery of a docked camera."""

    def percent(self, sighting: Sighting) -> int | None:
        """Return 0 to 100, or None if the camera does not say."""
        ...


class PowerSupplies:
    """Reads the kernel's power supplies, by the camera's serial number."""

    def __init__(self, root: Path = POWER_SUPPLIES) -> None:
        self._root = root

    def percent(self, sighting: Sighting) -> int | None:
        serial = sighting.facts.get("serial", "")
        for supply in sorted(self._root.glob("*")) if serial else ():
            if _read(supply / "serial_number") == serial:
                text = _read(supply / "capacity")
                return int(text) if text.isdecimal() else None
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
