import pytest

from dock_agent.clock import Instant
from dock_agent.custody.chain import EMPTY, Event, next_line
from dock_agent.errors import CustodyError
from dock_agent.offload.docking import MOVES
from dock_agent.recording import ClearState, DockingId, FileState, ReadBack
from dock_agent.store.erasures import LOOKED
from support.boards import NOW
from web_status.custody_words import SENTENCES, entry, sentence

AT = Instant(utc=NOW, monotonic_ns=1, boot="test", trusted=False)


def test_a_line_becomes_a_moment_a_sentence_and_itself() -> None:
    facts = {"camera": "KT-Z3:A17", "bay": "2"}
    line = next_line(EMPTY, EMPTY, Event("docked", DockingId("D"), facts), AT)

    told = entry(line)

    assert told.at == NOW
    assert told.sentence == "Camera KT-Z3:A17 was docked in bay 2."
    assert (told.actor, told.clock_trusted, told.line) == ("station", False, line)


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", "7", '{"at": 5, "kind": "x"}'])
def test_a_line_that_cannot_be_read_is_an_error_with_a_name(line: str) -> None:
    with pytest.raises(CustodyError, match="cannot be read"):
        entry(line)


@pytest.mark.parametrize("kind", sorted({state.value for state in MOVES.values()}))
def test_each_move_of_a_docking_has_a_sentence(kind: str) -> None:
    assert kind in SENTENCES


@pytest.mark.parametrize(
    "kind", ["verified", "held", "missed", "quarantined", "damaged"]
)
def test_each_end_of_a_file_has_a_sentence(kind: str) -> None:
    assert FileState(kind).value in SENTENCES


@pytest.mark.parametrize("state", set(ClearState) - {ClearState.INTENDED})
def test_each_end_of_an_erase_has_a_sentence(state: ClearState) -> None:
    kind = "camera cleared" if state is ClearState.CLEARED else f"erase {state}"

    assert kind in SENTENCES
    assert {"erase intended", *LOOKED.values()} <= SENTENCES.keys()


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_sentence_stands_even_without_its_facts(kind: str) -> None:
    told = sentence(kind, {})

    assert told.endswith(".")
    assert told[0].isupper()


def test_a_copy_read_from_memory_is_not_called_read_from_the_medium() -> None:
    cached = sentence("verified", {"method": ReadBack.CACHED, "sha256": "ab"})
    direct = sentence("verified", {"method": ReadBack.DIRECT, "sha256": "ab"})

    assert "medium" not in cached
    assert "from the medium; SHA-256 ab matched." in direct


def test_a_place_without_a_marker_is_not_called_the_same() -> None:
    unmarked = sentence("destination moved", {"marked": False})

    assert "the same place" not in unmarked
    assert "the same place" in sentence("destination moved", {"marked": True})


def test_what_is_kept_apart_as_rejected_is_told_of_where_it_is_confirmed() -> None:
    told = sentence("confirmed", {"destination": "city", "apart": "rejected: in R_1"})

    assert told.startswith("Destination city confirmed the whole file.")
    assert "It is kept apart there (rejected: in R_1)" in told


def test_a_docking_sealed_with_gaps_is_not_called_whole() -> None:
    assert "without everything" in sentence("sealed", {"complete": False})


def test_a_confirmation_without_a_proof_is_not_called_proved() -> None:
    assert "proved" not in sentence("confirmed", {"destination": "main"})


def test_reasons_are_part_of_the_sentence_and_cannot_hide() -> None:
    told = sentence("interrupted", {"reason": "gone\x1b"})

    assert told == "The docking was interrupted: gone\\x1b."


def test_a_kind_without_a_sentence_is_named_as_it_is() -> None:
    assert sentence("tree head", {"size": 5}) == "tree head."


def test_an_order_that_gives_a_file_up_says_what_it_may_cost() -> None:
    facts = {"destination": "nas", "key": "k", "reason": "scrapped"}

    told = sentence("withdrawn", facts | {"nowhere_else": True, "may_be_there": True})
    elsewhere = sentence("withdrawn", facts | {"nowhere_else": False})

    assert told == (
        "It is not sent to nas any more, as a person ordered: scrapped."
        " No other destination had confirmed it. It may be there all the same."
    )
    assert elsewhere.endswith("scrapped.")
