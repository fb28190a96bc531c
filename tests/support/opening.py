"""What PID 1 does for an erase, done here with a loop device: as root."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.bays.rules import HARMLESS
from dock_agent.offload.erase.door import BayDoor
from dock_agent.offload.root import Root
from support.cards import card

PLACE = "1/3.1"  # bay, sequence number, partition
PAUSE = 0.01  # seconds between two looks for a wish


class AnyDoor(BayDoor):
    """A door that a test's file system may have."""

    kinds = ("ext4",)


def nothing() -> None:
    """Nothing happens meanwhile."""


@dataclass
class Opener:
    """Grants wishes, as `systemd/dock-erase` does."""

    run: Path
    device: str
    refusal: str = ""
    options: tuple[str, ...] = HARMLESS
    meanwhile: Callable[[], None] = nothing  # while it is mounted nowhere
    wished: Callable[[], None] = nothing
    instead: str = ""  # another device
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def reading(self) -> Path:
        return self.run / "bays" / PLACE

    @property
    def writing(self) -> Path:
        return self.run / "clearing" / PLACE

    @property
    def wish(self) -> Path:
        return self.run / "wishes" / PLACE.replace("/", "-")

    def door(self) -> BayDoor:
        return AnyDoor(self.reading, Root.of(self.reading.stat()), self.run)

    def show(self) -> None:
        """Mount it to be read."""
        mount(self.device, self.reading, ("ro", *HARMLESS))

    def serve(self) -> None:
        """Grant one wish, and shut again once it is taken back."""
        while not self.wish.exists():
            if self._over.wait(PAUSE):
                return
        self.wished()
        if self.refusal:
            (self.run / "answers" / self.wish.name).write_text(self.refusal)
            return
        umount(self.reading)
        self.meanwhile()
        mount(self.instead or self.device, self.writing, ("rw", *self.options))
        while self.wish.exists() and not self._over.wait(PAUSE):
            pass
        umount(self.writing)
        self.show()

    def end(self) -> None:
        self._over.set()


@contextmanager
def opener(folder: Path, sizes: dict[str, int]) -> Iterator[Opener]:
    """Mount a card in a bay, and be ready to open it."""
    with loop(folder / "image", sizes) as device:
        made = Opener(folder / "run", device)
        for path in (made.reading, made.writing, made.wish.parent):
            path.mkdir(parents=True)
        (made.run / "answers").mkdir()
        made.show()
        serving = threading.Thread(target=made.serve)
        serving.start()
        try:
            yield made
        finally:
            made.end()
            serving.join()
            umount(made.reading)


@contextmanager
def loop(image: Path, sizes: dict[str, int]) -> Iterator[str]:
    """Make an ext4 with these files; have it as a block device."""
    tree = card(image.with_suffix(".tree"), sizes)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, "32M"], check=True)
    find = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(find, capture_output=True, text=True, check=True).stdout
    try:
        yield device.strip()
    finally:
        subprocess.run(["losetup", "--detach", device.strip()], check=True)


def mount(device: str, at: Path, options: tuple[str, ...]) -> None:
    subprocess.run(["mount", "-o", ",".join(options), device, at], check=True)


def umount(at: Path) -> None:
    subprocess.run(["umount", at], check=True)
