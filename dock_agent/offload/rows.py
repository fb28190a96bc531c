"""What the child found and proved, as the store keeps it; what is planned of it."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from dock_agent.cameras.profile import find, shipped
from dock_agent.errors import StoreError
from dock_agent.offload.messages import Planned, Proof
from dock_agent.offload.plan import Entry
from dock_agent.offload.source import shown
from dock_agent.recording import CameraId, FileId, FileState, Priority
from dock_agent.store.file import File, FileProof
from dock_agent.store.inventory import NewFile
from dock_agent.store.recordings import NewRecording
from dock_agent.store.transfers import NewTransfer


def file_proof(proof: Proof) -> FileProof:
    """Return a proof as the store takes it."""
    known = proof.digest, proof.parts, proof.method, proof.counted
    return FileProof(proof.id, *known, retries=proof.retries, encrypted=proof.encrypted)


def new_file(entry: Entry, known: Mapping[str, NewRecording]) -> NewFile:
    """Return an entry of the inventory as a row; `known` by the recordings' names."""
    found = entry.found
    state = FileState.LISTED if found.missed is None else FileState.MISSED
    if found.skipped is not None:
        state = FileState.SKIPPED
    return NewFile(
        found.path,
        entry.stored,
        found.size,
        found.mtime_ns,
        state,
        found.skipped or found.missed,
        None if entry.recording is None else known[entry.recording].id,
    )


def planned(ident: FileId, entry: Entry) -> Planned:
    """Return an entry of the inventory as a line of the plan: to be copied."""
    found = entry.found
    return Planned(
        ident,
        found.path,
        entry.stored,
        found.size,
        found.mtime_ns,
        found.device,
        found.inode,
    )


def transfer_of(file: File, bag: PurePosixPath, camera: CameraId) -> NewTransfer:
    """Return a verified file as an object to send; raise `StoreError` if it is none.

    What the officer marked goes first, then the newest.
    """
    if file.copy_sha256 is None:
        raise StoreError(f"file {file.id} was never proved")
    path = str(bag / "data" / file.stored)
    profile = find(shipped(), camera.partition(":")[0])
    marked = profile.is_marked(shown(file.path))
    return NewTransfer(
        docking=file.docking,
        path=path,
        key=path,
        size=file.copy_size,
        sha256=file.copy_sha256,
        file=file.id,
        priority=Priority.MARKED if marked else Priority.NORMAL,
        rank=-(file.mtime_ns // 1_000_000_000),
    )
