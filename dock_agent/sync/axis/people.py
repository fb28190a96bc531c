"""Users and cameras at an Axis content destination (README, "Device and User API").

A recording is taken only from a user and a camera that the place knows, so each is
made known before its first recording. One that is known already is left as it is:
somebody may have given it another name there.
"""

from dataclasses import dataclass, field

from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import Account, expect
from dock_agent.sync.axis.capabilities import USER_KEY
from dock_agent.sync.destination import About

MADE, MADE_BEFORE = 201, 202


@dataclass(slots=True)
class People:
    """Makes users and cameras known; `anybody` stands for recordings of nobody."""

    account: Account
    anybody: str
    _known: set[names.Spot] = field(default_factory=set)

    def introduce(self, about: About, found: names.Recorded) -> None:
        """Make the user and the camera of a recording known. `NotTaken`: no licence."""
        who = about.officer or self.anybody
        user = names.Spot(names.USERS, found.user)
        if user not in self._known:
            fields = {"Active": "True", "Name": who}
            if USER_KEY in self.account.capable():
                fields["UserID"] = who
            self._make_known(user, fields, f"making the user {who} known")
        camera = names.Spot(names.DEVICES, found.serial)
        if camera not in self._known:
            model = names.model(about.camera)
            fields = {"Active": "True", "Name": about.camera, "Model": model}
            self._make_known(camera, fields, f"making {about.camera} known")

    def _make_known(
        self, spot: names.Spot, fields: metadata.Fields, doing: str
    ) -> None:
        expect(self.account.call("PUT", (spot.container,)), doing, MADE, MADE_BEFORE)
        if not self.account.seen((spot.container, spot.name)).there:
            told = metadata.headers(metadata.OBJECT, fields)
            body = metadata.story(fields, spot) if told.left else b""
            answer = self.account.call(
                "PUT", (spot.container, spot.name), told.headers, body
            )
            expect(answer, doing, MADE)
        self._known.add(spot)
