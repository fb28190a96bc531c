"""The status page: what officers and IT see of a station."""

from datetime import datetime, timedelta

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

from dock_agent import durations
from dock_agent.clock import Clock, SystemClock, unstamp
from dock_agent.config import Config
from dock_agent.errors import DockError
from web_status import api, board, evidence, headers, overview
from web_status.derived_words import derived
from web_status.facts import Facts
from web_status.legibility import Screen, layout
from web_status.names import commands, shown


def create_app(config: Config, clock: Clock | None = None) -> Flask:
    """Return the application for one station; it reads, and changes nothing."""
    app = Flask(__name__)
    app.after_request(headers.guard)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(DockError, _unusable)
    _add_filters(app, config)
    facts = Facts(config, clock or SystemClock())
    screen = Screen(config.web.screen_inches, config.web.distance_m)
    app.register_blueprint(board.blueprint(facts, layout(screen, len(config.bays))))
    app.register_blueprint(api.blueprint(facts))
    app.register_blueprint(overview.blueprint(facts))
    app.register_blueprint(evidence.blueprint(config))
    return app


def _refused(error: HTTPException) -> tuple[str, int]:
    page = render_template("sorry.html", title=error.name, sentence=error.description)
    return page, error.code or 500


def _unusable(error: DockError) -> tuple[str, int]:
    """The store or the vault cannot be read now: say so, and what to do."""
    sentence = f"{error}. {error.hint}".rstrip()
    return render_template("sorry.html", title="Not now", sentence=sentence), 503


def _add_filters(app: Flask, config: Config) -> None:
    def moment(instant: datetime | str) -> str:
        known = unstamp(instant) if isinstance(instant, str) else instant
        return durations.moment_words(known, config.zone)

    def age(length: timedelta | float) -> str:
        known = length.total_seconds() if isinstance(length, timedelta) else length
        return durations.age_words(max(0.0, known))

    def ago(length: timedelta) -> str:
        return durations.ago_words(max(0.0, length.total_seconds()))

    def size(count: int) -> str:
        return durations.size_words(max(0, count))

    app.jinja_env.filters |= {
        "derived": derived,
        "age": age,
        "ago": ago,
        "code": commands,
        "lasts": durations.lasts_words,
        "moment": moment,
        "shown": shown,
        "size": size,
    }
