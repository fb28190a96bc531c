"""What an offload works with: a camera's tree, a disk, a way to its parent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dock_agent.offload.messages import Found, Heard, Said
from dock_agent.offload.scan import FileSystem
from dock_agent.offload.source import Source
from dock_agent.vault.disk import Disk


class Tree(Source, Protocol):
    """A source that can also be listed."""

    def scan(self) -> tuple[Found, ...]: ...

    def file_system(self) -> FileSystem: ...

    def close(self) -> None: ...


class Channel(Protocol):
    """The way to the parent."""

    def ask(self, said: Said) -> Heard:
        """Say something and return the answer; `EOFError` if nobody is there."""
        ...

    def tell(self, said: Said) -> None: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What an offload works with."""

    tree: Tree
    disk: Disk
    channel: Channel
    wait: Callable[[float], None]  # seconds
    lanes: int = 1  # pieces at a time; with one, everything follows in order
