"""What every table of moves shares: one step, and its picture."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from dock_agent.errors import DockError

State = TypeVar("State", bound=StrEnum)
Move = TypeVar("Move", bound=StrEnum)


class IllegalMove(DockError):
    """Something was told to move in a way its table does not have."""


def moved(moves: Mapping[tuple[State, Move], State], state: State, by: Move) -> State:
    """Return the state after `by`; raise `IllegalMove` where there is none."""
    try:
        return moves[state, by]
    except KeyError:
        raise IllegalMove(f"{by} while {state}") from None


def as_mermaid(moves: Mapping[tuple[State, Move], State], start: State) -> str:
    """Draw a table; `docs/states.md` holds it and a test compares the two."""
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {a} --> {b}: {by}" for (a, by), b in moves.items()]
    return "\n".join(lines)
