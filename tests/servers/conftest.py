"""The servers of `make test-servers`, each started once for all tests here."""

from collections.abc import Iterator

import pytest

from support.ceph import Ceph, Liar, ceph16, ceph18, liar
from support.swift import Swift, swift


@pytest.fixture(scope="package", params=[ceph16, ceph18], ids=["16", "18"])
def ceph(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ceph]:
    with request.param(tmp_path_factory.mktemp("ceph")) as store:
        store.make_locked()
        yield store


@pytest.fixture(scope="package")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    with liar(tmp_path_factory.mktemp("liar")) as store:
        yield store


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with swift(tmp_path_factory.mktemp("swift")) as store:
        yield store
