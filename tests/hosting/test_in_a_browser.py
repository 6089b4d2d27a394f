"""Behind nginx, on sub-domains: sign in, open both apps, find the way back; links survive."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import lab
from tests.hosting.conftest import Visit, choose
from tests.hosting.place import Place

pytestmark = pytest.mark.browser


def watched(page: Page) -> list[str]:
    """Return the list to which every error on the console of the page is added."""
    wrong: list[str] = []

    def note(text: str, kind: str) -> None:
        if kind == "error" and not text.startswith("Failed to load resource"):
            wrong.append(text)

    page.context.on("console", lambda message: note(message.text, message.type))
    return wrong


def test_both_apps_of_a_person_run_side_by_side_on_her_own_host(visit: Visit, place: Place) -> None:
    page = visit(place.portal)
    wrong = watched(page)
    choose(page, "pi")
    page.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    page.locator("body[data-phase=running]").wait_for()
    assert page.url == f"{place.sessions_of('pi')}pymca-2026-0142/"
    page.locator("#bar").hover(force=True)
    page.locator("#portal").evaluate("link => link.click()")
    page.wait_for_url(place.portal)

    lab.open_lab(page, "2026-0142")
    assert page.url.startswith(f"{place.sessions_of('pi')}jupyterlab-2026-0142/lab")
    lab.type_in_terminal(page, "touch ~/Proposals/2026-0142/processed/by-terminal")
    written = place.folder / "data" / "B08-XRF" / "2026-0142" / "processed" / "by-terminal"
    for _ in range(200):
        if written.exists():
            break
        page.wait_for_timeout(50)
    assert written.exists()
    page.get_by_role("menuitem", name="File", exact=True).click()
    with page.context.expect_page() as opened:
        page.get_by_role("menuitem", name="Hub Control Panel").click()
    opened.value.wait_for_url(place.portal)
    expect(opened.value.get_by_role("link", name=re.compile("^Continue "))).to_have_count(2)
    # From the session's own host, with the cookie that she has there.
    expect(opened.value.locator("img[data-screen]")).to_be_visible()

    opened.value.get_by_role("link", name="Continue PyMca · 2026-0142").click()
    opened.value.locator("body[data-phase=running]").wait_for()
    expect(page.locator(".jp-Terminal")).to_be_visible()
    assert_cookies_stay_at_home(page, place)
    assert wrong == []


def assert_cookies_stay_at_home(page: Page, place: Place) -> None:
    """Every cookie that means a login belongs to one host, and no other can plant it."""
    ours = [c for c in page.context.cookies() if c["name"] != "daas-demo-provider"]
    hub, session = urlsplit(place.url).hostname, urlsplit(place.sessions_of("pi")).hostname
    logins = {(c["domain"], c["name"]) for c in ours if c["name"].startswith("__Host-")}
    assert logins == {
        (hub, "__Host-jupyterhub-hub-login"),
        (hub, "__Host-service-portal"),
        (session, "__Host-jupyterhub-user-pi-pymca-2026-0142"),
        (session, "__Host-jupyterhub-user-pi-jupyterlab-2026-0142"),
    }
    assert all(c["secure"] for c in ours if c["name"].startswith("__Host-") or c["domain"] == hub)
    shared = {c["name"] for c in ours if c["domain"].startswith(".")}
    assert shared == {"jupyterhub-session-id"}


def test_a_link_of_4_kb_opened_in_two_tabs_survives_the_sign_in(visit: Visit, place: Place) -> None:
    link = f"{place.portal}open?proposal=2026-0142&app=pymca&from="
    first = visit(f"{link}{'a%2F' * 1000}")
    second = first.context.new_page()
    second.goto(f"{link}{'b%2F' * 1000}")
    for tab, letter in ((first, "a"), (second, "b")):
        assert tab.url.startswith(place.issuer)
        tab.locator("button[name=person][value=pi]").click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Open in PyMca")
        assert tab.url == f"{link}{f'{letter}%2F' * 1000}"


def test_a_link_of_4_kb_to_a_session_survives_the_sign_in(visit: Visit, place: Place) -> None:
    page = visit(f"{place.portal}open?proposal=2026-0231&app=pymca")
    choose(page, "pi")
    page.get_by_role("main").get_by_role("button").click()
    page.locator("body[data-phase=running]").wait_for()
    address = page.url
    page.context.clear_cookies()
    page.goto(f"{address}?x={'y' * 4000}")
    choose(page, "pi", wait_for="body[data-phase=running]")
    assert page.url == address
