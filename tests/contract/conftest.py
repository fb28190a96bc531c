"""Every destination that there is, made anew for each test; its server is kept."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.places import SENT_WHOLE, UNSHARED, Place, every_name, recipe


class Servers:
    """The servers that were started so far, by the name of their place."""

    def __init__(self, folders: pytest.TempPathFactory, stack: ExitStack) -> None:
        self._folders, self._stack = folders, stack
        self._running: dict[str, Any] = {}

    def arguments(self, name: str) -> tuple[Any, ...]:
        """Return what `place` is given after the folder."""
        server = recipe(name).server
        if server is None:
            return ()
        if name not in self._running:
            folder = self._folders.mktemp(name)
            self._running[name] = self._stack.enter_context(server(folder))
        return (self._running[name],)


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(tmp_path_factory, stack)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask of each place what can be asked of it: none skips what it is not for."""
    if "place" in metafunc.fixturenames:
        without: set[str] = set()
        if "shared" in metafunc.fixturenames:
            without |= UNSHARED
        if "resuming" in metafunc.fixturenames:
            without |= SENT_WHOLE
        names = [name for name in every_name() if name not in without]
        metafunc.parametrize("place", names, indirect=True)


@pytest.fixture
def place(
    request: pytest.FixtureRequest, servers: Servers, tmp_path: Path
) -> Iterator[Place]:
    folder = tmp_path / "place"
    folder.mkdir()
    name: str = request.param
    with recipe(name).place(folder, *servers.arguments(name)) as made:
        assert (made.put is None) == (name in UNSHARED)
        assert made.resumes == (name not in SENT_WHOLE)
        yield made


@pytest.fixture
def shared(place: Place) -> Place:
    """Return a place where somebody else could take a name."""
    return place


@pytest.fixture
def resuming(place: Place) -> Place:
    """Return a place that goes on where it was."""
    return place
