"""What an S3 store's answers mean, by their scope: a table."""

from collections.abc import Mapping
from http import HTTPStatus

from dock_agent.errors import (
    Barred,
    Busy,
    Full,
    NotTaken,
    Portal,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.sync.s3.xml import Trouble, trouble
from dock_agent.sync.transport.client import INTERCEPTED, Answer
from dock_agent.sync.transport.words import line_of, wait_s

NAMED = "x-amz-request-id"  # stores send it, portals do not
WRONG = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"})
"""What a store says of bytes that are not what their digest says."""
GONE = frozenset({"NoSuchUpload", "NoSuchKey"})
MISMATCHED = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})
SKEWED = "RequestTimeTooSkewed"
ABSENT, TOO_LARGE = HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
THERE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
"""What it says to "only if absent" where something is there."""
UNKNOWN = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.METHOD_NOT_ALLOWED})
"""What it says to what it has never heard of."""

BY_CODE: Mapping[type[SyncError], frozenset[str]] = {
    Barred: frozenset(
        {
            "AccessDenied",
            "AccountProblem",
            "AllAccessDisabled",
            "AuthorizationHeaderMalformed",
            "ExpiredToken",
            "InvalidAccessKeyId",
            "InvalidBucketName",
            "InvalidRegion",
            "InvalidSecurity",
            "InvalidToken",
            "NoSuchBucket",
            "NotSignedUp",
            "PermanentRedirect",
            SKEWED,
            "SignatureDoesNotMatch",
            "TemporaryRedirect",
            "TokenRefreshRequired",
        }
    ),
    Full: frozenset(
        {
            "InsufficientCapacity",
            "QuotaExceeded",
            "ServiceQuotaExceeded",
            "TooManyBuckets",
            "XMinioAdminBucketQuotaExceeded",
            "XMinioStorageFull",
        }
    ),
    Busy: frozenset(
        {
            "RequestLimitExceeded",
            "ServiceUnavailable",
            "SlowDown",
            "SlowDownRead",
            "SlowDownWrite",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
        }
    ),
    Unreachable: frozenset({"RequestTimeout"}),  # it heard us no longer
    Refused: frozenset({"EntityTooLarge", "KeyTooLongError"}),
    NotTaken: frozenset(
        {
            "ConditionalRequestConflict",
            "IncompleteBody",
            "InternalError",
            "InvalidObjectState",
            "NoSuchKey",
            "NoSuchUpload",
            "OperationAborted",
            "PreconditionFailed",
        }
        | WRONG
        | MISMATCHED
    ),
}
BY_STATUS: Mapping[int, type[SyncError]] = {
    301: Barred,
    307: Barred,
    401: Barred,
    402: Full,
    403: Barred,
    404: NotTaken,
    408: Unreachable,
    409: NotTaken,
    412: NotTaken,
    413: Refused,
    416: NotTaken,
    429: Busy,
    500: NotTaken,
    502: NotTaken,
    503: Busy,
    504: NotTaken,
    507: Full,
}
"""Where the code is none that we know, or a HEAD has none."""

ELSEWHERE = frozenset(
    {"AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect"}
)
MEANING = {code: kind for kind, codes in BY_CODE.items() for code in codes}
REFUSING = frozenset({400, 401, 403})
SAID_BY_ANYBODY = frozenset({402, 413, 429, 503, 507})
"""Proxies say these for a store, without its id; no portal does."""


def recognised(answer: Answer, host: str) -> None:
    """Raise where somebody else answered in the store's place: meets `Check`."""
    ill = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if answer.status in SAID_BY_ANYBODY or _own(answer) or wordless(answer):
        return
    if answer.status in INTERCEPTED or (_page(answer) and not ill):
        raise Portal(f"{host} answered {answer.status} with somebody else's page")
    if not answer.good:
        raise stranger(answer, host)


def wordless(answer: Answer) -> bool:
    """Whether it is a no without anything that tells whose: to HEAD, of some stores.

    A 404 must at least be of a store's kind (Ceph's gateway over SQLite): XML.
    """
    kind = answer.headers.get("content-type", "")
    bare = not answer.body and NAMED not in answer.headers and not _page(answer)
    absent = answer.status == ABSENT and kind.startswith("application/xml")
    return bare and (answer.status in REFUSING or absent)


def stranger(answer: Answer, host: str) -> Unreachable:
    """Return what is raised where whoever answered is no store."""
    return Unreachable(f"{host} answered {answer.status}, and not as a store does")


def expect(answer: Answer, doing: str, otherwise: type[SyncError] = Refused) -> Answer:
    """Return a good answer; raise what a bad one means, in the server's words.

    `otherwise` is what an answer means that the tables do not know.
    """
    if answer.good:
        return answer
    told = trouble(answer.body)
    kind = _meaning(answer, told) or otherwise
    words = _words(doing, answer, told)
    if kind is Busy:
        raise Busy(words, wait_s(answer.headers))
    raise kind(words)


def welcome(answer: Answer, doing: str) -> Answer:
    """Return a good answer about the bucket as a whole; raise what a bad one means.

    No object is at fault there: it is the place, or its server.
    """
    try:
        return expect(answer, doing, Barred)
    except (NotTaken, Refused) as error:
        ill = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise (Unreachable if ill else Barred)(str(error)) from error


def _meaning(answer: Answer, told: Trouble) -> type[SyncError] | None:
    if answer.status == HTTPStatus.BAD_REQUEST and not told.code:
        return Barred  # to HEAD: an old token, or another region
    return MEANING.get(told.code) or BY_STATUS.get(answer.status)


def _page(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


def _own(answer: Answer) -> bool:
    """Whether it is a store's own word: it has its id, and no body but its own.

    Some stores do without the id where they refuse a key (MinIO, rclone): then their
    XML is their word.
    """
    if answer.body and not answer.good:
        return bool(trouble(answer.body).code)
    return NAMED in answer.headers


def _words(doing: str, answer: Answer, told: Trouble) -> str:
    reason = line_of(f"{told.code} {told.message}") or "no reason given"
    return f"{doing}: {answer.status} {reason}{_advice(answer, told)}"


def _advice(answer: Answer, told: Trouble) -> str:
    """Return what to do, where more than the server's words is known."""
    region = line_of(told.region or answer.headers.get("x-amz-bucket-region", ""))
    moved = answer.status in INTERCEPTED or told.code in ELSEWHERE
    bare = answer.status == HTTPStatus.BAD_REQUEST and not told.code
    if region and (moved or bare):
        return f'; the bucket is elsewhere: set region = "{region}"'
    if moved:
        return "; the bucket is elsewhere: endpoint or region is another"
    if answer.status == TOO_LARGE or told.code == "EntityTooLarge":
        return "; the store, or a proxy before it, limits the size of what is sent"
    if told.code == SKEWED:
        return "; the store's clock and ours differ, and it does not say by how much"
    return ""
