"""The image of a card: what is read, what is not, and that it is what it says."""

import hashlib
from pathlib import Path

import pytest

from dock_agent.errors import CameraGone, FixityError, NoRoom
from dock_agent.offload.image import (
    BARREN,
    JUMP,
    NOT_TRIED,
    PAGES,
    Image,
    Range,
    keep_image,
)
from dock_agent.recording import ReadBack
from dock_agent.vault.buffers import BLOCK, PAGE
from dock_agent.vault.disk import Beat, Disk, Reread, silent
from dock_agent.vault.real import RealDisk
from support.cards import content
from support.torncard import SECTOR, TornCard

MIB = 1 << 20
EIO = "Input/output error"


def ample(size: int) -> None:
    del size


def kept(tmp_path: Path, card: TornCard, disk: Disk | None = None) -> Image:
    return keep_image(card, disk or RealDisk(), tmp_path / "card.img", ample, silent)


def test_a_sound_card_is_kept_to_the_last_byte(tmp_path: Path) -> None:
    whole = content("card", 3 * MIB + 7 * SECTOR)

    image = kept(tmp_path, TornCard(whole, short=PAGE))

    assert (tmp_path / "card.img").read_bytes() == whole
    assert image.digest == hashlib.sha256(whole).hexdigest()
    assert (image.size, image.unread) == (len(whole), ())
    assert (tmp_path / "card.img").stat().st_mode & 0o777 == 0o440
    assert [path.name for path in tmp_path.iterdir()] == ["card.img"]


def test_what_is_empty_on_a_card_takes_no_room_and_is_proved_all_the_same(
    tmp_path: Path,
) -> None:
    whole = content("begin", BLOCK) + bytes(64 * MIB) + content("end", BLOCK)

    image = kept(tmp_path, TornCard(whole))

    assert (tmp_path / "card.img").stat().st_blocks * 512 < 4 * MIB
    assert image.data == 2 * BLOCK
    assert image.digest == hashlib.sha256(whole).hexdigest()
    assert image.method is not ReadBack.CACHED


def test_a_bad_sector_costs_its_page_and_is_told_of(tmp_path: Path) -> None:
    whole, at = content("card", 4 * BLOCK), BLOCK + 5 * PAGE

    image = kept(tmp_path, TornCard(whole, bad=frozenset({at // SECTOR})))

    holed = whole[:at] + bytes(PAGE) + whole[at + PAGE :]
    assert (tmp_path / "card.img").read_bytes() == holed
    assert image.digest == hashlib.sha256(holed).hexdigest()
    assert image.unread == (Range(at, PAGE, EIO),)


def test_no_place_of_a_card_is_tried_more_than_twice(tmp_path: Path) -> None:
    card = TornCard(content("card", 4 * BLOCK), bad=frozenset(range(1024, 1100)))

    kept(tmp_path, card)

    tries = [0] * (card.size // SECTOR)
    for offset, length in card.readings:
        for sector in range(offset // SECTOR, (offset + length) // SECTOR):
            tries[sector] += 1
    assert max(tries) == 2


def test_a_dead_card_comes_to_an_end_and_every_byte_of_it_is_accounted_for(
    tmp_path: Path,
) -> None:
    size = BARREN * BLOCK + JUMP + 3 * BLOCK
    card = TornCard(bytes(size), bad=frozenset(range(size // SECTOR)))

    image = kept(tmp_path, card)

    assert sum(gap.length for gap in image.unread) == size
    assert {gap.why for gap in image.unread} == {
        EIO, NOT_TRIED, f"{NOT_TRIED} again",
    }  # fmt: skip
    assert len(card.readings) <= PAGES + BLOCK // PAGE + BARREN + 3
    assert image.digest == hashlib.sha256(bytes(size)).hexdigest()


def test_a_card_that_is_shorter_than_it_says_ends_in_a_range(tmp_path: Path) -> None:
    class Liar(TornCard):
        @property
        def size(self) -> int:
            return len(self.content) + BLOCK

    image = kept(tmp_path, Liar(content("card", BLOCK)))

    assert image.unread == (Range(BLOCK, BLOCK, EIO),)
    assert image.size == (tmp_path / "card.img").stat().st_size == 2 * BLOCK


def test_of_a_card_that_left_nothing_is_kept(tmp_path: Path) -> None:
    card = TornCard(content("card", 4 * BLOCK), gone_at=2 * BLOCK)

    with pytest.raises(CameraGone):
        kept(tmp_path, card)

    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_nothing_is_kept(tmp_path: Path) -> None:
    def none(size: int) -> None:
        raise NoRoom(f"{size}")

    with pytest.raises(NoRoom):
        keep_image(
            TornCard(content("card", BLOCK)),
            RealDisk(),
            tmp_path / "card.img",
            none,
            silent,
        )

    assert list(tmp_path.iterdir()) == []


def test_an_image_that_is_not_what_was_read_is_not_kept(tmp_path: Path) -> None:
    class Flipping(RealDisk):
        def reread(self, path: Path, beat: Beat = silent) -> Reread:
            with path.open("r+b") as file:
                file.seek(100)
                file.write(b"!")
            return super().reread(path, beat)

    with pytest.raises(FixityError):
        kept(tmp_path, TornCard(bytes(BLOCK)), Flipping())

    assert list(tmp_path.iterdir()) == []


def test_an_image_never_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "card.img").write_bytes(b"the first")

    with pytest.raises(FileExistsError):
        kept(tmp_path, TornCard(content("card", BLOCK)))

    assert [path.name for path in tmp_path.iterdir()] == ["card.img"]
    assert (tmp_path / "card.img").read_bytes() == b"the first"
