"""Which content destination this is: the system object that this station left there.

"It makes it possible to check that the system is communicating with the expected
endpoint instance" (README, "SystemID"): its ConnectionId is given once, and another
one means that the place was swapped for another.
"""

from dataclasses import dataclass, field

from dock_agent.errors import Barred
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import SILENT, Account, expect
from dock_agent.sync.axis.capabilities import SYSTEM_ID
from dock_agent.sync.content import unheard

OK, CREATED, ACCEPTED = 200, 201, 202
CONNECTION_ID, SYSTEM_NAME = "ConnectionId", "SystemName"


@dataclass(slots=True)
class Identity:
    """Reads and writes the object called `system`, of the station called `name`.

    A place that shows nothing of it cannot be known again: it has no marker.
    """

    account: Account
    system: str
    name: str
    _unshown: set[str] = field(default_factory=set)

    def marker(self) -> str | None:
        """Return the ConnectionId that the place has for us; None if it has none."""
        for container in dict.fromkeys((self._container(), names.MARKERS)):
            found = self._told((container, self.system))
            if found is not None:
                return found
        return None

    def mark(self, ident: str) -> None:
        """Leave the object there; `Barred` if there is one with another id."""
        known = self.marker()
        if known not in {None, ident}:
            raise Barred(f"this place knows this station as {known}, not as {ident}")
        if known == ident or self.system in self._unshown:
            return
        container, doing = self._container(), "leaving a mark of this station"
        made = self.account.call("PUT", (container,))
        expect(made, doing, CREATED, ACCEPTED)
        fields = {CONNECTION_ID: ident, SYSTEM_NAME: self.name}
        told = metadata.headers(metadata.OBJECT, fields)
        answer = self.account.call("PUT", (container, self.system), told.headers)
        expect(answer, doing, CREATED)
        if self.marker() is None:
            self._unshown.add(self.system)  # so that it is not left there every time

    def _container(self) -> str:
        supported = SYSTEM_ID in self.account.capable()
        return names.SYSTEM if supported else names.MARKERS

    def _told(self, path: tuple[str, str]) -> str | None:
        with self.account.read(path, unheard) as incoming:
            answer = incoming.answer
        if answer.status == OK:
            return metadata.value(answer.headers, metadata.OBJECT, CONNECTION_ID)
        if answer.status in SILENT:
            seen = self.account.seen(path)
            return metadata.value(seen.headers, metadata.OBJECT, CONNECTION_ID)
        expect(answer, "looking for the mark of this station", OK, 404)
        return None
