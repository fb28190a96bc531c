import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_status.names import commands, shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"DCIM/100MEDIA/0001.MP4", "DCIM/100MEDIA/0001.MP4"),
        ("Zürich–é.mp4".encode(), "Zürich–é.mp4"),
        (b"a\nb\x1b[31m", "a\\x0ab\\x1b[31m"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("x\u202egpj.exe", "x\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("<script>", "<script>"),
    ],
)
def test_what_cannot_be_seen_is_escaped(name: str | bytes, text: str) -> None:
    assert shown(name) == text


@given(st.binary(max_size=60))
def test_every_name_can_be_shown_and_hides_nothing(name: bytes) -> None:
    text = shown(name)

    text.encode("utf-8")
    assert not [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs"}]


def test_a_command_in_a_sentence_is_drawn_as_code_and_nothing_else_is() -> None:
    told = "<b>\u202eno</b> route; `dock-agent status` says <when>"

    drawn = commands(told)

    assert drawn == (
        "&lt;b&gt;\\u202eno&lt;/b&gt; route;"
        " <code>dock-agent status</code> says &lt;when&gt;"
    )
