"""How long a camera takes from the kernel to the verdict, step by step."""

from pathlib import Path

import pytest

from hardware.cards import card
from hardware.ports import Camera
from hardware.station import StationInGuest

pytestmark = pytest.mark.timeout(900)
FILES = {"DCIM/100/CLIP1.MP4": bytes(range(256)) * 4096 * 4}  # 4 MiB
STEPS = {
    "the kernel has its disk": r"kernel:.* sda: sda1",
    "seen": r"bay moved bay=2 .*to=identifying",
    "its unit begins": r"Starting dock-mount@",
    "mounting": r"Mounting run-dock",
    "mounted": r"Mounted run-dock",
    "copying": r"bay moved bay=2 .*to=copying",
    "checking": r"bay moved bay=2 .*to=checking",
    "sealed": r"bay moved bay=2 .*to=sealed",
}  # what the journal says of each
LONGEST = 60.0  # seconds, on an emulated processor that others use as well


def test_every_step_from_the_plug_to_the_verdict_is_told(
    station: StationInGuest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = card(tmp_path / "A17.img", FILES)

    station.guest.ports.plug("1.2", Camera(image, "A17", "KINGTOP", "KT-Z3"))
    station.wait("2", "sealed", "fault")
    verdict = station.snapshot()  # the first that is seen, up to a second late
    at = {step: first(station, pattern) for step, pattern in STEPS.items()}

    at["verdict"] = verdict["monotonic_ns"] / 1e9
    begin = at["the kernel has its disk"]
    with capsys.disabled():
        for step, when in at.items():
            print(f"\n  {when - begin:6.2f} s  {step}", end="")  # noqa: T201  a figure
    assert verdict["verdict"]["key"] == "all_ready"
    assert at["seen"] < at["copying"] < at["checking"] < at["sealed"]
    assert at["mounted"] < at["copying"]
    assert at["sealed"] - begin < LONGEST


def first(station: StationInGuest, pattern: str) -> float:
    """Return when the journal first says something, in seconds since the start."""
    return station.moments(pattern)[0].at
