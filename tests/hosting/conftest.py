"""Installations behind nginx, and a Chromium that finds their hosts on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.hosting.place import DOMAIN, NGINX, SESSIONS_DOMAIN, Place, running_place

Visit = Callable[..., Page]

expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and not Path(NGINX).exists():
            item.add_marker(pytest.mark.skip(reason="nginx is not installed: run make packages"))


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """What a facility has by default: sub-domains, at the root of its host."""
    with running_place() as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    names = (DOMAIN, f"*.{DOMAIN}", f"*.{SESSIONS_DOMAIN}")
    rules = "--host-resolver-rules=" + ", ".join(f"MAP {name} 127.0.0.1" for name in names)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, rules])
        yield browser
        browser.close()


#: Sends the form of each session's "Stop", as a click does.
STOP = """async () => {
  for (const form of document.querySelectorAll("form.stop")) {
    const body = new URLSearchParams(new FormData(form));
    await fetch(form.action, {method: "POST", body, redirect: "manual"});
  }
}"""


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Return a function that opens a browser of its own at a page of a portal.

    Whatever ran for who signed in there is ended afterwards.
    """
    contexts: list[BrowserContext] = []
    portals: list[str] = []

    def open_page(url: str, **options: Any) -> Page:
        context = chromium.new_context(ignore_https_errors=True, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(url)
        portals.append(url.partition("/open")[0])
        return page

    yield open_page
    for context, portal in zip(contexts, portals, strict=True):
        page = context.new_page()
        page.goto(portal)
        page.evaluate(STOP)
        context.close()


def choose(page: Page, who: str, wait_for: str = "main h1") -> None:
    """Press the provider's button for *who*, and wait for the page behind it."""
    page.locator(f"button[name=person][value={who}]").click()
    page.locator(wait_for).wait_for()
