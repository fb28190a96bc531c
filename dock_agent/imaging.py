"""Keep an image of what is in a bay, by hand: for a card that cannot be read.

A person's command does it, as the vault's owner: no service of a station sees a raw
card, and this needs no more than to read one (docs/adr/0015).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dock_agent.bays.card import BlockDevice
from dock_agent.bays.detector import Sighting
from dock_agent.clock import Clock, SystemClock, stamp, ulid
from dock_agent.config import Config
from dock_agent.custody.chain import Event
from dock_agent.errors import (
    CameraGone,
    ConfigError,
    NoRoom,
    NotAllowed,
    VaultUnusable,
)
from dock_agent.offload.image import Image, keep_image
from dock_agent.recording import BayName, ReadBack
from dock_agent.store import custody, encryption, station
from dock_agent.store.db import connect, transaction
from dock_agent.vault.disk import vault_errors
from dock_agent.vault.layout import image_path
from dock_agent.vault.lock import identity
from dock_agent.vault.real import RealDisk
from dock_agent.vault.write import write_file

NAME, FACTS = "card.img", "image.json"


class InTheClear(NotAllowed):
    """An image of a card would be kept in the clear, and this station encrypts."""

    hint = "Take the card out and image it elsewhere; it was not read."


@dataclass(frozen=True, slots=True)
class Order:
    """Which bay's cards, who wants it, and why: for the custody log."""

    bay: BayName
    by: str
    why: str


class Unread(msgspec.Struct, frozen=True):
    """A range of the card that is zero in its image."""

    offset: int
    length: int
    why: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One image, as `image.json` beside it and `--json` have it. Sizes are bytes."""

    image: str  # below the vault
    bay: str
    seen: dict[str, str]  # of the card
    by: str
    why: str
    at: str
    size: int
    sha256: str
    read_back: str
    unread: tuple[Unread, ...]

    @property
    def unread_bytes(self) -> int:
        return sum(gap.length for gap in self.unread)


Show = Callable[[int, int], None]


def image_bay(
    config: Config, order: Order, cards: Sequence[Sighting], show: Show
) -> list[Kept]:
    """Keep an image of each card of a bay; `show` hears bytes done and in all.

    Raises `NotAllowed` without a name or a reason, for another user than the
    vault's; `InTheClear` where the station encrypts; `CameraGone` where nothing is in
    the bay; else what keeping one raises.
    """
    if not (order.by.strip() and order.why.strip()):
        raise NotAllowed("say who orders it, and why")
    if order.bay not in config.bay_names():
        raise ConfigError(f"no bay is called {order.bay}")
    if not cards:
        raise CameraGone(f"there is no card in bay {order.bay}")
    _require_owner(config.vault_path)
    return [_Imaging(config, order, one).run(show) for one in cards]


def _require_owner(root: Path) -> None:
    """Refuse to leave directories in the vault that the agent could not write."""
    with vault_errors():
        owner = root.stat().st_uid
    if owner != os.geteuid():
        raise NotAllowed(f"only the owner of {root} may: try `sudo -u dock`")


class _Imaging:
    """The image of one card, from the order on record to the image on record."""

    def __init__(self, config: Config, order: Order, disk: Sighting) -> None:
        self._config, self._order, self._disk = config, order, disk
        self._clock: Clock = SystemClock()
        self._root = config.vault_path
        self._vault = RealDisk(within=self._root)
        self._folder = image_path(ulid(self._clock))
        self._done = 0

    def run(self, show: Show) -> Kept:
        """Do it. Raises `CameraError`, `NoRoom`, `FixityError`, `VaultUnusable`."""
        self._require_vault()
        with closing(BlockDevice(self._disk)) as card:
            self._record("card image begun", {"size": card.size})
            with self._told_if_not():
                image = self._keep(card, show)
                kept = self._facts(image)
                folder = self._root / self._folder
                with vault_errors():
                    text = msgspec.json.format(msgspec.json.encode(kept), indent=2)
                    write_file(self._vault, folder / FACTS, text + b"\n")
        self._record("card image kept", _summary(kept))
        return kept

    def _keep(self, card: BlockDevice, show: Show) -> Image:
        def beat(count: int) -> None:
            self._done += count
            # Read once, and read back; with holes in it perhaps twice.
            show(min(self._done, 2 * card.size), 2 * card.size)

        path = self._root / self._folder / NAME
        with vault_errors():
            self._vault.make_directory(path.parent)
            image = keep_image(card, self._vault, path, self._room, beat)
        if image.method is ReadBack.CACHED and self._config.vault.cached == "refuse":
            raise VaultUnusable(f"{path} cannot be read back from its medium")
        return image

    def _room(self, wanted: int) -> None:
        free = self._vault.free(self._root) - self._config.vault.reserve_bytes
        if free < wanted:
            raise NoRoom("the vault has no room for the card's image", wanted - free)

    def _require_vault(self) -> None:
        with closing(connect(self._config.store_path)) as conn:
            known, encrypts = station.vault_id(conn), encryption.get(conn)
        if encrypts is not None or self._config.encryption is not None:
            raise InTheClear("nothing of a card is kept in the clear here")
        if known is None:
            raise VaultUnusable(f"{self._root} is not made yet: start the agent once")
        identity(self._vault, self._root, self._clock, known)

    def _facts(self, image: Image) -> Kept:
        return Kept(
            image=str(self._folder / NAME),
            bay=self._order.bay,
            seen=dict(self._disk.facts),
            by=self._order.by,
            why=self._order.why,
            at=stamp(self._clock.now().utc),
            size=image.size,
            sha256=image.digest,
            read_back=image.method,
            unread=tuple(Unread(u.offset, u.length, u.why) for u in image.unread),
        )

    @contextmanager
    def _told_if_not(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._record("card image not kept", {"reason": str(error) or "stopped"})
            raise

    def _record(self, what: str, facts: dict[str, object]) -> None:
        order = self._order
        about = {
            "bay": order.bay,
            "contact": self._disk.token,
            "image": str(self._folder / NAME),
            "seen": dict(self._disk.facts),
            "why": order.why,
        }
        event = Event(what, facts=about | facts, actor=order.by)
        with closing(connect(self._config.store_path)) as conn, transaction(conn):
            custody.append(conn, event, self._clock.now())


def _summary(kept: Kept) -> dict[str, object]:
    return {
        "size": kept.size,
        "sha256": kept.sha256,
        "read_back": kept.read_back,
        "unread_bytes": kept.unread_bytes,
        "unread_ranges": len(kept.unread),
    }
