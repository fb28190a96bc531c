"""A real browser before a real server, and a dock whose snapshot stays fresh."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from dock_agent.config import Config
from support.boards import station
from support.browsing import CHROMIUM, FLAGS, Dock, Open
from web_status.serve import Serving, serve


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), headless=True
        )
        yield browser
        browser.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return station(tmp_path)


@pytest.fixture
def dock(config: Config) -> Iterator[Dock]:
    with closing(Dock(config)) as dock:
        yield dock


@pytest.fixture
def served(config: Config) -> Iterator[Serving]:
    with closing(serve(config)) as serving:
        yield serving


@pytest.fixture
def look(browser: Browser, served: Serving) -> Iterator[Open]:
    """Open a page at a size, with or without scripts; none may break the policy."""
    contexts, complaints = [], []

    def heard(said: ConsoleMessage) -> None:
        if "Security Policy" in said.text or "TrustedHTML" in said.text:
            complaints.append(said.text)

    def open_page(
        path: str = "/", size: tuple[int, int] = (1920, 1080), *, scripts: bool = True
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", heard)
        page.goto(served.where.rstrip("/") + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
