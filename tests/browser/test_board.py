import math
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Request, Route, expect

from dock_agent.config import Config
from dock_agent.recording import BayState
from support.boards import (
    FULL,
    OFFLINE,
    UNSENT,
    bay,
    charging,
    copying,
    mixed,
    owed,
    pulled,
    ready,
    station,
    status,
)
from support.browsing import Dock, Open
from support.evidence import interrupted, offloaded, store
from web_status.serve import Serving, serve

SIZES = [(1920, 1080), (1280, 800), (390, 844), (320, 640)]
LATER = 15_000  # milliseconds: when something that must come must have come
GREEN = """() => [...document.querySelectorAll("body, body *")].some((node) => {
    const colour = getComputedStyle(node).backgroundColor;
    const [red, green, blue, alpha = 1] = colour.match(/[0-9.]+/g).map(Number);
    return alpha > 0 && green > 1.4 * red && green > 1.4 * blue;
})"""
SMALLEST = """(part) => Math.min(...[...document.querySelectorAll(part)]
    .map((node) => parseFloat(getComputedStyle(node).fontSize)))"""
BEYOND = """() => [...document.querySelectorAll("td, tbody th")]
    .filter((node) => node.getBoundingClientRect().right > innerWidth
        || node.scrollWidth > node.clientWidth + 1)
    .map((node) => node.outerHTML)"""
OVERFLOWING = """() => [...document.querySelectorAll(".line")]
    .filter((node) => node.getBoundingClientRect().bottom
        > node.parentElement.getBoundingClientRect().bottom
        || node.scrollWidth > node.clientWidth + 1)
    .map((node) => node.textContent)"""
