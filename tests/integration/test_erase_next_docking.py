"""What an erase that was cut off leaves, told by the next docking."""

from pathlib import Path

from dock_agent.bays.machine import Cleared
from dock_agent.offload.erase.card import WritableCard
from dock_agent.offload.messages import Found
from dock_agent.recording import (
    ClearState,
    DockingState,
    FileState,
)
from dock_agent.store import (
    dockings,
    erasures,
)
from support.bench import Bench
from support.cards import digests
from support.erasing import (
    SIZES,
    Clearing,
    bench,
    half_erased,
    record_more,
    require_intents,
    require_untouched,
    source,
    told,
)
from support.erasing import erasures as recorded

__all__ = ["bench", "source"]


def test_a_half_done_erase_is_settled_by_looking_at_the_next_docking(
    bench: Bench, source: Path
) -> None:
    first = half_erased(bench, source, 2)

    again = bench.dock(source)

    states = sorted(recorded(bench, first.id).items())
    assert [state for _, state in states] == ["gone"] * 2 + ["kept"] * 4
    assert len(told(bench, first.id, "found gone")) == 2
    assert erasures.state(bench.conn, first.id) is ClearState.INTERRUPTED
    assert again.complete is True
    assert {f.state for f in bench.files(again).values()} == {FileState.HELD}


def test_after_a_half_done_erase_nothing_is_owed_copied_twice_or_sealed_as_missing(
    bench: Bench, source: Path
) -> None:
    before = digests(source)
    half_erased(bench, source, 3)

    again = bench.dock(source)

    assert bench.docking(again.id).state is DockingState.SEALED
    assert FileState.MISSED not in {f.state for f in bench.files(again).values()}
    assert dockings.unfinished(bench.conn) == []
    held = [f for f in bench.files(again).values() if f.state is FileState.HELD]
    assert len(held) == len(SIZES) - 3
    require_intents(bench, before)


def test_after_a_half_done_erase_the_rest_goes_by_the_whole_procedure_anew(
    bench: Bench, source: Path
) -> None:
    half_erased(bench, source, 3)
    again = bench.dock(source)

    assert Clearing(bench, source).of(again) is None

    assert digests(source) == {}
    assert len(told(bench, again.id, "erase intended")) == len(SIZES) - 3


def test_a_camera_that_recorded_since_a_half_done_erase_is_offloaded_first(
    bench: Bench, source: Path
) -> None:
    half_erased(bench, source, 3)
    record_more(source)

    again = bench.dock(source)

    assert bench.files(again)["DCIM/9999.MP4"].state is FileState.VERIFIED
    assert Clearing(bench, source).of(again) is None


def test_a_new_file_of_an_erased_ones_name_does_not_make_it_still_there(
    bench: Bench, source: Path
) -> None:
    first = half_erased(bench, source, 2)
    (source / "DCIM/0000.MP4").write_bytes(b"the numbers begin anew")

    again = bench.dock(source)

    assert recorded(bench, first.id)["DCIM/0000.MP4"] == "gone"
    assert bench.files(again)["DCIM/0000.MP4"].state is FileState.VERIFIED


class Stubborn(WritableCard):
    """Removes with success, and has everything still."""

    def remove(self, found: Found) -> None:
        """Do as if."""


def test_a_file_that_is_still_there_after_two_erases_is_left_to_a_person(
    bench: Bench, source: Path
) -> None:
    for _ in range(2):
        docking = bench.dock(source)
        why = Clearing(bench, source, card=Stubborn).of(docking)
        assert why == f"{len(SIZES)} files are still on the camera"
        assert isinstance(bench.events[-1], Cleared), "what is on it is safe"
    third = bench.dock(source)

    why = Clearing(bench, source).of(third)

    assert why is not None
    assert "could not be removed" in why
    require_untouched(bench, third, source, "could not be removed")
