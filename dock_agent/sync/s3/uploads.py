"""What a store holds of uploads under way: their parts are listed, they are let go."""

from collections.abc import Mapping

from dock_agent.errors import SyncError, Unreachable
from dock_agent.sync.s3.answers import expect
from dock_agent.sync.s3.client import Client, Request
from dock_agent.sync.s3.put import forgot
from dock_agent.sync.s3.xml import Part, parts_page, uploads


def listed_parts(
    client: Client, key: str, query: Mapping[str, str]
) -> dict[int, Part] | None:
    """Return the parts that the store lists, by number; None if it forgot the upload.

    `query` names the upload.
    """
    listed: dict[int, Part] = {}
    marker: int | None = 0
    while marker is not None:
        asked = {"part-number-marker": str(marker), **query}
        answer = client.call("GET", key, asked)
        if forgot(answer):
            return None
        page = parts_page(expect(answer, f"resuming {key}").body)
        listed |= {part.number: part for part in page.parts}
        if page.marker is not None and page.marker <= marker:
            raise Unreachable(f"resuming {key}: a list without an end")
        marker = page.marker
    return listed


def abort(client: Client, key: str, ident: str | None) -> None:
    """Let the store forget an upload; a key that may not leaves it to the bucket."""
    if ident is not None:
        client.once(Request("DELETE", key, {"uploadId": ident}))


def abort_all(client: Client, key: str, but: str | None = None) -> None:
    """Let the store forget every upload of exactly this key: they are all ours.

    `but` is one that is kept.

    Stores that do not list them keep them, until the bucket's own rule ends them.
    """
    answer = client.call("GET", "", {"uploads": "", "prefix": key})
    if not answer.good:
        return
    try:
        idents = uploads(answer.body, key)
    except SyncError:
        return
    for ident in idents:
        if ident != but:
            abort(client, key, ident)
