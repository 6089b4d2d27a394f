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
