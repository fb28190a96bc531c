"""Put the checkout itself on the path of its virtual environment, with its commands.

What an editable install does, without a build backend that is not locked.
"""

import site
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPT = """#!{python}
import sys
from {module} import {function}

if __name__ == "__main__":  # a docking's child imports this file, too
    sys.exit({function}())
"""


def link() -> None:
    """Write one path file, and one script for each command of pyproject.toml."""
    packages = Path(site.getsitepackages()[0])
    (packages / "dock_agent_checkout.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for name, target in project["scripts"].items():
        module, _, function = target.partition(":")
        script = Path(sys.executable).parent / name
        text = SCRIPT.format(python=sys.executable, module=module, function=function)
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)


if __name__ == "__main__":
    link()