LISTEN = 'listen = "127.0.0.1:0"'
BUSY = status(mixed(), queue=UNSENT, links=(OFFLINE,), owed=(owed("KT-Z3:KTZ3A00123"),))
SCENES = {
    "busy": BUSY,
    "ready": status([ready(str(n)) for n in range(1, 9)]),
    "full": status([bay("1", BayState.WAITING), ready("2")], vault=FULL),
    "copying": status([copying(str(n), 130, 310) for n in range(1, 9)]),
    "pulled": status([pulled("1"), *(charging(str(n)) for n in range(2, 9))]),
}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_cut_off_or_needs_scrolling_sideways(
    dock: Dock, look: Open, size: tuple[int, int], scene: str
) -> None:
    dock.shows(SCENES[scene])

    page = look(size=size)

    wide = page.evaluate("document.documentElement.scrollWidth")
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".tile, .word, .bay, h1")]
            .filter((node) => node.scrollWidth > node.clientWidth + 1
                || node.getBoundingClientRect().right > innerWidth + 1)
            .map((node) => node.outerHTML)"""
    )
    assert wide <= size[0]
    assert cut == []


def test_a_tile_goes_from_leave_it_to_take_me_by_itself(dock: Dock, look: Open) -> None:
    loads: list[str] = []
    dock.shows(status([copying("1"), bay("2", BayState.EMPTY)]))
    page = look()
    page.on("load", lambda _: loads.append("again"))
    expect(page.locator(".word").first).to_have_text("Leave it")
    expect(page).to_have_title("You can go – leave cameras docked")

    dock.shows(status([ready("1"), bay("2", BayState.EMPTY)]))

    tile = page.locator('.tile[data-bay="1"]')
    expect(tile.locator(".word")).to_have_text("Take me", timeout=LATER)
    expect(tile).to_have_css("background-color", "rgb(59, 227, 130)")
    expect(page).to_have_title("All ready")
    assert page.evaluate(GREEN)
    assert loads == []


def test_an_owed_camera_appears_and_goes_by_itself(dock: Dock, look: Open) -> None:
    dock.shows(status([copying("1")]))
    page = look()

    dock.shows(status([copying("1")], owed=(owed("KT-Z3:KTZ3A00123"),)))

    line = page.get_by_text("Cam 0123 was removed from bay 2 at 7 of 22")
    expect(line).to_be_visible(timeout=LATER)
    dock.shows(status([copying("1")]))
    expect(line).to_have_count(0, timeout=LATER)


def test_an_unchanged_board_is_asked_for_and_not_sent_again(
    dock: Dock, look: Open
) -> None:
    dock.shows(status([ready("1")]))
    page = look()

    with page.expect_response(lambda answer: answer.status == 304, timeout=LATER):
        pass

    expect(page.locator("body")).to_have_attribute("data-live", "true")


def test_an_agent_that_falls_silent_veils_the_board_and_takes_the_green_away(
    dock: Dock, look: Open
) -> None:
    dock.shows(SCENES["ready"])
    page = look()
    assert page.evaluate(GREEN)

    dock.falls_silent()

    expect(page.locator("body")).to_have_attribute("data-live", "false", timeout=LATER)
    expect(page.locator("h1")).to_contain_text("Not live since ")
    expect(page.locator("h1")).to_contain_text("Leave cameras docked")
    veil = page.evaluate("getComputedStyle(document.body, '::after').position")
    assert veil == "fixed"
    assert not page.evaluate(GREEN)
    assert "Take me" not in page.inner_text("body")


def test_a_server_that_falls_silent_veils_the_board_until_it_is_back(
    dock: Dock, look: Open
) -> None:
    dock.shows(SCENES["ready"])
    page = look()
    held: list[Request] = []

    def hold(route: Route) -> None:
        held.append(route.request)
        route.abort()

    page.route("**/api/v1/status", hold)
    expect(page.locator("body")).to_have_attribute("data-live", "false", timeout=LATER)

    assert len(held) >= 1
    assert not page.evaluate(GREEN)
    assert "Take me" not in page.inner_text("body")
    expect(page).to_have_title(page.locator("h1").inner_text().replace("\n", " – "))
    page.unroute("**/api/v1/status")
    expect(page.locator("body")).to_have_attribute("data-live", "true", timeout=LATER)
    expect(page.locator(".word").first).to_have_text("Take me")
    expect(page.locator("h1")).to_contain_text("All ready")


def test_a_page_whose_script_never_came_covers_itself(
    dock: Dock, browser: Browser, served: Serving
) -> None:
    dock.shows(SCENES["ready"])
    page = browser.new_page(bypass_csp=True)  # so that the test may look
    page.route("**/board.js", lambda route: route.abort())
    page.goto(served.where)

    page.wait_for_function(
        "getComputedStyle(document.body, '::before').visibility === 'visible'",
        timeout=2 * LATER,
    )

    cover = "getComputedStyle(document.body, '::before')"
    assert page.evaluate(f"{cover}.backgroundColor") == "rgb(74, 80, 87)"
    assert page.evaluate(f"{cover}.inset") == "0px"
    page.close()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_without_scripts_the_board_is_whole(
    dock: Dock, look: Open, size: tuple[int, int]
) -> None:
    dock.shows(BUSY)

    page = look(size=size, scripts=False)

    ready_tile = page.locator('.tile[data-bay="1"]')
    expect(ready_tile).to_have_css("background-color", "rgb(59, 227, 130)")
    expect(page.locator('.tile[data-bay="2"] .word')).to_have_text("Leave it")
    expect(page.get_by_text("No network – videos are safe here")).to_be_visible()


def test_without_scripts_the_board_renews_itself(dock: Dock, look: Open) -> None:
    dock.shows(status([copying("1")]))
    page = look(scripts=False)
    expect(page.locator(".word")).to_have_text("Leave it")

    dock.shows(status([ready("1")]))

    expect(page.locator(".word")).to_have_text("Take me", timeout=LATER)


@pytest.mark.parametrize(
    ("inches", "size"),
    [(24.0, (1920, 1080)), (15.6, (1366, 768)), (10.1, (1280, 800))],
)
@pytest.mark.parametrize("scene", ["ready", "pulled", "copying"])
def test_the_words_are_as_large_as_two_metres_need(
    tmp_path: Path, browser: Browser, inches: float, size: tuple[int, int], scene: str
) -> None:
    config = station(tmp_path, web=f"{LISTEN}\nscreen_inches = {inches}")
    with closing(Dock(config)) as dock, closing(serve(config)) as serving:
        dock.shows(SCENES[scene])
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.goto(serving.where)
        parts = (".word", "h1", "h1 .rest")
        words, verdict, rest = (page.evaluate(SMALLEST, part) for part in parts)
        page.close()

    assert arc_minutes(words, inches, size) >= (20 if inches > 12 else 16)
    assert arc_minutes(verdict, inches, size) >= 16
    assert arc_minutes(rest, inches, size) >= 16


@pytest.mark.parametrize("scene", ["ready", "pulled", "full", "copying"])
def test_the_second_line_is_legible_where_there_is_room(
    dock: Dock, look: Open, scene: str
) -> None:
    dock.shows(SCENES[scene])

    page = look(size=(1920, 1080))

    line = page.evaluate(SMALLEST, ".line")
    assert arc_minutes(line, 24.0, (1920, 1080)) >= 16
    assert page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scene", ["busy", "pulled", "full", "copying"])
def test_no_tile_s_second_line_is_cut_off(
    dock: Dock, look: Open, size: tuple[int, int], scene: str
) -> None:
    dock.shows(SCENES[scene])

    page = look(size=size)

    assert page.evaluate(OVERFLOWING) == []


def arc_minutes(pixels: float, inches: float, size: tuple[int, int]) -> float:
    """Return what capitals of a font of so many pixels subtend at 2 m."""
    millimetres = pixels * 0.716 * inches * 25.4 / math.hypot(*size)
    return math.degrees(math.atan2(millimetres, 2000)) * 60


@pytest.mark.parametrize("path", ["/", "/it", "/recordings", "/recordings/x"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_page_has_no_known_barrier(
    dock: Dock, config: Config, look: Open, path: str, size: tuple[int, int]
) -> None:
    dock.shows(BUSY)
    with store(config) as conn:
        offloaded(conn, 1)
        interrupted(conn, 2)

    page = look(path, size)

    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


@pytest.mark.parametrize("path", ["/it", "/recordings", "/recordings/{}", "/files/{}"])
@pytest.mark.parametrize("wide", [320, 390])
def test_its_pages_fit_a_telephone(
    dock: Dock, config: Config, look: Open, path: str, wide: int
) -> None:
    dock.shows(BUSY)
    with store(config) as conn:
        held = offloaded(conn, 1)
        interrupted(conn, 2)
    ident = held.recording if path.startswith("/rec") else held.file

    page = look(path.format(ident), (wide, 844))

    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= wide
    assert page.evaluate(BEYOND) == []


@pytest.mark.parametrize("scene", ["not live", "nothing"])
def test_a_veiled_board_has_no_known_barrier(
    dock: Dock, look: Open, scene: str
) -> None:
    if scene == "not live":
        dock.shows(SCENES["ready"])
    page = look()
    dock.falls_silent()
    expect(page.locator("body")).to_have_attribute("data-live", "false", timeout=LATER)

    found = Axe().run(page).response["violations"]

    assert [each["id"] for each in found] == []
