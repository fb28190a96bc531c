"""What the child found and proved, as the store keeps it; what is planned of it."""

from collections.abc import Mapping

from dock_agent.offload.messages import Planned, Proof
from dock_agent.offload.plan import Entry
from dock_agent.recording import FileId, FileState, RecordingId
from dock_agent.store.files import FileProof
from dock_agent.store.inventory import NewFile


def file_proof(proof: Proof) -> FileProof:
    """Return a proof as the store takes it."""
    return FileProof(proof.id, proof.digest, proof.parts, proof.method, proof.counted)


def new_file(entry: Entry, ids: Mapping[str, RecordingId]) -> NewFile:
    """Return an entry of the inventory as a row; `ids` by the recordings' names."""
    found = entry.found
    state = FileState.LISTED if found.skipped is None else FileState.SKIPPED
    return NewFile(
        found.path,
        entry.stored,
        found.size,
        found.mtime_ns,
        state,
        found.skipped,
        None if entry.recording is None else ids[entry.recording],
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
