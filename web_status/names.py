"""Names that others chose, made fit to be shown. Pure.

A camera's file name may hold any byte but the slash. The pages show it in
`<bdi>`, and what would not be seen, or would turn the text around it, escaped.
"""

import unicodedata

from markupsafe import Markup, escape

UNSEEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, format and direction marks, nothing at all."""


def shown(name: str | bytes) -> str:
    r"""Return the name with each unseen character as `\x1b` or `\u202e`."""
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    return "".join(map(_seen, text))


def commands(sentence: str) -> Markup:
    """Return a sentence for a page, what is between backquotes drawn as code."""
    parts = map(escape, shown(sentence).split("`"))
    drawn = (
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )
    return Markup("").join(drawn)


def _seen(character: str) -> str:
    if unicodedata.category(character) not in UNSEEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  # surrogateescape: a raw byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004
