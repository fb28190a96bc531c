import pytest

from dock_agent.errors import CustodyError
from dock_agent.export.layout import About, copies, embedded, parents, read_about

ABOUT = About("dock-agent 1", "2026-01-01T00:00:00.000000Z", "s", "dock-agent/s", {})


def line(kind: str, docking: str = "D", **facts: object) -> dict[str, object]:
    return {"kind": kind, "docking": docking, "facts": {"file": "a"} | facts}


def test_a_copy_is_what_its_line_says() -> None:
    assert copies([line("verified", sha256="1")]) == {"data/D/a": {"1"}}


def test_an_encrypted_copy_is_its_ciphertext() -> None:
    told = line("verified", sha256="1", encrypted={"sha256": "2"})

    assert copies([told]) == {"data/D/a": {"2"}}


def test_a_held_file_is_the_earlier_docking_s_copy() -> None:
    lines = [
        line("verified", sha256="1", file="x", encrypted={"sha256": "2"}),
        line("verified", sha256="3", file="y"),
        line("held", "E", sha256="1", held_by="D"),
    ]

    assert copies(lines)["data/E/a"] == {"2"}


def test_a_held_file_without_its_holder_is_nobody_s_copy() -> None:
    assert copies([line("held", "E", sha256="1", held_by="D")]) == {"data/E/a": set()}


def test_what_was_quarantined_later_is_no_copy() -> None:
    assert copies([line("verified", sha256="1"), line("quarantined")]) == {}


def test_other_lines_tell_of_no_copy() -> None:
    assert copies([line("missed"), line("exported"), line("confirmed")]) == {}


def test_what_it_says_of_itself_is_read_back() -> None:
    assert read_about(ABOUT.text()) == ABOUT


@pytest.mark.parametrize(
    "text", ["", "{}\n", "[]\n", ABOUT.text().replace('"s"', "1"), ABOUT.text()[1:]]
)
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(CustodyError):
        read_about(text)


def test_nothing_that_is_embedded_ends_a_script() -> None:
    assert "<" not in embedded({"name": "</script><script>alert(1)</script>"})


def test_the_parents_of_names_are_all_above_them() -> None:
    assert parents(["data/D/a"]) == {".", "data", "data/D"}
