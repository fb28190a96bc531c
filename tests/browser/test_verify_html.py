"""The page of an export, opened from the disk in a real browser without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from dock_agent.export import layout
from support.bench import KEY, Bench
from support.cards import card
from support.exports import (
    INSIDE,
    MUTANTS,
    SIZES,
    STRANGER,
    evidence,
    exported,
    exports,
    flip,
)

SOON = 15_000  # milliseconds
NO_CRYPTO = "delete Crypto.prototype.subtle;"
NO_WORKER = "delete window.Worker;"
AGENCY = KEY.public.fingerprint


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("good"))


@pytest.fixture
def export(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "export", symlinks=True))


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of: errors, and what breaks the page's policy."""
    return []


@pytest.fixture
def context(browser: Browser, complaints: list[str]) -> Iterator[BrowserContext]:
    """A browser without a network."""

    def heard(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            complaints.append(said.text)

    context = browser.new_context(offline=True)
    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert complaints == []


def opened(context: BrowserContext, export: Path) -> Page:
    page = context.new_page()
    page.goto((export / layout.PAGE).as_uri())
    expect(page.locator("h1")).not_to_have_text("Checking …", timeout=SOON)
    return page


def choose(page: Page, folder: Path) -> None:
    """Choose the folder, and wait until it was read."""
    page.get_by_label("The whole folder").set_input_files(folder)
    settled(page)


def drop(page: Page, *paths: Path) -> None:
    """Drag files or folders from the desktop onto the page."""
    data = {
        "items": [],
        "files": [str(path) for path in paths],
        "dragOperationsMask": 1,
    }
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data}
        )
    settled(page)


def settled(page: Page) -> None:
    expect(page.locator("body")).to_have_attribute("data-taken", "1", timeout=SOON)


def compare(page: Page, fingerprint: str = AGENCY) -> None:
    page.get_by_label("The fingerprint that the agency gives").fill(fingerprint)


def verdict(page: Page) -> str:
    return page.locator("body").get_attribute("data-verdict") or ""


def answers(page: Page) -> list[str]:
    return page.locator("#answers strong").all_inner_texts()


def test_before_anything_is_chosen_no_file_is_called_checked(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)

    expect(page.locator("h1")).to_have_text("No file was checked yet")
    assert answers(page) == ["Yes"] * 3 + ["Not checked"] * 4
    assert "Proven" not in page.inner_text("body")


def test_the_whole_folder_and_the_agency_s_key_prove_it(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)

    drop(page, export)
    expect(page.locator("h1")).to_have_text("It agrees – but with whose key?")
    assert "Proven" not in page.inner_text("body")
    compare(page)

    expect(page.locator("h1")).to_have_text("Proven")
    assert answers(page) == ["Yes"] * 7
    assert page.locator("#files .yes").count() == len(SIZES)


def test_a_chosen_folder_does_not_say_that_there_are_no_empty_ones(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)

    choose(page, export)
    compare(page)

    expect(page.locator("h1")).to_have_text("Proven")
    assert answers(page) == ["Yes"] * 5 + ["Not checked", "Yes"]
    expect(page.locator("#told")).to_contain_text("no file was added")


def test_one_file_proves_nothing_of_the_others(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)

    drop(page, evidence(export))
    compare(page)

    expect(page.locator("h1")).to_have_text("What was checked is unchanged")
    expect(page.locator("#told")).to_contain_text("1 of 3 files were read")
    assert answers(page)[3:6] == ["Not checked"] * 3


def test_some_files_are_no_folder_with_the_others_missing(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)

    some = [export / layout.PAGE, evidence(export)]
    page.get_by_label("Or some of its files").set_input_files(some)
    settled(page)

    expect(page.locator("#told")).to_contain_text("1 of 3 files were read")
    assert verdict(page) == "open"


def test_a_changed_file_by_itself_is_noticed(
    context: BrowserContext, export: Path
) -> None:
    flip(evidence(export))
    page = opened(context, export)

    page.get_by_label("Or some of its files").set_input_files(evidence(export))
    settled(page)
    compare(page)

    assert verdict(page) == "wrong"
    expect(page.locator("#wrong")).to_contain_text("1.MP4 is none of the files")


def test_another_key_than_the_agency_s_proves_nothing(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)
    drop(page, export)

    compare(page, STRANGER.public.fingerprint)

    expect(page.locator("h1")).to_contain_text("This is not the agency")
    assert verdict(page) == "wrong"
    assert answers(page)[6] == "No"


def test_a_fingerprint_may_be_written_in_any_way_but_whole(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)
    drop(page, export)

    compare(page, AGENCY[:16])
    expect(page.locator("h1")).to_have_text("It agrees – but with whose key?")
    compare(page, ":".join(AGENCY[n : n + 2].upper() for n in range(0, 64, 2)))

    expect(page.locator("h1")).to_have_text("Proven")
    shown = page.locator("#fingerprint").inner_text()
    assert shown.replace(" ", "") == AGENCY


