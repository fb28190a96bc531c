"""Single bits of a vault flip, anywhere: the scrub finds each one.

`FLIPS=10000` flips more of them.
"""

import os
from pathlib import Path
from random import Random

from support.bench import Bench
from support.cards import card
from support.scrubbed import Scrubbed, flip

FLIPS = int(os.environ.get("FLIPS", "300"))
DOCKINGS, FILES, MOST = 4, 12, 40_000


def vault(root: Path, chance: Random) -> Scrubbed:
    """Seal some dockings of files of many sizes; some of a file hold what one has."""
    bench = Bench(root)
    for number in range(DOCKINGS):
        sizes = {
            f"VIDEO/{number}-{n}.MP4": int(MOST ** chance.random())
            for n in range(FILES)
        }
        bench.dock(card(root / f"card-{number}", sizes))
    bench.dock(root / "card-0")
    return Scrubbed(bench)


def test_every_bit_that_flips_anywhere_in_a_vault_is_found(tmp_path: Path) -> None:
    chance = Random(FLIPS)
    scrubbed = vault(tmp_path, chance)
    items = list(scrubbed.items().values())
    sizes = [(scrubbed.bench.vault / item.path).stat().st_size for item in items]
    missed = []

    for _ in range(FLIPS):
        (which,) = chance.choices(range(len(items)), weights=sizes)
        item, bit = items[which], chance.randrange(sizes[which] * 8)
        flip(scrubbed.bench.vault / item.path, bit)
        if scrubbed.scrubber.look(item) is None:
            missed.append((item.path, bit))
        flip(scrubbed.bench.vault / item.path, bit)
        scrubbed.healer.heal(item)

    assert missed == []
    assert len(scrubbed.told("damaged")) == len(scrubbed.told("healed")) == FLIPS
    assert scrubbed.all() == {}
    scrubbed.bench.close()


def test_one_bit_in_every_file_at_once_is_found_and_none_is_said_of_a_whole_one(
    tmp_path: Path,
) -> None:
    chance = Random(1)
    scrubbed = vault(tmp_path, chance)
    wrong = set()
    for path, item in scrubbed.items().items():
        size = (scrubbed.bench.vault / path).stat().st_size
        if item.file is not None and size and chance.random() < 1 / 2:
            flip(scrubbed.bench.vault / path, chance.randrange(size * 8))
            wrong.add(path)

    found = scrubbed.all()

    assert set(found) == wrong
    scrubbed.bench.close()
