"""Who may come in, and what the others read."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.people import PEOPLE, sign_in
from tests.conftest import Demo

NOTICE = "This is a demo"


@pytest.mark.parametrize("who", PEOPLE)
def test_each_account_signs_in_and_sees_her_name(visit: Visit, demo: Demo, who: str) -> None:
    page = visit()
    sign_in(page, demo, who)
    expect(page.get_by_role("navigation", name="Account")).to_contain_text(f"My account: {who}")


def test_somebody_who_is_blocked_reads_whom_to_ask(visit: Visit, demo: Demo) -> None:
    page = visit()
    sign_in(page, demo, "blocked")
    expect(page.get_by_role("main")).to_contain_text("You may not use the portal for now.")
    expect(page.get_by_role("main")).to_contain_text("Ask the user office")
    expect(page.locator("main")).not_to_contain_text("Traceback")
    page.get_by_role("link", name="To your home page").click()
    expect(page.get_by_role("heading", name="Who are you today?")).to_be_visible()


@pytest.mark.parametrize(
    "path",
    [
        "/services/portal/",
        "/services/portal/open?proposal=2026-0142&app=pymca",
        "/services/portal/open?proposal=2026-9999&app=pymca",
        "/services/portal/nothing",
        "/hub/token",
        "/hub/nothing",
        "/user/pi/pymca-2026-0142/",
    ],
)
def test_every_page_says_that_this_is_a_demo(visit: Visit, path: str) -> None:
    expect(visit("pi", path).locator(".notice")).to_contain_text(NOTICE)


def test_the_page_of_the_identity_provider_says_so_too(visit: Visit) -> None:
    expect(visit().locator(".notice")).to_contain_text(NOTICE)


def test_signing_out_says_that_sessions_keep_running(visit: Visit, demo: Demo) -> None:
    page = visit()
    sign_in(page, demo, "newcomer")
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    expect(page.get_by_role("main")).to_contain_text("Sessions keep running for 24 hours at least")
    page.get_by_role("link", name="Sign in again").click()
    expect(page.get_by_role("heading", name="Who are you today?")).to_be_visible()
