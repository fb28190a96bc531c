from collections.abc import Iterable
from pathlib import Path

import pytest

from dock_agent.bays.learn import Plug, as_toml, learn
from dock_agent.config import parse
from dock_agent.recording import BayName

PORT = "pci-0000:00:14.0-usb-0:1.{}"
A, B = (BayName(name) for name in ("1", 'left "2"'))
REST = """
[station]
id = "north-1"
[vault]
path = "vault"
[store]
path = "store.db"
"""


def plug(number: int) -> Plug:
    return Plug(PORT.format(number), "KINGTOP KT-Z3 A17")


def learnt(*plugs: Plug) -> tuple[dict[str, BayName], list[str]]:
    said: list[str] = []
    coming: Iterable[Plug] = plugs
    return learn([A, B], coming, said.append), said


def test_each_bay_gets_the_port_that_was_used_when_it_was_asked_for() -> None:
    found, said = learnt(plug(4), plug(2))

    assert found == {PORT.format(4): A, PORT.format(2): B}
    assert said[0] == "Plug a camera into bay 1."
    assert said[1] == f"Bay 1 is {PORT.format(4)} (KINGTOP KT-Z3 A17)."


def test_the_same_port_twice_is_said_and_asked_for_again() -> None:
    found, said = learnt(plug(4), plug(4), plug(2))

    assert found == {PORT.format(4): A, PORT.format(2): B}
    assert "That is bay 1 again: use the next one." in said


def test_a_map_that_is_not_whole_is_none() -> None:
    with pytest.raises(EOFError):
        learnt(plug(4))


def test_what_is_printed_is_a_configuration(tmp_path: Path) -> None:
    found, _ = learnt(plug(4), plug(2))

    config = parse(REST + as_toml(found), base=tmp_path)

    assert config.ports() == found
