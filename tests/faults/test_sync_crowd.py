"""Many who send at once, in any order: nobody takes, loses or doubles anything.

`make campaign` plays 400 seeds; the suite plays the first few.
"""

import os
from pathlib import Path

import pytest

from dock_agent.store import custody
from support.crowd import Crowd

FIRST, LAST = map(int, os.environ.get("DOCK_CROWD_SEEDS", "0:1").split(":"))


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_whoever_goes_on_next_everything_arrives_everywhere_once(
    seed: int, tmp_path: Path
) -> None:
    crowd = Crowd(seed, tmp_path)

    crowd.rage()

    crowd.require_the_end()


def test_a_seed_tells_the_same_story_each_time(tmp_path: Path) -> None:
    def told(folder: Path) -> str:
        folder.mkdir()
        crowd = Crowd(FIRST, folder)
        crowd.suffer(1200)
        crowd.end()
        return custody.log(crowd.conn)

    once, again = told(tmp_path / "once"), told(tmp_path / "again")

    assert once == again
    assert once.count('"kind":"confirmed"') > 10
