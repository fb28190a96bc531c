from hypothesis import given
from hypothesis import strategies as st

from dock_agent.bays.detector import Seen, Sighting, Vanished
from dock_agent.bays.presence import reconcile
from dock_agent.recording import BayName

BAYS = [BayName("1"), BayName("2")]
TOKENS = st.sampled_from(["a", "b", "c"])
SIGHTINGS = st.builds(
    Sighting, st.sampled_from(BAYS), TOKENS, st.just("/dev/sda1"), st.just({})
)


def believe(believed: dict[BayName, str | None], events: list[Seen]) -> None:
    """Do what the station does with each event."""
    for event in events:
        if isinstance(event, Sighting):
            believed[event.bay] = event.token
        elif believed[event.bay] == event.token:
            believed[event.bay] = None


@given(
    st.fixed_dictionaries({bay: st.none() | TOKENS for bay in BAYS}),
    st.lists(SIGHTINGS, max_size=4),
)
def test_after_one_reconciliation_belief_is_truth(
    before: dict[BayName, str | None], present: list[Sighting]
) -> None:
    believed = dict(before)

    believe(believed, reconcile(believed, present))

    for bay in BAYS:
        there: set[str | None] = {s.token for s in present if s.bay == bay}
        assert believed[bay] in (there or {None})
    assert reconcile(believed, present) == []


@given(st.lists(SIGHTINGS, max_size=6), st.randoms(use_true_random=False))
def test_events_lost_doubled_and_reordered_heal(
    truth: list[Sighting], chance: st.DataObject
) -> None:
    events: list[Seen] = [*truth, *[Vanished(s.bay, s.token) for s in truth]] * 2
    chance.shuffle(events)  # type: ignore[attr-defined]
    believed: dict[BayName, str | None] = dict.fromkeys(BAYS)
    believe(believed, events[: len(events) // 2])

    believe(believed, reconcile(believed, truth))

    assert reconcile(believed, truth) == []


def test_a_camera_in_its_bay_is_not_disturbed() -> None:
    here = Sighting(BAYS[0], "a", "/dev/sda1", {})
    also = Sighting(BAYS[0], "b", "/dev/sda2", {})

    assert reconcile({BAYS[0]: "a"}, [also, here]) == []
