"""Whether an S3 store hashes what it is sent: it is sent something else, and told.

A store that takes five bytes under the digest of others only repeats what it
was told. Objects and parts are asked for apart: some check one and not the other.
"""

import hashlib
import secrets

from dock_agent.recording import Digest
from dock_agent.sync.s3_client import Client
from dock_agent.sync.s3_xml import checksum, trouble, upload_id

ALGORITHM = "x-amz-checksum-algorithm"
WRONG = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"})
BODY = b"probe"
ANOTHER = checksum(Digest(hashlib.sha256(b"another").hexdigest()))
TAKEN = 200


def refuses_a_wrong_object(client: Client, prefix: str) -> bool:
    """Whether a PUT of bytes that are not what their digest says is refused."""
    key = _name(prefix)
    answer = client.call("PUT", key, None, ANOTHER, BODY)
    if answer.status == TAKEN:
        client.call("DELETE", key)
    return trouble(answer.body).code in WRONG


def refuses_a_wrong_part(client: Client, prefix: str) -> bool:
    """Whether a part that is not what its digest says is refused."""
    key = _name(prefix)
    begun = client.call("POST", key, {"uploads": ""}, {ALGORITHM: "SHA256"})
    if begun.status != TAKEN:
        return False
    upload = {"uploadId": upload_id(begun.body)}
    answer = client.call("PUT", key, {"partNumber": "1", **upload}, ANOTHER, BODY)
    client.call("DELETE", key, upload)
    return trouble(answer.body).code in WRONG


def _name(prefix: str) -> str:
    return f"{prefix}.probe/{secrets.token_hex(8)}"
