from hypothesis import given
from hypothesis import strategies as st

from dock_agent.bays.detector import Presence, Seen, Sighting, Vanished
from dock_agent.bays.presence import reconcile
from dock_agent.recording import BayName

BAYS = [BayName("1"), BayName("2")]
TOKENS = st.sampled_from(["a", "b", "c"])
SIGHTINGS = st.builds(
    Sighting, st.sampled_from(BAYS), TOKENS, st.just("/dev/sda1"), st.just({})
)


ONE_EACH = st.lists(SIGHTINGS, max_size=4, unique_by=lambda sighting: sighting.bay)


def believe(believed: dict[BayName, str | None], events: list[Seen]) -> None:
    """Do what the station does with each event."""
    for event in events:
        if isinstance(event, Sighting):
            believed[event.bay] = event.token
        elif believed[event.bay] == event.token:
            believed[event.bay] = None


@given(st.fixed_dictionaries({bay: st.none() | TOKENS for bay in BAYS}), ONE_EACH)
def test_after_one_reconciliation_belief_is_truth(
    before: dict[BayName, str | None], there: list[Sighting]
) -> None:
    believed, present = dict(before), Presence(tuple(there))

    believe(believed, reconcile(believed, present))

    assert believed == dict.fromkeys(BAYS) | {s.bay: s.token for s in there}
    assert reconcile(believed, present) == []


@given(ONE_EACH, st.randoms(use_true_random=False))
def test_events_lost_doubled_and_reordered_heal(
    truth: list[Sighting], chance: st.DataObject
) -> None:
    events: list[Seen] = [*truth, *[Vanished(s.bay, s.token) for s in truth]] * 2
    chance.shuffle(events)  # type: ignore[attr-defined]
    believed: dict[BayName, str | None] = dict.fromkeys(BAYS)
    believe(believed, events[: len(events) // 2])

    believe(believed, reconcile(believed, Presence(tuple(truth))))

    assert reconcile(believed, Presence(tuple(truth))) == []


def test_a_second_volume_in_a_bay_is_said_and_the_first_not_disturbed() -> None:
    here = Sighting(BAYS[0], "a", "/dev/sda1", {})
    also = Sighting(BAYS[0], "b", "/dev/sda2", {})

    assert reconcile({BAYS[0]: "a"}, Presence((also, here))) == [also]


def test_of_a_bay_that_cannot_be_looked_at_nothing_is_concluded() -> None:
    unknown = Presence((), frozenset({BAYS[0]}))

    assert reconcile({BAYS[0]: "a", BAYS[1]: "b"}, unknown) == [Vanished(BAYS[1], "b")]
