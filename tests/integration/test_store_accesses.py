"""Whoever gets evidence is named in the custody log."""

from pathlib import Path

import pytest

from dock_agent.errors import NotAllowed
from dock_agent.store import accesses
from dock_agent.store.accesses import Access, Way
from dock_agent.store.db import transaction
from support.bench import Bench
from support.erasing import SIZES, bench, source, told

__all__ = ["bench", "source"]


@pytest.mark.parametrize("way", Way)
def test_each_file_that_is_given_out_is_a_line_of_the_log(
    bench: Bench, source: Path, way: Way
) -> None:
    docking = bench.dock(source)
    ids = [file.id for file in bench.files(docking).values()]

    with transaction(bench.conn) as conn:
        word = Access(way, ids, "A. Prosecutor", "case 7")
        accesses.tell(conn, word, bench.clock.now())

    lines = told(bench, docking.id, way.value)
    assert {line["facts"]["file"] for line in lines} == set(SIZES)
    assert {line["actor"] for line in lines} == {"A. Prosecutor"}
    assert {line["facts"]["reason"] for line in lines} == {"case 7"}


@pytest.mark.parametrize(("by", "why"), [("", "case 7"), ("A", " ")])
def test_nobody_gets_evidence_without_a_name_and_a_reason(
    bench: Bench, by: str, why: str
) -> None:
    with pytest.raises(NotAllowed), transaction(bench.conn) as conn:
        accesses.tell(conn, Access(Way.EXPORTED, [], by, why), bench.clock.now())
