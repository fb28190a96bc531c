"""The pages about recordings and files, and how each came to be trusted.

They read the store and nothing else: no vault file is ever opened here.
"""

import re
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest, NotFound

from dock_agent.config import Config
from dock_agent.errors import StoreError
from dock_agent.recording import CameraId, FileId, RecordingId
from dock_agent.store import views
from dock_agent.store.db import reading
from dock_agent.store.views import RecordingLine, Search
from web_status.custody_words import entry
from web_status.visitor import require_local

PAGE = 50  # recordings
LONGEST = 200  # characters of a filter
ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
AFTER = re.compile(rf"([0-9T:.Z+-]{{1,40}})~({ULID.pattern})")
LARGEST_ID = (1 << 63) - 1  # SQLite's


@dataclass(frozen=True, slots=True)
class Page:
    """One page of recordings; `after` asks for the next, None on the last."""

    recordings: tuple[RecordingLine, ...]
    after: str | None


def blueprint(config: Config) -> Blueprint:
    """Return the evidence pages; they answer only at the station itself."""
    routes = Blueprint("evidence", __name__)
    routes.before_request(lambda: require_local(request.environ, config))

    @routes.get("/recordings")
    def recordings() -> str:
        search = _search()
        return render_template(
            "recordings.html", page=_page(config, search), search=search
        )

    @routes.get("/recordings/<ident>")
    def recording(ident: str) -> str:
        return render_template("recording.html", recording=_recording(config, ident))

    @routes.get("/files/<int:ident>")
    def file(ident: int) -> str:
        if ident > LARGEST_ID:
            raise NotFound("No file has this number.")
        with reading(config.store_path) as conn:
            try:
                found = views.file(conn, FileId(ident))
                lines = views.custody_of_file(conn, FileId(ident))
            except StoreError as error:
                raise NotFound("No file has this number.") from error
        entries = list(map(entry, lines))
        unsure = sum(not each.clock_trusted for each in entries)
        return render_template("file.html", file=found, entries=entries, unsure=unsure)

    return routes


def _search() -> Search:
    camera, text, after = (_asked(key) for key in ("camera", "text", "after"))
    return Search(
        camera=None if camera is None else CameraId(camera),
        text=text,
        after=None if after is None else _after(after),
        limit=PAGE + 1,
    )


def _asked(key: str) -> str | None:
    value = request.args.get(key, "").strip()
    if len(value) > LONGEST:
        raise BadRequest(f"{key} is longer than {LONGEST} characters.")
    return value or None


def _after(text: str) -> tuple[str, RecordingId]:
    found = AFTER.fullmatch(text)
    if found is None:
        raise BadRequest("This link to a further page is not whole.")
    return found[1], RecordingId(found[2])


def _page(config: Config, search: Search) -> Page:
    with reading(config.store_path) as conn:
        found = views.recordings(conn, search)
    shown = tuple(found[:PAGE])
    last = shown[-1] if len(found) > PAGE else None
    return Page(shown, None if last is None else f"{last.start}~{last.id}")


def _recording(config: Config, ident: str) -> RecordingLine:
    if not ULID.fullmatch(ident):
        raise NotFound("No recording has this id.")
    with reading(config.store_path) as conn:
        try:
            return views.recording(conn, RecordingId(ident))
        except StoreError as error:
            raise NotFound("No recording has this id.") from error
