"""Random weather: nothing lost, nothing doubled, nothing confirmed that is not there.

`make campaign` plays 2 000 seeds; the suite plays the first few.
"""

import os
from pathlib import Path

import pytest

from support.storm import Storm, require_the_end

FIRST, LAST = map(int, os.environ.get("DOCK_SEEDS", "0:4").split(":"))


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_whatever_the_weather_everything_arrives_once_and_nothing_else_is_said(
    seed: int, tmp_path: Path
) -> None:
    storm = Storm(seed, tmp_path)

    storm.rage()

    require_the_end(storm)
