"""The hub's own pages belong to the portal, and offer nothing that would be refused."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.inside import Inside
from tests.browser.people import portal
from tests.conftest import Demo

PAGES = {
    "tokens": "/hub/token",
    "my account": "/hub/account",
    "sign out": "/hub/logout",
    "no such page": "/hub/nothing",
    "not allowed": "/hub/admin",
    "a session that does not run": "/user/pi/pymca-2026-0142/",
    "somebody else's session": "/user/contact/pymca/",
    "an invitation that does not exist": "/hub/accept-share?code=nothing",
}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hub/",
        "/hub/home",
        "/hub/spawn",
        "/hub/spawn/pi/x",
        "/hub/spawn-pending/pi/x",
        "/hub/login",
    ],
)
def test_the_hubs_entrances_lead_to_the_portal(visit: Visit, demo: Demo, path: str) -> None:
    page = visit("pi", path)
    assert page.url.split("#")[0] == portal(demo)
    expect(page.locator("article.session")).to_have_count(0)


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_a_hub_page_looks_like_the_portal_and_offers_no_start(
    visit: Visit, demo: Demo, path: str
) -> None:
    page = visit("pi", path)
    account = page.get_by_role("navigation", name="Account")
    expect(account.get_by_role("link")).to_have_text(
        ["Tokens", re.compile("My account: *pi"), "Sign out"]
    )
    for word in (r"\bserver\b", r"\bspawn", r"\blaunch", r"\bshare\b", "Traceback"):
        expect(page.get_by_role("main")).not_to_have_text(re.compile(word, re.IGNORECASE))
    page.get_by_role("link", name="Data analysis").click()
    assert page.url == portal(demo)


def test_a_token_is_made_seen_once_used_and_revoked(visit: Visit, demo: Demo) -> None:
    page = visit("pi")
    page.get_by_role("link", name="Tokens").click()
    page.get_by_label("What it is for").fill("my script")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#token-result")
    expect(token).to_have_text(re.compile(r"\w{20,}"))
    headers = {"Authorization": f"token {token.inner_text()}"}
    assert _status(page, demo, headers) == 200
    page.reload()
    expect(page.get_by_role("main")).not_to_contain_text(headers["Authorization"][6:])
    page.get_by_role("button", name="Revoke my script").click()
    expect(page.get_by_role("button", name="Revoke my script")).to_have_count(0)
    assert _status(page, demo, headers) == 403


def test_an_administrator_finds_and_stops_a_session_but_cannot_start_one(
    visit: Visit, demo: Demo
) -> None:
    owner = visit("pi")
    owner.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    owner.locator("body[data-phase=running]").wait_for()
    owner.goto(portal(demo))
    page = visit("contact")
    page.get_by_role("link", name="Administration").click()
    expect(page.get_by_role("main")).to_contain_text("a start here is refused")
    row = page.get_by_role("row").filter(has_text="pymca-2026-0142")
    row.get_by_role("button", name="Stop Server").click()
    expect(owner.locator("#session-pymca-2026-0142")).to_contain_text("Stopped")
    assert Inside(demo, "pi", "pymca-2026-0142").sandboxes() == []
    expect(page.get_by_role("button", name=re.compile("Start|Spawn"))).to_have_count(0)
    answer = page.evaluate(START, "/hub/api/users/pi/servers/pymca-2026-0142")
    assert answer[0] == 403


START = """async (path) => {
  const headers = {"X-XSRFToken": window.jhdata.xsrf_token};
  const answer = await fetch(path, {method: "POST", headers});
  return [answer.status, await answer.text()];
}"""


def _status(page: Page, demo: Demo, headers: dict[str, str]) -> int:
    context = page.context.browser
    assert context
    stranger = context.new_context()
    try:
        return stranger.request.get(f"{demo.url}/hub/api/user", headers=headers).status
    finally:
        stranger.close()


@pytest.mark.parametrize("who", ["coproposer", "contact"])
def test_nobody_else_opens_somebody_elses_session(visit: Visit, who: str) -> None:
    """A member of the proposal does not, and neither does an administrator (contact)."""
    owner = visit("pi")
    owner.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    owner.locator("body[data-phase=running]").wait_for()
    page = visit(who, "/user/pi/pymca-2026-0142/")
    expect(page.get_by_role("main")).not_to_contain_text("Traceback")
    expect(page.locator("canvas")).to_have_count(0)
    assert page.request.get(page.url).status in (403, 404)
