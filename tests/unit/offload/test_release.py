"""Whether a camera's own copies may go: every single condition is needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.offload.release import Copy, Rule, Visit, objection, objection_to_file
from dock_agent.recording import (
    CameraId,
    DestinationName,
    Digest,
    DockingState,
    FileState,
    Policy,
    Proof,
    ReadBack,
)

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
MAIN, SECOND = DestinationName("main"), DestinationName("second")
PROVED = {MAIN: Proof.READ_BACK, SECOND: Proof.ECHOED}
RULE = Rule(
    Policy.AFTER_CONFIRMED,
    may_erase=True,
    cached_vault=False,
    destinations=frozenset({MAIN, SECOND}),
)
VISIT = Visit(
    camera=CameraId("KT-Z3:1"),
    docked=CameraId("KT-Z3:1"),
    attached=True,
    state=DockingState.SEALED,
    complete=True,
    signed=True,
    sealed_at=NOW - timedelta(minutes=1),
    on_hold=False,
    cleared=False,
)
COPY = Copy(
    name="DCIM/0001.MP4",
    kind=None,
    state=FileState.VERIFIED,
    size=5000,
    digest=Digest("a" * 64),
    copy_state=FileState.VERIFIED,
    copy_digest=Digest("a" * 64),
    copy_sealed=True,
    method=ReadBack.DIRECT,
    retries=0,
    there=5000,
    on_hold=False,
    proofs=PROVED,
    kept=0,
)
SKIPPED = replace(
    COPY, kind="symlink", state=FileState.SKIPPED, digest=None, there=None, proofs={}
)
SAFE_OR_SKIPPED = {FileState.VERIFIED, FileState.HELD, FileState.SKIPPED}
UNSAFE = [state for state in FileState if state not in SAFE_OR_SKIPPED]

station_says_no = st.sampled_from(
    [
        replace(RULE, policy=Policy.NEVER),
        replace(RULE, may_erase=False),
        replace(RULE, cached_vault=True),
        replace(RULE, destinations=frozenset[DestinationName]()),
        replace(RULE, destinations=frozenset({MAIN, DestinationName("new")})),
    ]
)
visit_says_no = st.sampled_from(
    [
        replace(VISIT, docked=CameraId("KT-Z3:2")),
        replace(VISIT, attached=False),
        replace(VISIT, signed=False),
        replace(VISIT, complete=False),
        replace(VISIT, complete=None),
        replace(VISIT, on_hold=True),
        replace(VISIT, cleared=True),
        replace(VISIT, sealed_at=None),
        replace(VISIT, sealed_at=NOW + timedelta(seconds=1)),
        *(replace(VISIT, state=s) for s in DockingState if s != DockingState.SEALED),
    ]
)
copy_says_no = st.sampled_from(
    [
        *(replace(COPY, state=state) for state in UNSAFE),
        *(replace(COPY, copy_state=s) for s in FileState if s != FileState.VERIFIED),
        replace(COPY, copy_sealed=False),
        replace(COPY, digest=None),
        replace(COPY, digest=None, copy_digest=None),
        replace(COPY, copy_digest=Digest("b" * 64)),
        replace(COPY, method=ReadBack.CACHED),
        replace(COPY, method=None),
        replace(COPY, retries=1),
        replace(COPY, retries=None),
        replace(COPY, there=None),
        replace(COPY, there=4999),
        replace(COPY, on_hold=True),
        replace(COPY, kept=2),
        replace(COPY, proofs={MAIN: Proof.READ_BACK}),
        replace(COPY, proofs=PROVED | {SECOND: Proof.CACHED}),
        replace(COPY, proofs=PROVED | {MAIN: Proof.NONE}),
        replace(COPY, proofs={}),
    ]
)


@pytest.mark.parametrize("policy", [Policy.AFTER_VERIFIED, Policy.AFTER_CONFIRMED])
@pytest.mark.parametrize("state", [FileState.VERIFIED, FileState.HELD])
@pytest.mark.parametrize("method", [ReadBack.DIRECT, ReadBack.DROPPED])
def test_a_whole_docking_of_which_everything_is_proved_may_go(
    policy: Policy, state: FileState, method: ReadBack
) -> None:
    copies = [replace(COPY, state=state, method=method), SKIPPED]

    assert objection(replace(RULE, policy=policy), VISIT, copies, NOW) is None


@given(rule=station_says_no, more=st.integers(0, 3))
def test_nothing_goes_where_the_station_or_the_model_does_not_allow_it(
    rule: Rule, more: int
) -> None:
    assert objection(rule, VISIT, [COPY] * (1 + more), NOW) is not None


@given(visit=visit_says_no)
@pytest.mark.parametrize("policy", [Policy.AFTER_VERIFIED, Policy.AFTER_CONFIRMED])
def test_nothing_goes_of_a_docking_of_which_one_condition_is_missing(
    policy: Policy, visit: Visit
) -> None:
    assert objection(replace(RULE, policy=policy), visit, [COPY], NOW) is not None


@given(copy=copy_says_no, before=st.integers(0, 5), after=st.integers(0, 5))
def test_one_file_that_may_not_go_keeps_all_the_others(
    copy: Copy, before: int, after: int
) -> None:
    copies = [COPY] * before + [copy] + [COPY] * after

    told = objection(RULE, VISIT, copies, NOW)

    assert told == f"{copy.name}: {objection_to_file(RULE, copy)}"


@given(
    rule=st.one_of(st.just(RULE), station_says_no),
    visit=st.one_of(st.just(VISIT), visit_says_no),
    copies=st.lists(st.one_of(st.just(COPY), copy_says_no), min_size=1, max_size=4),
)
def test_any_number_of_things_that_are_wrong_keep_everything(
    rule: Rule, visit: Visit, copies: list[Copy]
) -> None:
    sound = rule == RULE and visit == VISIT and all(copy == COPY for copy in copies)

    assert (objection(rule, visit, copies, NOW) is None) is sound


@pytest.mark.parametrize("year", [1970, 1980, 2024, 2100])
def test_nothing_goes_by_a_clock_that_is_wrong(year: int) -> None:
    visit = replace(VISIT, sealed_at=datetime(1960, 1, 1, tzinfo=UTC))

    assert objection(RULE, visit, [COPY], NOW.replace(year=year)) is not None


def test_a_second_name_of_a_file_keeps_all_of_them() -> None:
    second = replace(SKIPPED, kind="hard link")

    assert objection(RULE, VISIT, [COPY, second], NOW) is not None
    assert objection(RULE, VISIT, [COPY, SKIPPED], NOW) is None


@pytest.mark.parametrize("copies", [[], [SKIPPED]], ids=["none", "skipped"])
def test_a_camera_without_footage_has_nothing_to_erase(copies: list[Copy]) -> None:
    assert objection(RULE, VISIT, copies, NOW) is not None


@given(proofs=st.dictionaries(st.sampled_from([MAIN, SECOND]), st.sampled_from(Proof)))
def test_after_confirmed_needs_a_digest_proved_at_every_destination(
    proofs: dict[DestinationName, Proof],
) -> None:
    proved = all(
        proofs.get(name) in {Proof.READ_BACK, Proof.ECHOED} for name in (MAIN, SECOND)
    )

    told = objection(RULE, VISIT, [replace(COPY, proofs=proofs)], NOW)

    assert (told is None) is proved


def test_after_verified_asks_no_destination() -> None:
    rule = replace(
        RULE,
        policy=Policy.AFTER_VERIFIED,
        destinations=frozenset[DestinationName](),
    )

    assert objection(rule, VISIT, [replace(COPY, proofs={})], NOW) is None


def test_each_objection_is_a_sentence_of_its_own() -> None:
    said = [
        objection_to_file(RULE, copy)
        for copy in (
            replace(COPY, state=FileState.MISSED),
            replace(COPY, method=ReadBack.CACHED),
            replace(COPY, retries=1),
            replace(COPY, there=None),
            replace(COPY, on_hold=True),
            replace(COPY, kept=2),
            replace(COPY, proofs={}),
        )
    ]

    assert len(set(said)) == len(said)
    assert None not in said
