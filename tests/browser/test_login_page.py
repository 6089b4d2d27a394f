"""The hub's sign-in page. The demo goes past it (`auto_login`), so it is rendered here as the hub
renders it, and shown under the demo's address with the demo's styles."""

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.conftest import REPOSITORY, Demo

STOCK = REPOSITORY / ".venv" / "share" / "jupyterhub" / "templates"
AS_THE_HUB_SAYS: dict[str, Any] = {
    "base_url": "/hub/",
    "prefix": "/",
    "user": None,
    "parsed_scopes": {},
    "static_url": lambda path, **_: f"/hub/static/{path}",
    "authenticator_login_url": "/hub/oauth_login?next=",
    "xsrf": "x",
    "xsrf_token": "x",
    "daas_notice": "This is a demo.",
}


def rendered(template: str, **values: Any) -> str:
    ours = REPOSITORY / "templates" / "hub"
    loader = ChoiceLoader(
        [PrefixLoader({"templates": FileSystemLoader(STOCK)}), FileSystemLoader([ours, STOCK])]
    )
    environment = Environment(loader=loader, autoescape=True)
    return environment.get_template(template).render(**AS_THE_HUB_SAYS, **values)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("values", "button"),
    [
        ({"login_service": "your facility account"}, "Sign in with your facility account"),
        ({"login_service": "", "login_error": "Invalid name or password"}, "Sign in"),
    ],
    ids=["one provider", "a form"],
)
def test_the_sign_in_page_has_one_way_in_and_says_how_to_get_an_account(
    visit: Visit,
    demo: Demo,
    axe: Callable[[Page], list[str]],
    values: dict[str, str],
    button: str,
    scheme: str,
) -> None:
    page = visit(color_scheme=scheme, bypass_csp=True)
    html = rendered("login.html", **values)
    page.route("**/hub/login", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{demo.url}/hub/login")
    way_in = page.get_by_role("link" if values["login_service"] else "button", name=button)
    expect(way_in).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("ask your facility's user office")
    expect(page.get_by_role("main")).to_contain_text(values.get("login_error", ""))
    assert axe(page) == []


WAYS = [
    {"title": "Facility account", "for_whom": "For staff.", "url": "/hub/a", "out_of_order": False},
    {"title": "UmbrellaID", "for_whom": "For guests.", "url": "/hub/b", "out_of_order": True},
    {"title": "ORCID iD", "for_whom": "For linking.", "url": "", "out_of_order": False},
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_says_which_way_is_for_whom_and_which_is_out_of_order(
    visit: Visit, demo: Demo, axe: Callable[[Page], list[str]], scheme: str, width: int
) -> None:
    size = {"width": width, "height": 800}
    page = visit(color_scheme=scheme, bypass_csp=True, viewport=size)
    html = rendered("login.html", ways=WAYS)
    page.route("**/hub/login", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{demo.url}/hub/login")
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_have_attribute("href", "/hub/a")
    expect(page.get_by_role("link", name="Try anyway")).to_have_attribute("href", "/hub/b")
    expect(page.get_by_role("status")).to_contain_text("Out of order")
    expect(page.get_by_role("link", name="ORCID")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []


FORM = {**WAYS[0], "id": "staff", "title": "Staff account", "url": "/hub/p", "form": True}
OFF = {**FORM, "id": "off", "title": "Old way", "url": "", "off_because": "It is not encrypted."}
WRONG = {"way": "staff", "error": "Name or password is wrong. Try again.", "name": "alice"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_a_password_stands_beside_a_provider_and_an_error_beside_its_form(
    visit: Visit, demo: Demo, axe: Callable[[Page], list[str]], scheme: str, width: int
) -> None:
    size = {"width": width, "height": 800}
    page = visit(color_scheme=scheme, bypass_csp=True, viewport=size)
    html = rendered(
        "login.html",
        ways=[WAYS[0], FORM, {**FORM, "id": "b", "title": "Guests"}, OFF],
        failed=WRONG,
    )
    page.route("**/hub/login", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{demo.url}/hub/login")
    names = page.get_by_label("Name")
    expect(names).to_have_count(2)
    expect(names.first).to_have_value("alice")
    expect(names.first).to_have_accessible_description(WRONG["error"])
    expect(names.last).to_have_value("")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_label("Password").first).to_be_focused()
    expect(page.get_by_role("main")).to_contain_text("Switched off here. It is not encrypted.")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []
