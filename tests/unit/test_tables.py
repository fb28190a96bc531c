"""The small tables, held to what the design promises of them."""

from enum import StrEnum
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.machine import IllegalMove, as_mermaid, moved
from dock_agent.offload import docking, file
from dock_agent.offload.docking import DockingMove
from dock_agent.offload.file import SAFE, FileMove
from dock_agent.recording import DockingState, FileState, LinkState, TransferState
from dock_agent.sync import link, transfer
from dock_agent.sync.link import LinkMove
from dock_agent.sync.transfer import TransferMove

TABLES: dict[str, tuple[Any, Any, Any]] = {
    "docking": (docking.MOVES, DockingState, DockingMove),
    "file": (file.MOVES, FileState, FileMove),
    "transfer": (transfer.MOVES, TransferState, TransferMove),
    "link": (link.MOVES, LinkState, LinkMove),
}


def follow(moves: Any, start: StrEnum, steps: list[StrEnum]) -> list[StrEnum]:
    """Return every state passed through; a step the table lacks is left out."""
    path = [start]
    for by in steps:
        try:
            path.append(moved(moves, path[-1], by))
        except IllegalMove:
            continue
    return path


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached_or_is_where_things_begin(name: str) -> None:
    moves, states, _ = TABLES[name]
    begin = {
        DockingState.OPENED,
        FileState.LISTED,
        TransferState.BLOCKED,
        LinkState.UNKNOWN,
    }

    assert set(states) <= set(moves.values()) | begin


@pytest.mark.parametrize("name", TABLES)
def test_a_pair_outside_the_table_is_refused(name: str) -> None:
    moves, states, by = TABLES[name]
    outside = [pair for pair in product(states, by) if pair not in moves]

    for state, move in outside:
        with pytest.raises(IllegalMove):
            moved(moves, state, move)


@given(st.lists(st.sampled_from(FileMove)))
def test_a_file_is_verified_only_after_it_was_proved(steps: list[StrEnum]) -> None:
    path = follow(file.MOVES, FileState.LISTED, steps)

    if FileState.VERIFIED in path:
        assert FileState.PROVEN in path[: path.index(FileState.VERIFIED)]


@given(st.lists(st.sampled_from(FileMove)))
def test_a_doubted_file_is_never_called_safe_again(steps: list[StrEnum]) -> None:
    path = follow(file.MOVES, FileState.LISTED, steps)

    if FileState.QUARANTINED in path:
        assert not SAFE & set(path[path.index(FileState.QUARANTINED) :])


@given(st.lists(st.sampled_from(DockingMove)))
def test_a_docking_is_sealed_whole_only_after_the_second_pass(
    steps: list[StrEnum],
) -> None:
    path = follow(docking.MOVES, DockingState.OPENED, steps)
    stopped = {DockingState.INTERRUPTED, DockingState.WAITING, DockingState.FAULT}

    if DockingState.SEALED in path:
        before = path[path.index(DockingState.SEALED) - 1]
        assert before is DockingState.CHECKING or before in stopped


@given(st.lists(st.sampled_from(DockingMove)))
def test_a_sealed_docking_never_changes(steps: list[StrEnum]) -> None:
    path = follow(docking.MOVES, DockingState.OPENED, steps)

    if DockingState.SEALED in path:
        assert path[-1] is DockingState.SEALED


@given(st.lists(st.sampled_from(TransferMove)))
def test_a_transfer_is_confirmed_only_from_a_proof_while_it_is_sent(
    steps: list[StrEnum],
) -> None:
    path = follow(transfer.MOVES, TransferState.BLOCKED, steps)

    for before, after in pairwise(path):
        if after is TransferState.CONFIRMED:
            assert before is TransferState.SENDING


def test_the_last_thing_seen_decides_about_a_link() -> None:
    for state, move in product(LinkState, LinkMove):
        assert moved(link.MOVES, state, move) is link.LEADS_TO[move]


def test_a_table_is_drawn_as_it_is() -> None:
    picture = as_mermaid(file.MOVES, FileState.LISTED)

    assert picture.count("-->") == len(file.MOVES) + 1
