"""Which content destination it is: a swapped one is noticed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.errors import Barred
from dock_agent.sync.axis import names
from support.axis_boxes import Can
from support.axis_docking import faulty
from support.axis_server import AxisServer, Reply, Request, axis_server
from support.place_axis import STATION, axis

SYSTEM = names.system_id(STATION, "main")


@pytest.fixture
def server() -> Iterator[AxisServer]:
    with axis_server() as made:
        yield made
        assert made.refused == []


def test_the_mark_is_the_connection_id_of_our_system_object(
    server: AxisServer, tmp_path: Path
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        assert destination.marker() is None
        destination.mark("01KAVXG0000000000000000009")

        assert destination.marker() == "01KAVXG0000000000000000009"

    kept = server.boxes["System"].blobs[SYSTEM]
    assert kept.told == {
        "connectionid": "01KAVXG0000000000000000009",
        "systemname": STATION,
    }


def test_a_place_that_knows_us_by_another_id_is_another_place(
    server: AxisServer, tmp_path: Path
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        destination.mark("first")
        with pytest.raises(Barred, match="as first, not as second"):
            destination.mark("second")

    with axis_server() as swapped:
        file = swapped.write(tmp_path)
        with closing(axis(file)) as destination:
            assert destination.marker() is None  # and the worker remembers "first"


def test_where_system_objects_are_not_supported_the_mark_is_ours_alone(
    server: AxisServer, tmp_path: Path
) -> None:
    file = server.write(tmp_path, FullStoreAndReadSupport=False)
    with closing(axis(file)) as destination:
        destination.mark("first")

        assert destination.marker() == "first"

    assert SYSTEM in server.boxes["Dock_System"].blobs


def test_a_mark_is_found_after_system_objects_came_to_be_supported(
    server: AxisServer, tmp_path: Path
) -> None:
    file = server.write(tmp_path, FullStoreAndReadSupport=False)
    with closing(axis(file)) as destination:
        destination.mark("first")
    server.supports(StoreAndRead={"StoreReadSystemID": True})

    with closing(axis(file)) as later:
        assert later.marker() == "first"
        with pytest.raises(Barred):
            later.mark("second")


def test_a_mark_is_read_by_head_where_get_is_not_offered(tmp_path: Path) -> None:
    def example(request: Request) -> Reply | None:
        ours = request.method == "GET" and request.path.endswith(SYSTEM)
        return Reply(403) if ours else None

    with (
        axis_server(can=Can.HEAD) as server,
        faulty(server, example),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        destination.mark("first")

        assert destination.marker() == "first"


def test_a_place_that_shows_no_mark_is_marked_once_and_has_none(tmp_path: Path) -> None:
    def blind(request: Request) -> Reply | None:
        return (
            Reply(403)
            if request.method in {"GET", "HEAD"} and SYSTEM in request.path
            else None
        )

    with axis_server() as server, faulty(server, blind):
        with closing(axis(server.write(tmp_path))) as destination:
            destination.mark("first")
            destination.mark("second")

            assert destination.marker() is None
        assert server.count("PUT", SYSTEM) == 1


def test_two_destinations_of_a_station_and_two_stations_are_told_apart() -> None:
    systems = {
        names.system_id(*pair)
        for pair in [("a", "main"), ("a", "second"), ("b", "main"), ("a/main", "x")]
    }

    assert len(systems) == 4
