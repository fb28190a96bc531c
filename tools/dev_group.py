"""Print the development dependencies of pyproject.toml, one a line."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def dev_group() -> list[str]:
    """Return the requirements of the group `dev`."""
    groups = tomllib.loads(PROJECT.read_text("utf-8"))["dependency-groups"]
    return [str(requirement) for requirement in groups["dev"]]


if __name__ == "__main__":
    print("\n".join(dev_group()))
