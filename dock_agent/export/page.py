"""Make `verify.html`, and the text for those who would rather not trust a page.

The page is one file that needs no network, with an export's own facts in it. Its
policy lets run the one script and the one style that are in it, by their hashes, and
load nothing. Its parts are in `page/`; `tests/browser/test_verify_html.py` opens it
in a real browser.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources

from dock_agent.export.layout import About, embedded

SCRIPTS = ("sha.js", "ed25519.js", "log.js", "files.js", "page.js")
PARTS = resources.files("dock_agent.export") / "page"


def page(facts: Mapping[str, object]) -> bytes:
    """Return the page for an export; `facts` are those of `check.embeddable`."""
    style = _part("verify.css")
    script = '"use strict";\n(() => {\n' + "".join(map(_part, SCRIPTS)) + "})();\n"
    policy = POLICY.format(script=_hash(script), style=_hash(style))
    text = _part("verify.html")
    for name, content in (
        ("policy", policy),
        ("style", style),
        ("script", script),
        ("facts", embedded(facts)),  # the last: nothing in it is taken for a name
    ):
        before, mark, after = text.partition("{{" + name + "}}")
        text = before + content + after if mark else text
    return text.encode()


POLICY = (
    "default-src 'none'; script-src {script}; style-src {style};"
    " worker-src blob:; base-uri 'none'; form-action 'none'"
)


def instructions(about: About, fingerprint: str, counts: Sequence[int]) -> str:
    """Return VERIFY.txt. `counts`: files, custody lines, lines that are signed."""
    files, lines, signed = counts
    return _part("VERIFY.txt").format(
        station=about.station,
        at=about.at,
        files=files,
        lines=lines,
        signed=signed,
        fingerprint=fingerprint,
    )


def _part(name: str) -> str:
    return (PARTS / name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
