"""A docking as the queue sends it: recordings, the bag's own files, its signature."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from dock_agent.recording import DockingId
from dock_agent.sync.axis import names
from dock_agent.sync.axis.destination import Axis
from dock_agent.sync.destination import Object, Progress
from support.axis_server import AxisServer, Reply, Request
from support.place_axis import ANYBODY
from support.places import BEGIN, DOCKING, about
from support.sending import Memory, item

SEAL = "tagmanifest.sig"
BAG = ("bagit.txt", "manifest-sha256.txt", "custody.jsonl")


@dataclass
class Docking:
    """Objects in the order in which they are sent, and how far each has got."""

    objects: list[Object]
    progress: dict[str, Progress] = field(default_factory=dict)

    @property
    def seal(self) -> Object:
        return self.objects[-1]

    def send(self, axis: Axis) -> None:
        """Send what is left, each object until it is confirmed."""
        for sent in list(self.objects):
            self.send_one(axis, sent)

    def send_one(self, axis: Axis, sent: Object) -> None:
        memory = Memory()
        try:
            known = self.progress.get(sent.key, Progress())
            done = axis.send(sent, known, memory)
        finally:
            if memory.kept:
                self.progress[sent.key] = memory.newest
        assert axis.confirm(sent, done, sent=True) is not None


def docking(folder: Path, recordings: int = 2, ident: DockingId = DOCKING) -> Docking:
    """Write the files of a docking: a clip and a track for each recording.

    The first recording is marked; each stops half a minute after it began.
    """
    whats = [
        replace(
            about(f"data/DCIM/{number:04}.{ending}"),
            recording=f"DCIM/{number:04}",
            start=BEGIN + timedelta(minutes=number),
            written=BEGIN + timedelta(minutes=number, seconds=30),
            stop=BEGIN + timedelta(minutes=number, seconds=30),
            marked=number == 0,
        )
        for number in range(recordings)
        for ending in ("MP4", "NMEA")
    ]
    whats += [about("data/LOG.TXT")]
    whats[-1] = replace(whats[-1], recording=None, start=None, officer=None)
    whats += [about(file) for file in BAG]
    whats += [about(SEAL, seal=True)]
    return Docking(
        [
            item(folder, 50 + number, f"{ident}/{what.file}", number, what)
            for number, what in enumerate(replace(w, docking=ident) for w in whats)
        ]
    )


def spot(sent: Object) -> names.Spot:
    """Return where an object goes."""
    return names.spot(sent.about, ANYBODY)


def own(ident: DockingId = DOCKING) -> str:
    """Return the docking's own container."""
    return names.docking_container(replace(about(), docking=ident))


def complete(server: AxisServer) -> set[str]:
    """Return the containers that are complete."""
    return {name for name, box in server.boxes.items() if box.complete}


def containers(sent: Docking) -> set[str]:
    """Return the containers that the objects go to."""
    return {spot(each).container for each in sent.objects}


def bookmarks(server: AxisServer) -> list[str]:
    """Return the bookmarks that are there, by their paths."""
    return [
        f"{container}/{name}"
        for container, box in server.boxes.items()
        for name in box.blobs
        if name.startswith("bookmark")
    ]


def rejects(server: AxisServer) -> list[str]:
    """Return the containers of rejected content."""
    return [name for name in server.boxes if name.startswith("RejectedContent")]


def there(server: AxisServer, sent: Object) -> bytes | None:
    """Return what is there of an object."""
    where = spot(sent)
    box = server.boxes.get(where.container)
    blob = None if box is None else box.blobs.get(where.name)
    return None if blob is None else blob.data


@contextmanager
def faulty(
    server: AxisServer, fault: Callable[[Request], Reply | None]
) -> Iterator[None]:
    """Let a fault answer in the server's place within the block."""
    server.faults.append(fault)
    try:
        yield
    finally:
        server.faults.remove(fault)
