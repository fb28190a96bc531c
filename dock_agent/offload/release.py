"""May a camera's own copy go? The rules, and nothing else. Pure.

Each rule is a sentence that says why not. A docking is released whole or not at
all: one file that may not go keeps all the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dock_agent.recording import (
    CameraId,
    DestinationName,
    Digest,
    DockingState,
    FileState,
    Policy,
    Proof,
    ReadBack,
)

PROVES = frozenset({Proof.READ_BACK, Proof.ECHOED})
FROM_THE_MEDIUM = frozenset({ReadBack.DIRECT, ReadBack.DROPPED})
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  # no station is older than its program
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
FURTHER_NAME = "hard link"  # as the scan says it: what it names is a regular file
MOST_TRIES = 2  # a file that could not be removed so often is left to a person


@dataclass(frozen=True, slots=True)
class Rule:
    """What this station, and this model of camera, allow."""

    policy: Policy
    may_erase: bool  # by the camera's profile
    cached_vault: bool  # copies may have been read back from memory only
    destinations: frozenset[DestinationName]  # of the configuration


@dataclass(frozen=True, slots=True)
class Visit:
    """The docking that is asked about. `listed` are entries of any kind."""

    camera: CameraId
    docked: CameraId  # what is in the bay now
    attached: bool  # the same medium as when it was offloaded
    state: DockingState
    complete: bool | None  # every file safe, and read once more after the last
    signed: bool  # it, and each that its copies lie in: as it was signed
    sealed_at: datetime | None
    on_hold: bool
    cleared: bool  # it was tried before, however that ended


@dataclass(frozen=True, slots=True)
class Copy:
    """One listed entry, and the copy in the vault that stands for it.

    Of a held file that is the copy of the docking that holds it, else its own.
    `size` is how long the copy is, `there` how long it is on the disk now.
    """

    name: str
    kind: str | None  # what it is besides a file's first name: "symlink", "hard link"
    state: FileState
    size: int
    digest: Digest | None
    copy_state: FileState
    copy_digest: Digest | None
    copy_sealed: bool  # the docking that it lies in
    method: ReadBack | None
    retries: int | None
    there: int | None
    on_hold: bool  # by any docking that listed it
    proofs: Mapping[DestinationName, Proof]  # of the same digest, confirmed
    kept: int  # erases that it outlived


def objection(
    rule: Rule, visit: Visit, copies: Sequence[Copy], now: datetime
) -> str | None:
    """Return why nothing of this docking may be erased; None if all of it may."""
    for allowed, told in _of_station(rule) + _of_visit(visit, now):
        if not allowed:
            return told
    for copy in copies:
        if copy.kind == FURTHER_NAME:
            return f"{copy.name}: it is a second name of a file, and would stay"
    evidence = [copy for copy in copies if copy.state is not FileState.SKIPPED]
    if not evidence:
        return "there is nothing to erase"
    for copy in evidence:
        told_of_file = objection_to_file(rule, copy)
        if told_of_file is not None:
            return f"{copy.name}: {told_of_file}"
    return None


def objection_to_file(rule: Rule, copy: Copy) -> str | None:
    """Return why this file may not go, whatever the others; None if it may."""
    for allowed, told in _of_copy(copy):
        if not allowed:
            return told
    return PROOFS[rule.policy](rule, copy)


Answer = tuple[bool, str]


def _of_station(rule: Rule) -> list[Answer]:
    return [
        (rule.policy is not Policy.NEVER, "this station never erases a camera"),
        (rule.may_erase, "the profile of this model does not say `may_erase`"),
        (
            not rule.cached_vault,
            "this vault accepts copies that may be in memory only",
        ),
    ]


def _of_visit(visit: Visit, now: datetime) -> list[Answer]:
    sealed_at = visit.sealed_at or LATEST
    return [
        (visit.docked == visit.camera, "another camera is in the bay"),
        (visit.attached, "the camera was taken out since it was offloaded"),
        (visit.state is DockingState.SEALED, "its docking is not sealed"),
        (visit.signed, "its docking is not signed"),
        (visit.complete is True, "its docking is not complete"),
        (not visit.on_hold, "its docking is on hold"),
        (not visit.cleared, "it was tried in this docking already"),
        (EARLIEST <= now < LATEST, "the station's clock is wrong"),
        (sealed_at <= now, "the station's clock was set back since the seal"),
    ]


def _of_copy(copy: Copy) -> list[Answer]:
    safe = copy.state in {FileState.VERIFIED, FileState.HELD}
    return [
        (safe, f"it is {copy.state}, not in the vault"),
        (copy.copy_state is FileState.VERIFIED, f"its copy is {copy.copy_state}"),
        (copy.copy_sealed, "the docking that holds its copy is not sealed"),
        (copy.digest is not None, "it has no digest"),
        (copy.digest == copy.copy_digest, "its copy has another digest"),
        (copy.method in FROM_THE_MEDIUM, "its copy was not read from the medium"),
        (copy.retries is not None, "nobody counted how often it was read"),
        (copy.retries == 0, "the camera did not read it at once"),
        (copy.there == copy.size, "its copy is not in the vault as it was"),
        (not copy.on_hold, "it is on hold"),
        (copy.kept < MOST_TRIES, "it could not be removed: look at the card"),
    ]


def _never(rule: Rule, copy: Copy) -> str:
    del rule, copy
    return "this station never erases a camera"


def _verified(rule: Rule, copy: Copy) -> None:
    del rule, copy  # all that this policy asks was asked already


def _confirmed(rule: Rule, copy: Copy) -> str | None:
    if not rule.destinations:
        return "no destination is configured that could confirm it"
    for name in sorted(rule.destinations):
        if copy.proofs.get(name) not in PROVES:
            return f"{name} has not proved it"
    return None


PROOFS: Mapping[Policy, Callable[[Rule, Copy], str | None]] = {
    Policy.NEVER: _never,
    Policy.AFTER_VERIFIED: _verified,
    Policy.AFTER_CONFIRMED: _confirmed,
}
