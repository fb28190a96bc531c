"""What programs ask: the status, whether the agent lives, its figures.

The page polls `/api/v1/status` too. It asks for `BOARD`, the same moment in
words, so that every word is chosen in one place.
"""

import hashlib

import msgspec
from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST

from web_status.facts import Facts
from web_status.headers import ASKED_EACH_TIME
from web_status.metrics import exposition
from web_status.objects import status_object, tagged_part
from web_status.snapshot import Seen
from web_status.visitor import is_local, require_local
from web_status.words import board

BOARD = "application/vnd.dock-agent.board+json"
JSON = "application/json"


def blueprint(facts: Facts) -> Blueprint:
    """Return the routes for programs."""
    routes = Blueprint("api", __name__)

    @routes.get("/api/v1/status")
    def status() -> Response:
        if request.accept_mimetypes.best_match([JSON, BOARD]) == BOARD:
            return _board(facts)
        return _status(facts)

    @routes.get("/healthz")
    def healthz() -> Response:
        live = facts.seen().live
        text = "live\n" if live else "not live\n"
        return Response(text, status=200 if live else 503, mimetype="text/plain")

    @routes.get("/metrics")
    def metrics() -> Response:
        require_local(request.environ, facts.config)
        seen = facts.seen()
        age = seen.age(facts.now())
        text = exposition(seen, None if age is None else age.total_seconds())
        return Response(text, content_type=CONTENT_TYPE_LATEST)

    return routes


def _status(facts: Facts) -> Response:
    seen = facts.seen()
    everything = is_local(request.environ, facts.config)
    found = status_object(seen, facts.config.station.id, everything=everything)
    response = Response(msgspec.json.encode(found), content_type=JSON)
    return _conditional(response, seen, msgspec.json.encode(tagged_part(found)))


def _board(facts: Facts) -> Response:
    seen = facts.seen()
    body = msgspec.json.encode(board(seen, facts.config.zone))
    return _conditional(Response(body, content_type=BOARD), seen, body)


def _conditional(response: Response, seen: Seen, tagged: bytes) -> Response:
    """Make it a 304 if the client already has what is `tagged`.

    The tag begins with `rev`. The digest keeps a tag from before the agent was
    started again, or fell silent, from standing for something else.
    """
    rev = seen.status.rev if seen.status else 0
    response.set_etag(f"{rev}-{hashlib.sha256(tagged).hexdigest()[:16]}")
    response.headers["Cache-Control"] = ASKED_EACH_TIME
    response.vary.add("Accept")
    response.make_conditional(request.environ)
    return response
