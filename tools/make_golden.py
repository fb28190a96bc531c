"""Write the custody logs that the scenarios' tests compare with.

Look at the difference before you commit it: it is what the log would now say.
"""

import tempfile
from pathlib import Path

from dock_agent.simulated.scenario import load, names
from dock_agent.story import Story, unheard

GOLDEN = Path(__file__).parent.parent / "tests/scenarios"


def played(name: str, root: Path) -> str:
    """Return the custody log of a scenario that is played below `root`."""
    story = Story(load(name), root, unheard)
    try:
        return story.play()
    finally:
        story.close()


def write() -> None:
    """Play every scenario and keep its log."""
    for name in names():
        with tempfile.TemporaryDirectory() as folder:
            log = played(name, Path(folder))
        (GOLDEN / f"{name}.custody.jsonl").write_text(log, encoding="utf-8")


if __name__ == "__main__":
    write()
