import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.clock import Instant
from dock_agent.custody.chain import (
    EMPTY,
    NOTHING,
    Event,
    Head,
    canonical,
    digest,
    next_line,
    split,
    verify,
    verify_docking,
)
from dock_agent.errors import CustodyError
from dock_agent.recording import DockingId

AT = Instant(datetime(2026, 3, 5, 8, tzinfo=UTC), 1, "boot", trusted=False)
DOCKING = DockingId("01JQ")


def chain(count: int, docking: DockingId | None = DOCKING) -> list[str]:
    lines: list[str] = []
    head = EMPTY
    for number in range(count):
        event = Event("verified", docking, {"file": f"é{number}", "size": number})
        lines.append(next_line(head, head, event, AT))
        head = Head(number + 1, digest(lines[-1]))
    return lines


def test_the_first_line_points_to_nothing() -> None:
    assert json.loads(chain(1)[0])["prev"] == NOTHING


def test_a_whole_chain_is_accepted_both_ways() -> None:
    assert verify(chain(5)).seq == 5
    assert verify_docking(chain(5), DOCKING).seq == 5


def test_an_empty_chain_has_no_lines() -> None:
    assert verify([]) == EMPTY


@given(st.integers(0, 4), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_noticed(line: int, where: int, by: int) -> None:
    lines = chain(5)
    raw = bytearray(lines[line].encode())
    raw[where % len(raw)] ^= by
    lines[line] = raw.decode("utf-8", "replace")
    lines.append(next_line(Head(5, digest(chain(5)[-1])), EMPTY, Event("x"), AT))

    with pytest.raises(CustodyError):
        verify(lines)


@given(st.integers(0, 4))
def test_a_dropped_line_is_noticed_unless_it_is_the_last(line: int) -> None:
    lines = chain(5)
    del lines[line]

    if line == 4:  # only the head, kept elsewhere, tells of a cut tail
        assert verify(lines).seq == 4
    else:
        with pytest.raises(CustodyError, match=f"line {line + 1}"):
            verify(lines)


@given(st.permutations(range(5)).filter(lambda order: order != list(range(5))))
def test_lines_in_another_order_are_noticed(order: list[int]) -> None:
    lines = chain(5)

    with pytest.raises(CustodyError):
        verify([lines[n] for n in order])


@given(st.integers(0, 4))
def test_a_doubled_line_is_noticed(line: int) -> None:
    lines = chain(5)
    lines.insert(line, lines[line])

    with pytest.raises(CustodyError):
        verify(lines)


def test_a_line_of_another_docking_is_noticed() -> None:
    with pytest.raises(CustodyError, match="not about docking"):
        verify_docking(chain(3), DockingId("other"))


def test_the_lines_of_one_docking_are_a_chain_of_their_own() -> None:
    ours = EMPTY
    lines, mine, head = [], [], EMPTY
    for number in range(6):
        about = DOCKING if number % 2 else None
        line = next_line(head, ours if about else EMPTY, Event("x", about), AT)
        head = Head(head.seq + 1, digest(line))
        if about:
            ours = Head(ours.seq + 1, digest(line))
            mine.append(line)
        lines.append(line)

    assert verify(lines).seq == 6
    assert verify_docking(mine, DOCKING).seq == 3


def test_a_fraction_has_no_place_in_the_log() -> None:
    with pytest.raises(CustodyError, match="fractions"):
        canonical({"facts": [{"size": 1.5}]})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_equal_things_have_one_text(thing: object) -> None:
    text = canonical(thing)

    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize("text", ["a\u2028b", "a\u0085b", "a\u001cb", "a\nb", "a\rb"])
def test_a_line_is_one_line_whatever_its_names_hold(text: str) -> None:
    event = Event("verified", DOCKING, {"file": text})
    first = next_line(EMPTY, EMPTY, event, AT)
    head = Head(1, digest(first))
    lines = [first, next_line(head, head, event, AT)]

    read = split("".join(line + "\n" for line in lines))

    assert read == lines
    assert verify_docking(read, DOCKING).seq == 2


def test_a_text_whose_end_is_missing_is_noticed() -> None:
    with pytest.raises(CustodyError, match="line 2 is cut off"):
        split("{}\n{")


def test_what_is_no_text_has_no_place_in_the_log() -> None:
    with pytest.raises(CustodyError, match="Unicode"):
        canonical({"file": "\udcff.MP4"})


@pytest.mark.parametrize(
    "line", ["", "[]", "1", "[" * 100_000, '{"seq":1e0}', '{"a":1,"a":1}', '{"a": 1}']
)
def test_a_line_that_is_not_canonical_is_named(line: str) -> None:
    with pytest.raises(CustodyError, match="line 1"):
        verify([line])


def test_a_line_kept_back_from_its_docking_is_noticed_in_the_whole_log() -> None:
    first = next_line(EMPTY, EMPTY, Event("x", DOCKING), AT)
    head = Head(1, digest(first))
    second = next_line(head, EMPTY, Event("y", DOCKING), AT)

    with pytest.raises(CustodyError, match="line 2: docking_seq is 1, not 2"):
        verify([first, second])


@given(st.integers(0, 4), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_changes_the_head_or_is_noticed(
    line: int, where: int, by: int
) -> None:
    lines, known = chain(5), verify(chain(5))
    raw = bytearray(lines[line].encode())
    raw[where % len(raw)] ^= by
    lines[line] = raw.decode("utf-8", "replace")

    try:
        found = verify(lines)
    except CustodyError:
        return

    assert found != known
