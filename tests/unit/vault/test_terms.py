"""Which change of the terms destroys, and what holds until it is approved."""

from hypothesis import given
from hypothesis import strategies as st

from dock_agent.recording import Policy
from dock_agent.vault.terms import STRICTEST, Terms, loosened, stricter, terms

names = st.sampled_from(["traffic", "arrest", "test"])
some = st.builds(
    Terms,
    st.booleans(),
    st.sampled_from(Policy),
    st.dictionaries(names, st.none() | st.integers(0, 400)),
)


@given(old=some, new=some)
def test_what_holds_meanwhile_destroys_nothing_that_either_keeps(
    old: Terms, new: Terms
) -> None:
    held = stricter(old, new)

    assert loosened(old, held) == []
    assert loosened(new, held) == []


@given(old=some, new=some)
def test_a_change_is_destructive_exactly_where_what_holds_is_not_the_new(
    old: Terms, new: Terms
) -> None:
    held = stricter(old, new)

    assert (loosened(old, new) == []) == (loosened(held, new) == [])


@given(one=some)
def test_terms_come_back_from_their_facts(one: Terms) -> None:
    assert terms(one.facts()) == one
    assert stricter(one, one) == stricter(one, stricter(one, one))


def test_each_thing_that_is_loosened_is_said() -> None:
    old = Terms(expire=False, erase=Policy.NEVER, days={"traffic": 90, "test": None})
    new = Terms(
        expire=True, erase=Policy.AFTER_VERIFIED, days={"traffic": 30, "test": 1}
    )

    assert loosened(old, new) == [
        "local copies expire",
        "cameras are erased after_verified, not never",
        "category test is kept 1 days, not for ever",
        "category traffic is kept 30 days, not 90 days",
    ]


def test_a_category_that_is_no_longer_named_is_kept() -> None:
    old = Terms(expire=True, erase=Policy.NEVER, days={"traffic": 30})
    new = Terms(expire=True, erase=Policy.NEVER, days={})

    assert stricter(old, new).days == {}
    assert loosened(old, new) == []


def test_every_policy_has_its_place() -> None:
    assert set(STRICTEST) == set(Policy)
