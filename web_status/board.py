"""The officers' page: no login, no footage, no officer's name."""

from flask import Blueprint, Response, render_template

from web_status.facts import Facts
from web_status.headers import ASKED_EACH_TIME
from web_status.legibility import Layout
from web_status.tiles import LEAVE
from web_status.words import NOT_LIVE, STAY

SPOKEN = {"NOT_LIVE": f"{NOT_LIVE} since", "STAY": STAY, "LEAVE": LEAVE}
"""What the script says by itself, once nobody answers it."""


def blueprint(facts: Facts, grid: Layout) -> Blueprint:
    """Return the board's routes."""
    routes = Blueprint("board", __name__)

    @routes.get("/")
    def page() -> str:
        return render_template(
            "board.html",
            board=facts.board(),
            clock=facts.time_of_day(),
            zone=facts.config.station.timezone,
            flat=grid.flat,
            words=SPOKEN,
        )

    @routes.get("/sizes.css")
    def sizes() -> Response:
        response = Response(style(grid), mimetype="text/css")
        response.headers["Cache-Control"] = ASKED_EACH_TIME
        return response

    return routes


def style(grid: Layout) -> str:
    """Return the sizes as properties; the policy allows no style in a page."""
    facts = {
        "columns": f"{grid.columns}",
        "word": f"{grid.word:.2f}vmin",
        "line": f"{grid.line:.2f}vmin",
        "verdict": f"{grid.verdict:.2f}vmin",
        "verdict-medium": f"{grid.verdict_medium:.2f}vmin",
        "verdict-long": f"{grid.verdict_long:.2f}vmin",
    }
    body = " ".join(f"--{name}: {value};" for name, value in facts.items())
    return f":root {{ {body} }}\n"
