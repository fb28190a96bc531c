"""The containers of a docking at an Axis content destination.

Each is `Transferring` from when it is made, and `Complete` only once the docking's
signature is there; nothing is written to it after that. Which containers a docking
has stands in the metadata of its own container, one field for each: a POST adds to
what is there, so neither threads nor restarts lose one. A container is noted before
it is made, so that none is there that was not noted, wherever a process died.

Where the place does not say what it holds, what this process noted must do: that is
all of it if the docking's container was made by this process.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dock_agent.errors import NotTaken, Refused
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import Account, Rejected, Seen, expect
from dock_agent.sync.axis.people import People
from dock_agent.sync.destination import About

CREATED, ACCEPTED, UPDATED, ABSENT = 201, 202, 204, 404
FULL = 28  # fields of a page; those of all threads that may come at once fit, too
PAGES = 1000


@dataclass(slots=True)
class Shelf:
    """Makes containers, and completes them; several threads may use it.

    `station` is the station's name. What is kept here saves questions, no more.
    """

    account: Account
    people: People
    station: str
    _open: set[str] = field(default_factory=set)  # ours, and not complete
    _noted: dict[str, set[str]] = field(default_factory=dict)

    @property
    def anybody(self) -> str:
        """Return whom recordings without an officer belong to."""
        return self.people.anybody

    def place(self, about: About) -> names.Spot:
        """Return where an object goes, in a container that is open for it.

        What another docking brought already, in part, is complete or will be: what
        comes later of it goes to the later docking's own container. Raises `Refused`
        where the container is complete.
        """
        self._open_docking(about)
        found = names.recorded(about, self.anybody)
        if found is None or self._open_recording(about, found):
            return names.spot(about, self.anybody)
        return names.late(about)

    def forget(self, container: str) -> None:
        """Look again whether a container is there before it is written to."""
        self._open.discard(container)

    def complete(self, about: About) -> None:
        """Say that nothing more comes for a docking; its own container comes last."""
        own = names.docking_container(about)
        if _is_complete(self._look(own)):
            return
        for name in (*self._containers(about), own):
            seen = self._look(name)
            ours = metadata.told_docking(seen.headers) == about.docking
            if seen.there is None or (ours and not _is_complete(seen)):
                self._open.discard(name)
                self._finish(name, own)
        self._noted.pop(own, None)

    def _finish(self, name: str, own: str) -> None:
        done = metadata.headers(
            metadata.CONTAINER, {metadata.STATUS: metadata.COMPLETE}
        )
        answer = self.account.call("POST", (name,), done.headers)
        if answer.status == ABSENT and name != own:
            return  # it was noted, and rejected before it was made
        expect(answer, f"completing {name}", UPDATED, ACCEPTED)

    def _open_docking(self, about: About) -> None:
        own = names.docking_container(about)
        if own not in self._open:
            self._make_page(about, own)

    def _open_recording(self, about: About, found: names.Recorded) -> bool:
        """Make a recording's container; return False if it is another docking's."""
        name = names.container(found)
        if name in self._open:
            return True
        self.people.introduce(about, found)
        self._note(about, found)
        fields = metadata.of_recording(about, found, self.station)
        return self._make(about, name, fields)

    def _make_page(self, about: About, name: str) -> None:
        try:
            self._make(about, name, metadata.of_docking(about, name, self.station))
        except Rejected as error:  # which says nothing of the footage
            raise Refused(
                f"this place takes no container of a station's own: {error}"
            ) from error

    def _make(self, about: About, name: str, fields: metadata.Fields) -> bool:
        """Make a container where there is none; return whether it is the docking's."""
        seen = self._look(name)
        if not seen.there:
            answer = self.account.call("PUT", (name,))
            if expect(answer, f"making {name}", CREATED, ACCEPTED).status == CREATED:
                return self._made(about, name, fields)
            seen = self._look(name)
        whose = metadata.told_docking(seen.headers)
        if seen.there and whose is None and metadata.status(seen.headers) is None:
            return self._made(about, name, fields)  # a process died before it told
        if seen.there and whose != about.docking:
            return False
        if _is_complete(seen):
            raise Refused(f"{name} is complete there: nothing more may come to it")
        self._open.add(name)
        return True

    def _made(self, about: About, name: str, fields: metadata.Fields) -> bool:
        """Tell what a container is that was just made."""
        describe(self.account, name, fields)
        if name == names.docking_container(about):
            self._noted.setdefault(name, set())
        self._open.add(name)
        return True

    def _note(self, about: About, found: names.Recorded) -> None:
        """Note a recording's container on the first page that has room for it."""
        name = names.container(found)
        self._noted.get(names.docking_container(about), set()).add(name)
        for page in range(1, PAGES):
            here = names.docking_container(about, page)
            if page > 1:
                self._make_page(about, here)
            seen = self._look(here)
            if not seen.there:
                return  # it does not say: our own notes must do
            known = metadata.entries(seen.headers, found.serial)
            if name in known:
                return
            if len(known) < FULL:
                update(self.account, here, metadata.entry(found))
                return
        raise NotTaken(f"no room is left to note {name}")

    def _containers(self, about: About) -> Iterator[str]:
        """Yield every container of a docking but its own."""
        own = names.docking_container(about)
        if self._look(own).there is not True:
            yield from self._from_memory(own)
            return
        for page in range(1, PAGES):
            here = names.docking_container(about, page)
            seen = self._look(here)
            known = metadata.entries(seen.headers, names.serial(about.camera))
            yield from sorted(known)
            if page > 1 and seen.there:
                yield here
            if len(known) < FULL:
                return

    def _from_memory(self, own: str) -> list[str]:
        if own not in self._noted:
            raise NotTaken(
                f"{own} cannot be completed: the place does not say what belongs to it"
            )
        return sorted(self._noted[own])

    def _look(self, name: str) -> Seen:
        return self.account.seen((name,))


def describe(account: Account, name: str, fields: metadata.Fields) -> None:
    """Tell what a container is; what no header has room for in an object of it."""
    left = update(account, name, fields)
    if not left:
        return
    told = metadata.story(fields, names.Spot(name, ""))
    origin = {key: v for key, v in fields.items() if key == metadata.ORIGIN}
    headers = metadata.headers(metadata.OBJECT, origin).headers
    answer = account.call("PUT", (name, names.DESCRIPTION), headers, told)
    expect(answer, f"describing {name}", CREATED)


def update(account: Account, name: str, fields: metadata.Fields) -> metadata.Fields:
    """Add to a container's metadata; return what does not fit in headers."""
    told = metadata.headers(metadata.CONTAINER, fields)
    answer = account.call("POST", (name,), told.headers)
    expect(answer, f"describing {name}", UPDATED, ACCEPTED)
    return told.left


def _is_complete(seen: Seen) -> bool:
    return metadata.status(seen.headers) == metadata.COMPLETE
