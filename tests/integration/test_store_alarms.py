import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dock_agent.errors import NoSuchAlarm, NotAllowed, StoreError
from dock_agent.store import alarms, custody
from dock_agent.store.alarms import Alarm
from dock_agent.store.db import transaction
from support.books import Books
from support.programs import site


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.close()


def alarm(books: Books, told: str, place: str = "nas") -> bool:
    with transaction(books.conn):
        return alarms.alarm(books.conn, place, told, books.at)


def acknowledge(books: Books, by: str = "K. Bell", why: str = "restored") -> None:
    with transaction(books.conn):
        alarms.acknowledge(books.conn, Alarm("nas", "", by, why), books.at)


def log(books: Books) -> list[dict[str, Any]]:
    return [json.loads(line) for line in custody.every(books.conn)]


def test_an_alarm_is_raised_once_and_is_in_the_log(books: Books) -> None:
    told = [alarm(books, "it is older"), alarm(books, "it is older still")]

    assert told == [True, False]
    assert [str(one) for one in alarms.every(books.conn)] == ["nas: it is older"]
    (line,) = log(books)
    assert line["kind"] == "log differs"
    assert line["facts"] == {"place": "nas", "reason": "it is older"}


def test_who_acknowledged_an_alarm_and_why_is_in_the_log(books: Books) -> None:
    alarm(books, "it is older")

    acknowledge(books)

    assert alarms.every(books.conn) == [
        Alarm("nas", "it is older", "K. Bell", "restored")
    ]
    line = log(books)[-1]
    assert (line["kind"], line["actor"]) == ("alarm acknowledged", "K. Bell")
    assert line["facts"] == {
        "place": "nas",
        "reason": "it is older",
        "why": "restored",
    }


def test_an_alarm_that_was_acknowledged_stands(books: Books) -> None:
    alarm(books, "it is older")
    acknowledge(books)

    assert alarms.stands(books.conn, "nas")
    assert not alarm(books, "it is older")


def test_what_else_is_found_later_is_a_new_alarm(books: Books) -> None:
    alarm(books, "it is older")
    acknowledge(books)

    assert alarm(books, "it is another log")

    assert alarms.every(books.conn) == [Alarm("nas", "it is another log")]
    assert [line["kind"] for line in log(books)] == [
        "log differs",
        "alarm acknowledged",
        "log differs",
    ]


def test_nothing_is_acknowledged_where_there_is_no_alarm(books: Books) -> None:
    with pytest.raises(NoSuchAlarm):
        acknowledge(books)
    alarm(books, "it is older")
    acknowledge(books)

    with pytest.raises(NoSuchAlarm):
        acknowledge(books, by="somebody else")

    assert len(log(books)) == 2


@pytest.mark.parametrize(("by", "why"), [("", "seen"), (" ", "seen"), ("K. Bell", "")])
def test_an_alarm_is_acknowledged_by_somebody_with_a_reason(
    books: Books, by: str, why: str
) -> None:
    alarm(books, "it is older")

    with pytest.raises(NotAllowed):
        acknowledge(books, by, why)


def test_both_belong_into_a_transaction(books: Books) -> None:
    with pytest.raises(StoreError, match="needs a transaction"):
        alarms.alarm(books.conn, "nas", "x", books.at)
    with pytest.raises(StoreError, match="needs a transaction"):
        alarms.acknowledge(books.conn, Alarm("nas", "", "a", "b"), books.at)


def test_the_command_lists_and_acknowledges(tmp_path: Path) -> None:
    here = site(tmp_path)
    books = Books(tmp_path)
    alarm(books, "it is older")
    books.close()

    before = here.agent("alarms", "list")
    said = here.agent("alarms", "acknowledge", "nas", "--by", "K. Bell", "--why", "ok")
    after = here.agent("alarms", "list", "--json")
    again = here.agent("alarms", "acknowledge", "nas", "--by", "K. Bell", "--why", "ok")

    assert before.out == "nas: it is older\n"
    assert (said.code, again.code) == (0, 2)
    assert after.json == [
        {"place": "nas", "told": "it is older", "by": "K. Bell", "why": "ok"}
    ]
