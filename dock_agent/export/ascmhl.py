"""The `ascmhl/` folder of an export: ASC MHL 2.0, one generation. Pure.

ASC MHL has no SHA-256: it stands in each entry's metadata. The hash that its own tools
check is C4 (SMPTE ST 2114): SHA-512 in base 58, after `c4`, to 90 characters.
The folder lies in `data/`, so that it is about the cameras' files and no others.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from dock_agent.clock import unstamp
from dock_agent.export.layout import DATA, MHL, About
from dock_agent.export.written import Written

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LONG = 90  # characters of a C4 id


def folder(files: Mapping[str, Written], about: About) -> dict[str, str]:
    """Return the folder's two files by name, for the files below `data/`."""
    at = unstamp(about.at)
    name = f"0001_{DATA}_{at:%Y-%m-%d_%H%M%S}Z.mhl"
    listed = {n: one for n, one in files.items() if n.startswith(f"{DATA}/")}
    hashes = "".join(_hash(n, one, at) for n, one in sorted(listed.items()))
    text = LIST.format(
        at=_iso(at), station=escape(about.station), version="2.0", hashes=hashes
    )
    own = c4(hashlib.sha512(text.encode()).digest())
    chain = CHAIN.format(name=escape(name), c4=own)
    return {f"{MHL}/{name}": text, f"{MHL}/ascmhl_chain.xml": chain}


def c4(sha512: bytes) -> str:
    """Return the C4 id of a SHA-512."""
    number, digits = int.from_bytes(sha512, "big"), ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return "c4" + digits.rjust(LONG - 2, ALPHABET[0])


def _hash(name: str, one: Written, at: datetime) -> str:
    changed = datetime.fromtimestamp((one.mtime_ns or 0) // 10**9, UTC)
    return HASH.format(
        path=escape(name.removeprefix(f"{DATA}/")),
        size=one.size,
        changed=_iso(changed),
        at=_iso(at),
        c4=c4(one.sha512 or b""),
        sha256=one.sha256,
    )


def _iso(when: datetime) -> str:
    return when.replace(microsecond=0).isoformat()


HASH = """\
    <hash>
      <path size="{size}" lastmodificationdate="{changed}">{path}</path>
      <c4 action="original" hashdate="{at}">{c4}</c4>
      <metadata><sha256>{sha256}</sha256></metadata>
    </hash>
"""
LIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<hashlist version="2.0" xmlns="urn:ASC:MHL:v2.0">
  <creatorinfo>
    <creationdate>{at}</creationdate>
    <hostname>{station}</hostname>
    <tool version="{version}">dock-agent</tool>
  </creatorinfo>
  <processinfo>
    <process>transfer</process>
    <ignore>
      <pattern>.DS_Store</pattern>
      <pattern>ascmhl</pattern>
      <pattern>ascmhl/</pattern>
    </ignore>
  </processinfo>
  <hashes>
{hashes}  </hashes>
</hashlist>
"""
CHAIN = """\
<?xml version="1.0" encoding="UTF-8"?>
<ascmhldirectory xmlns="urn:ASC:MHL:DIRECTORY:v2.0">
  <hashlist sequencenr="1">
    <path>{name}</path>
    <c4>{c4}</c4>
  </hashlist>
</ascmhldirectory>
"""
