"""Capabilities are believed only if they are whole and as the API has them."""

import hashlib
import json

import pytest

from dock_agent.sync.axis.capabilities import SYSTEM_ID, USER_KEY, plain, supported


def etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def listed(**groups: object) -> bytes:
    return json.dumps(groups).encode()


def test_what_is_listed_as_true_is_supported() -> None:
    body = listed(
        Store={USER_KEY: True, "StoreBookmarks": False},
        StoreAndRead={SYSTEM_ID: True},
    )

    assert supported(body, etag(body)) == {USER_KEY, SYSTEM_ID}


@pytest.mark.parametrize("shape", ["{}", '"{}"', '  "{}"  '])
def test_the_digest_may_stand_in_quotes(shape: str) -> None:
    body = listed(Store={USER_KEY: True})

    assert supported(body, shape.format(etag(body).upper())) == {USER_KEY}


@pytest.mark.parametrize("wrong", ["", "0" * 32, '"'])
def test_a_list_that_is_not_what_its_digest_says_supports_nothing(wrong: str) -> None:
    body = listed(Store={USER_KEY: True})

    assert supported(body, wrong) == frozenset()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        listed(Store=[USER_KEY]),
        listed(Store={USER_KEY: 1}),
        listed(Store={USER_KEY: True}, Read={"ReadCategories": "yes"}),
        listed(Store={SYSTEM_ID: True}),  # it has to be readable, too
        listed(Read={USER_KEY: True}),
        listed(Store={"StoreEverything": True}),
    ],
)
def test_a_list_that_is_not_as_the_api_has_it_supports_nothing(body: bytes) -> None:
    assert supported(body, etag(body)) == frozenset()


def test_an_etag_is_the_same_in_any_dress() -> None:
    assert plain('W/"ABC"') == plain("abc") == "abc"
