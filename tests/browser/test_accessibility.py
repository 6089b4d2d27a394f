"""axe-core finds nothing, light and dark; narrow pages do not scroll sideways; keys suffice."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.inside import Inside
from tests.browser.people import portal, sign_in
from tests.conftest import Demo

Axe = Callable[[Page], list[str]]

PAGES = {
    "proposals": ("pi", "/services/portal/"),
    "no proposal": ("newcomer", "/services/portal/"),
    "a message": ("pi", "/services/portal/?said=stopped"),
    "a link": ("pi", "/services/portal/open?proposal=2026-0142&app=pymca"),
    "an error": ("pi", "/services/portal/open?proposal=2026-9999&app=pymca"),
    "sign-in": ("", "/services/portal/"),
    "tokens": ("pi", "/hub/token"),
    "my account": ("pi", "/hub/account"),
    "sign out": ("pi", "/hub/logout"),
    "a hub error": ("pi", "/hub/nothing"),
    "not allowed": ("pi", "/hub/admin"),
    "not running": ("pi", "/user/pi/pymca-2026-0142/"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("who", "path"), PAGES.values(), ids=PAGES.keys())
def test_a_page_has_no_barrier(visit: Visit, axe: Axe, who: str, path: str, scheme: str) -> None:
    page = visit(who, path, color_scheme=scheme, bypass_csp=True)
    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_that_need_a_state_have_no_barrier(
    visit: Visit, axe: Axe, demo: Demo, scheme: str
) -> None:
    page = visit("pi", color_scheme=scheme, bypass_csp=True)
    page.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    page.locator("body[data-phase=running]").wait_for()
    page.goto(portal(demo))
    card = page.locator("#session-pymca-2026-0142")
    expect(card).to_contain_text("Running")
    assert axe(page) == []
    Inside(demo, "pi", "pymca-2026-0142").kill_supervisor()
    expect(card).to_contain_text("Stopped")
    assert axe(page) == []
    page.goto(f"{portal(demo)}sessions/pymca-2026-0142")
    expect(page.get_by_role("heading", level=1)).to_contain_text("does not run")
    assert axe(page) == []
    page.goto(f"{demo.url}/hub/token")
    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_blocked_and_signed_out_have_no_barrier(
    visit: Visit, axe: Axe, demo: Demo, scheme: str
) -> None:
    page = visit(color_scheme=scheme, bypass_csp=True)
    sign_in(page, demo, "blocked")
    assert axe(page) == []
    page.goto(f"{demo.url}/hub/logout")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert axe(page) == []


@pytest.mark.parametrize(("who", "path"), PAGES.values(), ids=PAGES.keys())
def test_a_page_fits_a_width_of_320_pixels(visit: Visit, who: str, path: str) -> None:
    page = visit(who, path, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("path", ["/services/portal/", "/hub/token"])
def test_the_first_tab_skips_to_the_content(visit: Visit, path: str) -> None:
    page = visit("pi", path)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_an_app_is_opened_by_keyboard_alone(visit: Visit, demo: Demo) -> None:
    page = visit("pi")
    button = page.get_by_role("button", name="Open in PyMca, 2026-0142")
    for _ in range(20):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("body[data-phase=running]").wait_for()
    assert len(Inside(demo, "pi", "pymca-2026-0142").sandboxes()) == 1
