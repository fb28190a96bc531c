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
            one_line=grid.line <= grid.small,
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
    sizes = {
        "word": grid.word,
        "line": grid.line,
        "small-text": grid.small,
        "verdict": grid.verdict,
        "verdict-medium": grid.verdict_medium,
        "verdict-long": grid.verdict_long,
        "rest": grid.rest,
        "rest-long": grid.rest_long,
    }
    facts = [f"--columns: {grid.columns};"]
    facts += [f"--{name}: {size:.2f}vmin;" for name, size in sizes.items()]
    return f":root {{ {' '.join(facts)} }}\n"
