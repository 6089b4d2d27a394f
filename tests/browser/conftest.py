"""A real Chromium, watched on every page: no other host is asked, no error is on the console."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.browser.people import PEOPLE, portal, sign_in
from tests.conftest import REPOSITORY, Demo

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = REPOSITORY / ".node" / "node_modules" / "axe-core" / "axe.min.js"

HARMLESS = (
    # A page that is an error is itself such a message; what the page says is tested elsewhere.
    "Failed to load resource",
    # noVNC, of the rest of a picture that was being decoded when the connection ended.
    "Got data while disconnected",
)

Visit = Callable[..., Page]

# Two cores are shared with the sessions.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


# Not for the whole run: while Playwright is there no other event loop can run in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def logins(browser: Browser, demo: Demo) -> dict[str, Any]:
    """Everybody's cookies, from one real sign-in each."""
    states = {}
    for who in PEOPLE:
        context = browser.new_context()
        sign_in(context.new_page(), demo, who)
        states[who] = context.storage_state()
        context.close()
    return states


@pytest.fixture
def visit(browser: Browser, demo: Demo, logins: dict[str, Any]) -> Iterator[Visit]:
    """Return a function that opens a browser for somebody; nobody means not signed in."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(
        who: str = "", path: str = "", watch_console: bool = True, **options: Any
    ) -> Page:
        state = {"storage_state": logins[who]} if who else {}
        size = {"width": 1280, "height": 800}
        context = browser.new_context(**{"viewport": size, **state, **options})
        context.set_default_timeout(20_000)
        context.on("request", lambda request: _watch_host(request.url, demo, wrong))
        if watch_console:
            context.on("console", lambda message: _watch_console(message, wrong))
        contexts.append(context)
        page = context.new_page()
        page.goto(path if path.startswith("http") else f"{demo.url}{path or '/services/portal/'}")
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            page.close()
    seen = list(wrong)
    for context in contexts:
        _end_sessions(context, demo)
        context.close()
    assert seen == []


def _watch_host(url: str, demo: Demo, wrong: list[str]) -> None:
    if not url.startswith((f"{demo.url}/", "data:", "blob:")):
        wrong.append(f"asked another host: {url}")


def _watch_console(message: ConsoleMessage, wrong: list[str]) -> None:
    if message.type == "error" and not message.text.startswith(HARMLESS):
        wrong.append(f"console: {message.text}")


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """Return a function that lists what axe-core finds wrong on a page.

    The page's context must ignore its content security policy: axe-core writes styles into it.
    Nothing moves while it looks: a button that wakes up has its colours at once.
    """
    program = AXE.read_text("utf-8")

    def check(page: Page) -> list[str]:
        page.emulate_media(reduced_motion="reduce")
        found = page.evaluate(f"{program}; axe.run(document, {{resultTypes: ['violations']}})")
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    return check


def _end_sessions(context: BrowserContext, demo: Demo) -> None:
    """End what a test has started, by the same form that a person uses."""
    page = context.request.get(portal(demo)).text()
    token = re.search(r'name="_xsrf" value="([^"]+)"', page)
    for session in re.findall(r'data-session="([^"]+)"', page):
        assert token
        form = {"session": session, "_xsrf": token[1]}
        assert context.request.post(f"{portal(demo)}stop", form=form).ok
