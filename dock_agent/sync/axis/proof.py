"""What an Axis content destination does with a body, found out by trying.

The API lists GET for system objects only, and says nothing of a digest that a server
computes; a standard Swift gives every object back, and refuses a body whose MD5 is
not its ETag with 422. What it is told to be is not believed.
"""

import hashlib
from dataclasses import dataclass

from dock_agent.sync.axis import names
from dock_agent.sync.axis.account import Account, expect
from dock_agent.sync.axis.capabilities import plain
from dock_agent.sync.content import unheard
from dock_agent.sync.transport.client import Answer

BODY, OTHER = b"what comes back?", b"something else altogether"
OK, CREATED, ACCEPTED = 200, 201, 202
NEVER, EXISTS, DAMAGED = 400, 412, 422


@dataclass(frozen=True, slots=True)
class Findings:
    """`reads`: gives objects back. `refuses`: takes no damaged body.

    `computes`: answers with an MD5 of its own. `conditional`: replaces nothing where
    it is asked not to. `tells`: says what a container is.
    """

    reads: bool
    refuses: bool
    computes: bool
    conditional: bool
    tells: bool

    @property
    def echoes(self) -> bool:
        """Whether its ETag proves that it has what was sent."""
        return self.refuses and self.computes

    def __str__(self) -> str:
        proof = "nothing it says is proof: no object will ever be confirmed there"
        if self.echoes:
            proof = "it gives nothing back; the MD5 that it computes is the proof"
        if self.reads:
            proof = "every object is read back"
        if self.tells:
            return proof
        return f"{proof}; it does not say what a docking has there"


def md5(body: bytes) -> str:
    """Return the MD5 of some bytes, as ETags have it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def find_out(account: Account, name: str) -> Findings:
    """Try with an object of our own called `name`, and take it away again.

    Raises as a destination does. What cannot be taken away is one small object.
    """
    doing = "trying what it does with an object"
    made = account.call("PUT", (names.CHECK,))
    expect(made, f"making {names.CHECK}", CREATED, ACCEPTED)
    path = (names.CHECK, name)
    try:
        damaged = account.call("PUT", path, {"ETag": md5(BODY)}, OTHER)
        expect(damaged, doing, CREATED, NEVER, DAMAGED)
        written = expect(account.call("PUT", path, body=BODY), doing, CREATED)
        again = account.call("PUT", path, {"If-None-Match": "*"}, BODY)
        return Findings(
            reads=_comes_back(account, path),
            refuses=damaged.status == DAMAGED,
            computes=_etag(written) == md5(BODY),
            conditional=again.status == EXISTS,
            tells=account.seen((names.CHECK,)).there is True,
        )
    finally:
        account.call("DELETE", path)


def _comes_back(account: Account, path: tuple[str, ...]) -> bool:
    with account.read(path, unheard) as incoming:
        if incoming.answer.status != OK:
            return False
        return b"".join(incoming.pieces) == BODY


def _etag(answer: Answer) -> str:
    return plain(answer.headers.get("etag", ""))
