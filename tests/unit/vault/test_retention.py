"""Whether the vault's copy may go: every single condition is needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.clock import Instant
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingState,
    FileState,
    Policy,
    Proof,
)
from dock_agent.vault.retention import (
    GRACE,
    UNCLASSIFIED,
    Copy,
    Rule,
    Station,
    Use,
    doubt,
    due,
    objection,
    unproved,
)
from dock_agent.vault.terms import Terms

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
MAIN, SECOND = DestinationName("main"), DestinationName("second")
NEW = DestinationName("new")
TERMS = Terms(
    expire=True, erase=Policy.NEVER, days={"traffic": 30, "arrest": 900, "case": None}
)
RULE = Rule(TERMS, frozenset({MAIN, SECOND}))
STATION = Station(NOW)
USE = Use(
    category="traffic",
    state=DockingState.SEALED,
    complete=True,
    sealed_at=NOW - timedelta(days=31),
    trusted=True,
    start=NOW - timedelta(days=31, hours=4),
    classified_at=NOW - timedelta(days=20),
)
PROVED = {MAIN: Proof.READ_BACK, SECOND: Proof.ECHOED}
COPY = Copy(
    state=FileState.VERIFIED,
    size=5000,
    digest=Digest("a" * 64),
    there=5000,
    on_hold=False,
    uses=(USE,),
    proofs=PROVED,
    whole=frozenset({MAIN, SECOND}),
)
AT = Instant(NOW, 10**15, "boot", trusted=True)

RULES = (
    replace(RULE, terms=replace(TERMS, expire=False)),
    replace(RULE, terms=replace(TERMS, days={})),
    replace(RULE, terms=replace(TERMS, days={"traffic": 32})),
    replace(RULE, terms=replace(TERMS, days={"traffic": None})),
    replace(RULE, destinations=frozenset[DestinationName]()),
    replace(RULE, destinations=frozenset({MAIN, SECOND, NEW})),
)
STATIONS = (
    replace(STATION, doubt="it is not synchronised"),
    replace(STATION, behind="the database is older"),
    replace(STATION, alarms=("station",)),
    replace(STATION, now=NOW.replace(year=1996)),
    replace(STATION, now=NOW.replace(year=2024)),
    replace(STATION, now=NOW.replace(year=2100)),
    replace(STATION, now=NOW - timedelta(days=32)),  # before the seal
    replace(STATION, now=NOW - timedelta(days=2)),  # not yet
)
USES = (
    replace(USE, category=UNCLASSIFIED),
    replace(USE, category="case"),
    replace(USE, category="arrest"),
    replace(USE, category="nobody knows it"),
    replace(USE, complete=False),
    replace(USE, complete=None),
    replace(USE, sealed_at=None),
    replace(USE, sealed_at=NOW + timedelta(seconds=1)),
    replace(USE, sealed_at=NOW - timedelta(days=29)),
    replace(USE, trusted=False),
    replace(USE, start=NOW - timedelta(days=29)),
    replace(USE, start=datetime(9999, 12, 31, tzinfo=UTC)),
    replace(USE, classified_at=None),
    replace(USE, classified_at=NOW - GRACE + timedelta(seconds=1)),
    replace(USE, classified_at=NOW + timedelta(days=1)),
    replace(USE, quarantined=True),
    *(replace(USE, state=s) for s in DockingState if s != DockingState.SEALED),
)
COPIES = (
    *(replace(COPY, state=s) for s in FileState if s != FileState.VERIFIED),
    replace(COPY, digest=None),
    replace(COPY, there=None),
    replace(COPY, there=4999),
    replace(COPY, on_hold=True),
    replace(COPY, uses=()),
    replace(COPY, proofs={}),
    replace(COPY, proofs={MAIN: Proof.READ_BACK}),
    replace(COPY, proofs=PROVED | {SECOND: Proof.CACHED}),
    replace(COPY, proofs=PROVED | {MAIN: Proof.NONE}),
    replace(COPY, whole=frozenset({MAIN})),
    replace(COPY, whole=frozenset()),
)
WRONG = (
    *((rule, STATION, COPY) for rule in RULES),
    *((RULE, station, COPY) for station in STATIONS),
    *((RULE, STATION, copy) for copy in COPIES),
    *((RULE, STATION, replace(COPY, uses=(USE, use, USE))) for use in USES),
)
rule_says_no, station_says_no = st.sampled_from(RULES), st.sampled_from(STATIONS)
copy_says_no = st.one_of(
    st.sampled_from(COPIES),
    st.builds(
        lambda wrong, first, last: replace(COPY, uses=(*first, wrong, *last)),
        st.sampled_from(USES),
        st.lists(st.just(USE), max_size=2),
        st.lists(st.just(USE), max_size=2),
    ),
)


def test_what_is_proved_classified_and_past_its_time_may_go() -> None:
    assert objection(RULE, STATION, COPY) is None
    assert unproved(RULE, PROVED) is None


@pytest.mark.parametrize(("rule", "station", "copy"), WRONG)
def test_each_single_condition_that_fails_keeps_the_copy(
    rule: Rule, station: Station, copy: Copy
) -> None:
    assert objection(rule, station, copy) is not None


@given(
    rule=st.one_of(st.just(RULE), rule_says_no),
    station=st.one_of(st.just(STATION), station_says_no),
    copy=st.one_of(st.just(COPY), copy_says_no),
)
def test_any_number_of_conditions_that_fail_keep_the_copy(
    rule: Rule, station: Station, copy: Copy
) -> None:
    sound = (rule, station, copy) == (RULE, STATION, COPY)

    assert (objection(rule, station, copy) is None) is sound


@given(asked=st.dictionaries(st.sampled_from([MAIN, SECOND]), st.sampled_from(Proof)))
def test_every_destination_has_to_prove_it_when_it_is_asked_again(
    asked: dict[DestinationName, Proof],
) -> None:
    proved = all(
        asked.get(name) in {Proof.READ_BACK, Proof.ECHOED} for name in (MAIN, SECOND)
    )

    assert (unproved(RULE, asked) is None) is proved


def test_where_nobody_is_to_be_asked_nothing_is_proved() -> None:
    nowhere = replace(RULE, destinations=frozenset[DestinationName]())

    assert unproved(nowhere, PROVED) is not None


def test_what_nobody_classified_is_kept_whatever_the_configuration_says() -> None:
    named = replace(RULE, terms=replace(TERMS, days={UNCLASSIFIED: 0}))

    assert due(named, replace(USE, category=UNCLASSIFIED)) is None


def test_the_longest_of_several_categories_counts() -> None:
    both = replace(COPY, uses=(USE, replace(USE, category="arrest")))

    assert "arrest" in str(objection(RULE, STATION, both))


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_was_set_by_thirty_years_is_doubted(years: int) -> None:
    before = [replace_time(AT, timedelta(hours=-1))]
    stepped = Instant(
        NOW.replace(year=NOW.year + years), AT.monotonic_ns, "boot", trusted=True
    )

    assert doubt(AT, before) is None
    assert doubt(stepped, before) is not None


def test_a_clock_that_nobody_vouches_for_is_doubted() -> None:
    hour = replace_time(AT, timedelta(hours=-1))

    later = replace(AT, utc=NOW + timedelta(seconds=1), boot="another")

    assert doubt(replace(AT, trusted=False), [hour]) is not None
    assert doubt(AT, [hour, later]) is not None
    assert doubt(AT, []) is not None
    assert doubt(AT, [replace(hour, boot="another")]) is not None
    assert doubt(AT, [replace(hour, trusted=False)]) is not None


def test_time_that_only_went_by_is_no_reason_for_doubt() -> None:
    past = [replace_time(AT, timedelta(hours=-hours)) for hours in range(1, 200)]

    assert doubt(AT, past) is None


def replace_time(at: Instant, by: timedelta) -> Instant:
    """Return the reading of a clock that only went on."""
    ran = int(by.total_seconds() * 1e9)
    return replace(at, utc=at.utc + by, monotonic_ns=at.monotonic_ns + ran)
