"""Write docs/encryption-vectors.json anew: keys and files that others can test with.

`python -m tools.make_vectors`. Keys and salts are chance: every run makes other ones,
so they are made again only when the format is.
"""

import base64
import hashlib
import json
from pathlib import Path

from dock_agent import dock_decrypt
from dock_agent.custody import recipients
from dock_agent.vault.encrypt import Envelope

VECTORS = Path(__file__).parent.parent / "docs/encryption-vectors.json"
SIZES = (0, 13, 16 << 10, (16 << 10) + 1)
UNIT = b"dock-agent vector "


def plaintext(size: int) -> bytes:
    """Return so many bytes of the phrase, again and again."""
    return (UNIT * (size // len(UNIT) + 1))[:size]


def encrypted(plain: bytes, to: list[recipients.Recipient]) -> bytes:
    """Encrypt a small file."""
    envelope, out = Envelope(to), bytearray()
    stream = envelope.sealing(lambda block, _: out.extend(block))
    stream.write(memoryview(plain), 0)
    stream.finish()
    return bytes(out)


def main() -> None:
    """Write the vectors."""
    made = {profile: dock_decrypt.make(profile) for profile in dock_decrypt.PROFILES}
    known = {name: recipients.parse(public) for name, (_, public) in made.items()}
    to = {"all": list(known.values()), **{name: [one] for name, one in known.items()}}
    vectors = {
        "phrase": UNIT.decode(),
        "recipients": [
            {"id": known[name].id, "profile": name, "private": private.decode()}
            for name, (private, _) in made.items()
        ],
        "files": [
            {
                "to": [one.id for one in to[who]],
                "size": size,
                "sha256": hashlib.sha256(plaintext(size)).hexdigest(),
                "encrypted": base64.b64encode(
                    encrypted(plaintext(size), to[who])
                ).decode(),
            }
            for size, who in zip(SIZES, ("all", "default", "fips", "rsa"), strict=True)
        ],
    }
    VECTORS.write_text(json.dumps(vectors, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
