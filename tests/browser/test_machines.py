"""A facility with two engines of which one is away, in a browser: light, dark, narrow, by keys."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.portal.two_engines import TwoEngines, second_engine_away

Look = Callable[..., Page]
Axe = Callable[[Page], list[str]]
AWAY = "Not available now: “containers” does not answer."


@pytest.fixture(scope="module")
def place() -> Iterator[TwoEngines]:
    with second_engine_away() as place:
        yield place


@pytest.fixture
def look(browser: Browser, place: TwoEngines) -> Iterator[Look]:
    """Return a function that opens a page of the portal for the principal investigator."""
    contexts = []

    def open_page(path: str = "", **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        place.sign_in(page, "pi")
        page.locator("main h1").wait_for()
        page.goto(f"{place.portal}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_the_machine_that_is_away_cannot_be_chosen_and_says_why(look: Look) -> None:
    page = look()
    machines = page.get_by_role("region", name="Where to open").get_by_role("listitem")
    expect(machines).to_have_text(
        ["Small — here 2 CPU, 4 GB", f"Large — containers 8 CPU, 32 GB {AWAY}"]
    )
    expect(machines.get_by_role("link")).to_have_count(1)
    expect(machines.get_by_role("link")).to_have_attribute("aria-current", "true")
    card = page.locator("article.proposal").filter(has_text="2026-0142")
    expect(card.get_by_role("button", name="Open in CrystFEL")).to_be_disabled()
    expect(card.get_by_role("button", name="Open in PyMca")).to_be_enabled()


def test_a_link_offers_the_machines_of_its_app(look: Look) -> None:
    page = look("open?app=pymca&proposal=2026-0142")
    expect(page.get_by_role("radio", name="Small — here")).to_be_checked()
    expect(page.get_by_role("radio", name="Large — containers")).to_be_disabled()
    expect(page.get_by_role("group", name="Where to open it")).to_contain_text(AWAY)
    page.goto(page.url.replace("pymca", "crystfel"))
    expect(page.get_by_role("button", name="Open in CrystFEL")).to_be_disabled()
    expect(page.get_by_role("note").last).to_contain_text("“containers” does not answer.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "open?app=pymca&proposal=2026-0142", "open?app=crystfel"])
def test_these_pages_have_no_barrier_and_fit(look: Look, axe: Axe, path: str, scheme: str) -> None:
    page = look(path, color_scheme=scheme, bypass_csp=True)
    assert axe(page) == []
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def _answering(body: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=body)


def test_a_start_that_takes_long_tells_how_far_it_is_without_a_reload(
    look: Look, place: TwoEngines
) -> None:
    """The page is as it is while an image comes; what the hub says is put in its place."""
    states = 'data: {"slow": {"state": "Starting", "meaning": "%s", "title": "", "url": ""}}\n\n'
    page = look()
    said = ["Fetching Slow: layer 1 of 2, 3 of 40 MB", "Fetching Slow: layer 1 of 2, 9 of 40 MB"]
    page.get_by_role("button", name="Open in Slow").last.click()
    page.wait_for_url("**/sessions/slow")
    expect(page.locator("[data-meaning]")).to_have_text("It will open as soon as it is ready.")
    for words in said:
        page.route("**/events", _answering(states % words))
        page.reload()
        expect(page.locator("[data-meaning]")).to_have_text(words)
        expect(page.locator("#announcer")).to_have_text("Fetching Slow: layer 1 of 2")
        page.unroute("**/events")
    (place.folder / "homes" / "pi" / "go").touch()
    page.wait_for_url("**/user/pi/slow/**")
