"""The custody log in plain words: one sentence for each kind of event. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dock_agent.clock import unstamp
from dock_agent.durations import size_words
from dock_agent.errors import CustodyError
from dock_agent.recording import Proof, ReadBack
from web_status.names import shown

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: when, what in words, by whom; `line` is the log's own line."""

    at: datetime
    sentence: str
    actor: str
    clock_trusted: bool
    line: str


def entry(line: str) -> Entry:
    """Tell of one line of the log. Raises `CustodyError` if it is no such line."""
    try:
        said = json.loads(line)
        return Entry(
            at=unstamp(said["at"]),
            sentence=sentence(said["kind"], said["facts"]),
            actor=shown(said["actor"]),
            clock_trusted=bool(said["clock_trusted"]),
            line=line,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CustodyError("A line of the custody log cannot be read") from error


def sentence(kind: str, facts: Facts) -> str:
    """Return what happened; a kind without words of its own is named as it is."""
    if kind not in SENTENCES:
        return f"{shown(kind)}."
    return SENTENCES[kind](facts)


def _docked(facts: Facts) -> str:
    return f"Camera {_text(facts, 'camera')} was docked in bay {_text(facts, 'bay')}."


def _listed(facts: Facts) -> str:
    files, size = _number(facts, "files"), size_words(_number(facts, "bytes"))
    skipped = _number(facts, "skipped")
    rest = f"; entries that are no files were skipped: {skipped}" if skipped else ""
    return f"What is on the camera was listed: files {files}, {size}{rest}."


def _verified(facts: Facts) -> str:
    proof = HOW_READ.get(facts.get("method", ""), "The copy was read back")
    return f"{proof}; SHA-256 {_text(facts, 'sha256')} matched."


HOW_READ: Mapping[str, str] = {
    ReadBack.DIRECT: "Copied, and the copy was read back from the medium",
    ReadBack.DROPPED: "Copied, and the copy was read back from the medium",
    ReadBack.CACHED: "Copied; the copy was read back, perhaps only from memory",
}


def _timeline(facts: Facts) -> str:
    odd = facts.get("odd")
    told = "; ".join(map(str, odd)) if isinstance(odd, list) else "something"
    return f"The timeline of the videos was looked at. Odd there: {shown(told)}."


def _held(facts: Facts) -> str:
    return (
        "The camera was read again and has the same bytes as the copy from docking"
        f" {_text(facts, 'held_by')}; SHA-256 {_text(facts, 'sha256')}."
    )


def _sealed(facts: Facts) -> str:
    if facts.get("complete") is False:
        return "The docking was sealed without everything that was on the camera."
    return "The docking was sealed: every file verified, the manifest signed."


def _confirmed(facts: Facts) -> str:
    proof = HOW_PROVED.get(facts.get("proof", ""), "confirmed the whole file")
    apart = f" It is kept apart there ({_text(facts, 'apart')}): {WHOSE}."
    told = apart if facts.get("apart") else ""
    return f"Destination {_text(facts, 'destination')} {proof}.{told}"


WHOSE = "somebody there decides what becomes of it"

HOW_PROVED: Mapping[str, str] = {
    Proof.READ_BACK: "proved the whole file: every byte was fetched again and matched",
    Proof.ECHOED: "proved the whole file: the digest it computed itself matched",
    Proof.CACHED: "took the whole file; it matched in this station's own memory, which"
    " the configuration accepts",
}


def _refused(facts: Facts) -> str:
    return f"Destination {_text(facts, 'destination')} refused it{_because(facts)}."


def _erase_intended(facts: Facts) -> str:
    proofs = facts.get("proofs") or {}
    places = ", ".join(shown(str(place)) for place in proofs) or "no destination"
    return (
        "The camera's own copy may go from here on: it was read again and is the same"
        f" as the copy in the vault; confirmed by {places}."
    )


def _plain(words: str) -> Callable[[Facts], str]:
    return lambda facts: f"{words}{_because(facts)}."


def _because(facts: Facts) -> str:
    return f": {_text(facts, 'reason')}" if facts.get("reason") else ""


def _text(facts: Facts, key: str) -> str:
    return shown(str(facts.get(key, "?")))


def _number(facts: Facts, key: str) -> int:
    value = facts.get(key, 0)
    return value if isinstance(value, int) else 0


def _contact(facts: Facts) -> str:
    return f"Something was put into bay {_text(facts, 'bay')}{_camera(facts)}."


def _removed(facts: Facts) -> str:
    return f"What was in bay {_text(facts, 'bay')}{_camera(facts)} was taken out."


def _camera(facts: Facts) -> str:
    return f" (camera {_text(facts, 'camera')})" if facts.get("camera") else ""


def _order(facts: Facts) -> str:
    what = f"{_text(facts, 'key')} to " if facts.get("key") else ""
    asked = f"A person asked {what}{_text(facts, 'destination')}"
    return f"{asked}: {_text(facts, 'asked')}{_because(facts)}."


def _bound(facts: Facts) -> str:
    return (
        f"The destination {_text(facts, 'destination')} is the place that is marked"
        f" {_text(facts, 'marker')}; no other place is."
    )


def _moved(facts: Facts) -> str:
    known = "by its marker it is the same place"
    if facts.get("marked") is False:
        known = "it has no marker that tells which place it is"
    return (
        f"The destination {_text(facts, 'destination')} is reached at"
        f" {_text(facts, 'place')} now; {known}."
    )


def _left_out(facts: Facts) -> str:
    return f"The configuration no longer names {_text(facts, 'destination')}."


def _named_again(facts: Facts) -> str:
    return f"The configuration names {_text(facts, 'destination')} again."


def _withdrawn(facts: Facts) -> str:
    alone = "" if facts.get("nowhere_else") is False else NOWHERE_ELSE
    perhaps = " It may be there all the same." if facts.get("may_be_there") else ""
    return (
        f"It is not sent to {_text(facts, 'destination')} any more, as a person"
        f" ordered{_because(facts)}.{alone}{perhaps}"
    )


NOWHERE_ELSE = " No other destination had confirmed it."


def _queued_anew(facts: Facts) -> str:
    return (
        f"The destination {_text(facts, 'destination')} is configured again: files"
        f" queued anew {_number(facts, 'objects')}."
    )


def _lost_there(facts: Facts) -> str:
    return (
        f"Destination {_text(facts, 'destination')} no longer holds"
        f" {_text(facts, 'key')} as it was confirmed: {_text(facts, 'reason')}."
        " It is sent again."
    )


def _damaged(facts: Facts) -> str:
    told = _text(facts, "reason")
    return f"The vault's copy was read again: it {told}. It counts as no copy."


def _healed(facts: Facts) -> str:
    return (
        "The vault's copy was put right, and read back; SHA-256"
        f" {_text(facts, 'sha256')} matched. It came from {_text(facts, 'from')}."
    )


def _sent_before(facts: Facts) -> str:
    return (
        f"What was set aside here, {_text(facts, 'key')}, is or may be at"
        f" {_text(facts, 'destination')}{_because(facts)}."
    )


SENTENCES: Mapping[str, Callable[[Facts], str]] = {
    "contact": _contact,
    "removed": _removed,
    "order": _order,
    "destination bound": _bound,
    "destination moved": _moved,
    "destination left out": _left_out,
    "destination named again": _named_again,
    "withdrawn": _withdrawn,
    "queued anew": _queued_anew,
    "lost there": _lost_there,
    "sent before": _sent_before,
    "timeline": _timeline,
    "started": _plain("The station was started"),
    "key changed": _plain("From here on the station signs with another key"),
    "log differs": _plain("The custody log was found not to be what was signed"),
    "rebuilt": _plain("The database was made anew from the vault"),
    "stray": _plain("A file that nobody proved was moved out of the bag"),
    "docked": _docked,
    "listed": _listed,
    "copying": _plain("Copying began"),
    "checking": _plain("Every file was copied; a second full pass began"),
    "verified": _verified,
    "held": _held,
    "missed": _plain("The file was not copied in this docking"),
    "quarantined": _plain("The copy was set aside and does not count as safe"),
    "damaged": _damaged,
    "healed": _healed,
    "sealed": _sealed,
    "interrupted": _plain("The docking was interrupted"),
    "waiting": _plain("The docking waits for room"),
    "fault": _plain("The docking stopped; a person must look"),
    "confirmed": _confirmed,
    "refused": _refused,
    "exported": _plain("It was exported: a copy left the station"),
    "hold placed": _plain("A person ordered that this docking is kept"),
    "hold lifted": _plain("A person ended that order"),
    "erase intended": _erase_intended,
    "erased": _plain("A fresh look at the camera did not find its own copy any more"),
    "not erased": _plain("The camera still has its own copy"),
    "found gone": _plain("The camera's own copy was no longer found on it"),
    "camera cleared": _plain("The camera's own copies were erased, and nothing else"),
    "erase refused": _plain("Nothing was erased from the camera"),
    "erase failed": _plain("The camera was not cleared; some files may be gone"),
    "erase interrupted": _plain(
        "Clearing the camera was interrupted; some files may be gone from it"
    ),
}
