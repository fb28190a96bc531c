"""Which way the network goes, as the kernel's tables say it."""

from pathlib import Path

import pytest

from dock_agent.sync.route import Routes, routes

HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
LAN = "eth0 00000000 0102A8C0 0003 0 0 100 00000000 0 0 0\n"
MODEM = "wwan0 00000000 0101010A 0003 0 0 700 00000000 0 0 0\n"
LOCAL = "eth0 0002A8C0 00000000 0001 0 0 100 00FFFFFF 0 0 0\n"
DOWN = "eth1 00000000 0102A8C0 0002 0 0 50 00000000 0 0 0\n"
LAN_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'f' * 32} 00000400 1 0 00000003 eth0\n"
LOOP_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 1 0 00200200 lo\n"


def tables(root: Path, v4: str = HEAD, v6: str = "") -> Path:
    (root / "route").write_text(v4, "ascii")
    (root / "ipv6_route").write_text(v6, "ascii")
    return root


@pytest.mark.parametrize(
    ("v4", "v6", "expected"),
    [
        (HEAD, "", ()),
        (HEAD + LOCAL, "", ()),
        (HEAD + LAN, "", ("eth0",)),
        (HEAD + MODEM + LAN + LOCAL, "", ("eth0", "wwan0")),
        (HEAD + DOWN + MODEM, "", ("wwan0",)),
        (HEAD, LAN_6 + LOOP_6, ("eth0",)),
        (HEAD + MODEM, LAN_6, ("wwan0", "eth0")),
        ("nonsense", "too", ()),
    ],
)
def test_default_routes_are_read_the_preferred_first(
    tmp_path: Path, v4: str, v6: str, expected: tuple[str, ...]
) -> None:
    assert routes(tables(tmp_path, v4, v6)).interfaces == expected


def test_without_tables_there_is_no_network(tmp_path: Path) -> None:
    assert routes(tmp_path) == Routes(())


def test_a_link_costs_if_the_preferred_way_out_does() -> None:
    costly = ("wwan0",)

    assert Routes(("wwan0", "eth0")).is_metered(costly)
    assert not Routes(("eth0", "wwan0")).is_metered(costly)
    assert not Routes(()).is_metered(costly)


def test_this_machine_s_own_tables_can_be_read() -> None:
    assert "lo" not in routes().interfaces
