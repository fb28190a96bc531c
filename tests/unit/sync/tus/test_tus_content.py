"""Our own bytes are held against their digests before they leave."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dock_agent.errors import FixityError
from dock_agent.recording import PART_SIZE
from dock_agent.sync.content import PIECE
from dock_agent.sync.destination import Object
from dock_agent.sync.tus.content import Proven, blame, note
from support.sending import Hearing, file, item

SIZE = 2 * PART_SIZE + 1000


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Object:
    return item(tmp_path_factory.mktemp("own"), SIZE)


@dataclass(frozen=True)
class Damaged:
    """The same object with one byte changed."""

    sent: Object
    at: int

    def made(self, folder: Path) -> Object:
        data = bytearray(file(self.sent).read_bytes())
        data[self.at] ^= 1
        (folder / "damaged").write_bytes(data)
        content = replace(self.sent.content, path=folder / "damaged")  # type: ignore[type-var]
        return replace(self.sent, content=content)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, PART_SIZE),
        (1, PART_SIZE - 1),
        (PART_SIZE - 1, 1),
        (PART_SIZE, 1000),
        (2 * PART_SIZE, 1000),
        (SIZE - 1, 1),
    ],
)
def test_what_is_as_it_was_goes_out_unchanged(
    sent: Object, offset: int, length: int
) -> None:
    out = b"".join(Proven(sent).blocks(offset, length))

    assert out == file(sent).read_bytes()[offset : offset + length]


@pytest.mark.parametrize("at", [0, 5000, PART_SIZE - 1])
@pytest.mark.parametrize("offset", [0, 4000, 7 << 20])
def test_a_part_that_changed_anywhere_never_goes_out_whole(
    sent: Object, tmp_path: Path, at: int, offset: int
) -> None:
    damaged = Damaged(sent, at).made(tmp_path)
    gone: list[bytes] = []

    with pytest.raises(FixityError, match="no longer what it was"):
        gone.extend(Proven(damaged).blocks(offset, PART_SIZE - offset))

    assert sum(map(len, gone)) < PART_SIZE - offset


def test_a_file_that_is_gone_is_told_even_if_nothing_is_read(tmp_path: Path) -> None:
    empty = item(tmp_path, 0)
    file(empty).unlink()

    with pytest.raises(FixityError):
        list(Proven(empty).blocks(0, 0))


def test_who_is_to_blame_is_found_by_our_own_file(sent: Object, tmp_path: Path) -> None:
    blame(sent)

    with pytest.raises(FixityError):
        blame(Damaged(sent, SIZE - 1).made(tmp_path))


def test_a_note_is_an_object_like_any_other() -> None:
    small = note("dock-agent.destination", b"12345")

    assert b"".join(Proven(small).blocks(0, 5)) == b"12345"
    assert b"".join(small.content.blocks(1, 3)) == b"234"
    blame(small)


def test_whoever_looks_for_the_blame_shows_that_it_lives(sent: Object) -> None:
    heard = Hearing()

    blame(heard.of(sent))

    assert heard.counts == [0] * -(-SIZE // PIECE)