@pytest.mark.parametrize("name", MUTANTS)
def test_what_anybody_does_to_an_export_is_noticed(
    context: BrowserContext, export: Path, complaints: list[str], name: str
) -> None:
    MUTANTS[name](export)
    page = opened(context, export)

    drop(page, export)
    compare(page)

    if name == "flipped bit in the page":
        complaints.clear()  # its style is not the one of its policy any more
    assert verdict(page) != "proven"
    if name != "manifest deleted":
        assert verdict(page) == "wrong"


def test_a_list_that_the_key_did_not_sign_is_noticed_before_any_file_is_chosen(
    context: BrowserContext, export: Path
) -> None:
    MUTANTS["made anew without the key"](export)

    page = opened(context, export)

    assert verdict(page) == "wrong"
    expect(page.locator("#wrong")).to_contain_text("the list of files is not signed")


@pytest.mark.parametrize("name", INSIDE)
def test_what_the_log_does_not_bear_out_is_noticed_although_it_is_signed(
    context: BrowserContext, export: Path, name: str
) -> None:
    INSIDE[name](export)

    page = opened(context, export)

    assert verdict(page) == "wrong"
    unsigned = "stranger" in name or "signature" in name
    assert unsigned or "not signed by" not in page.inner_text("#wrong")


@pytest.mark.parametrize("name", INSIDE)
def test_the_same_is_noticed_where_the_browser_has_no_cryptography(
    context: BrowserContext, export: Path, name: str
) -> None:
    context.add_init_script(NO_CRYPTO)
    INSIDE[name](export)

    page = opened(context, export)

    assert verdict(page) == "wrong"


@pytest.mark.parametrize("without", [NO_CRYPTO, NO_WORKER])
def test_a_browser_that_has_less_proves_as_much(
    context: BrowserContext, export: Path, without: str
) -> None:
    context.add_init_script(without)
    page = opened(context, export)

    drop(page, export)
    compare(page)

    expect(page.locator("h1")).to_have_text("Proven", timeout=SOON)


@pytest.mark.parametrize(
    "name",
    [
        "flipped bit in a signature",
        "flipped bit in the manifest",
        "made anew without the key",
        "flipped bit in the page's signature",
    ],
)
def test_a_browser_without_cryptography_notices_a_signature(
    context: BrowserContext, export: Path, name: str
) -> None:
    context.add_init_script(NO_CRYPTO)
    MUTANTS[name](export)
    page = opened(context, export)

    drop(page, export)

    assert verdict(page) == "wrong"


def test_a_large_file_is_read_in_pieces(
    context: BrowserContext, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    docking = bench.dock(card(tmp_path / "card", {"1.MP4": (9 << 20) + 1}))
    exports(bench, tmp_path / "export", docking.id)
    bench.close()
    page = opened(context, tmp_path / "export")

    drop(page, tmp_path / "export")
    compare(page)

    expect(page.locator("h1")).to_have_text("Proven", timeout=SOON)


def test_a_file_that_an_earlier_docking_holds_is_proven_by_its_line(
    context: BrowserContext, tmp_path: Path
) -> None:
    bench = Bench(tmp_path)
    source = card(tmp_path / "card", {"VIDEO/1.MP4": 300_000})
    bench.dock(source)
    docking = bench.dock(card(source, SIZES))
    exports(bench, tmp_path / "export", docking.id)
    bench.close()
    page = opened(context, tmp_path / "export")

    drop(page, tmp_path / "export")
    compare(page)

    expect(page.locator("h1")).to_have_text("Proven", timeout=SOON)


def test_it_works_from_the_keyboard_alone(
    context: BrowserContext, export: Path
) -> None:
    page = opened(context, export)

    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "agency":
            page.keyboard.type(AGENCY)
    page.locator("#log summary").focus()
    page.keyboard.press("Enter")

    assert {"agency", "folder", "some"} <= set(reached)
    expect(page.locator("#compared")).to_have_text("It is the same.")
    expect(page.locator("#lines tr").nth(1)).to_contain_text("docked")


@pytest.mark.parametrize("spoilt", [False, True])
@pytest.mark.parametrize("wide", [320, 1280])
def test_the_page_has_no_known_barrier(
    context: BrowserContext, export: Path, wide: int, *, spoilt: bool
) -> None:
    if spoilt:
        flip(evidence(export))
    page = opened(context, export)
    page.set_viewport_size({"width": wide, "height": 800})
    drop(page, export)
    compare(page)
    page.locator("#log summary").click()

    found = Axe().run(page).response["violations"]

    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= wide


def test_without_scripts_it_says_so(browser: Browser, export: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((export / layout.PAGE).as_uri())

    expect(page.locator("h1")).to_have_text("This page has not checked anything")
    page.close()
