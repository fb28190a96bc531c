"""An agent that is to be killed: it has one child, and says both ids that began."""

import sys
import threading

from dock_agent.offload.children import Nursery


def main() -> None:
    """Say the ids of the nursery and of a child that waits; then wait as well."""
    nursery = Nursery()
    child = nursery.child()
    sys.stdout.write(f"{nursery.pid} {child.pid}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
