"""Steps that the tests of a login share."""

import re
from urllib.parse import parse_qs, quote, urlsplit

from .conftest import Browser


async def answer_to(
    browser: Browser, next_url: str = "/services/portal/", way: str = "/hub/oauth_login"
) -> str:
    """Go to the provider and back to its answer's address, without following it."""
    mark = "&" if "?" in way else "?"
    to_provider = await browser.get(f"{way}{mark}next={quote(next_url, safe='')}", follow=0)
    assert to_provider.code == 302, to_provider.body
    answer = await browser.get(to_provider.headers["Location"], follow=0)
    return str(answer.headers["Location"])


async def asked_redirect(browser: Browser, way: str, **headers: str) -> str:
    """Return the redirect URI that the hub asks the provider for."""
    to_provider = await browser.get(way, follow=0, **headers)
    return parse_qs(urlsplit(to_provider.headers["Location"]).query)["redirect_uri"][0]


def signed_in(browser: Browser) -> bool:
    """Tell whether the hub has let this browser in."""
    return "jupyterhub-hub-login" in browser.cookies


def sentences(page: bytes) -> str:
    """Return what a person reads of *page*, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.decode()))
