"""How one object moves to one destination: a table."""

from collections.abc import Mapping
from enum import StrEnum

from dock_agent.recording import TransferState


class TransferMove(StrEnum):
    """What can happen to a transfer."""

    FREED = "freed"  # the objects that go before it are confirmed
    CLAIMED = "claimed"  # a worker holds it, for the length of a lease
    PROVED = "proved"  # the destination proved the whole object
    POSTPONED = "postponed"  # unreachable, or the lease ran out: again later
    TURNED_DOWN = "turned down"  # the destination will not take it as it stands
    ASKED_AGAIN = "asked again"  # a person says: try once more
    MISSED = "missed"  # a later look found that the destination lost it
    UNSEALED = "unsealed"  # a seal whose docking is no longer whole over there
    HELD_BACK = "held back"  # a person says: not now
    LET_GO = "let go"  # a person says: now
    SET_ASIDE = "set aside"  # our own copy was quarantined
    GIVEN_UP = "given up"  # a person says: not to this destination, which is left out
    NAMED_AGAIN = "named again"  # the configuration names its destination again


_S, _M = TransferState, TransferMove
MOVES: Mapping[tuple[TransferState, TransferMove], TransferState] = {
    (_S.BLOCKED, _M.FREED): _S.QUEUED,
    (_S.QUEUED, _M.CLAIMED): _S.SENDING,
    (_S.SENDING, _M.PROVED): _S.CONFIRMED,
    (_S.SENDING, _M.POSTPONED): _S.QUEUED,
    (_S.SENDING, _M.TURNED_DOWN): _S.REFUSED,
    (_S.REFUSED, _M.ASKED_AGAIN): _S.QUEUED,
    (_S.CONFIRMED, _M.MISSED): _S.QUEUED,
    (_S.CONFIRMED, _M.UNSEALED): _S.BLOCKED,
    **{(s, _M.UNSEALED): _S.BLOCKED for s in (_S.QUEUED, _S.PAUSED, _S.REFUSED)},
    (_S.QUEUED, _M.HELD_BACK): _S.PAUSED,
    (_S.PAUSED, _M.LET_GO): _S.QUEUED,
    **{
        (s, _M.SET_ASIDE): _S.WITHDRAWN
        for s in (_S.QUEUED, _S.SENDING, _S.REFUSED, _S.PAUSED)
    },
    **{
        (s, _M.GIVEN_UP): _S.WITHDRAWN
        for s in (_S.BLOCKED, _S.QUEUED, _S.SENDING, _S.REFUSED, _S.PAUSED)
    },
    (_S.WITHDRAWN, _M.NAMED_AGAIN): _S.QUEUED,
}
