"""The demo's people in a browser: who they are, how they sign in, where their data lies."""

from pathlib import Path

from playwright.sync_api import Page

from tests.conftest import Demo

PEOPLE = ("pi", "coproposer", "contact", "newcomer")


def portal(demo: Demo) -> str:
    """Where the home page is."""
    return f"{demo.url}/services/portal/"


def sign_in(page: Page, demo: Demo, who: str) -> None:
    """Choose *who* at the identity provider, as anybody who tries the demo does."""
    page.goto(portal(demo))
    page.locator(f"button[name=person][value={who}]").click()
    page.wait_for_url(lambda url: "/services/provider/" not in url)
    page.locator("main h1").wait_for()


def data(demo: Demo, proposal: str, kind: str) -> Path:
    """The folder of a proposal's `raw` or `processed` data on the machine."""
    return next((demo.folder / "data").glob(f"*/{proposal}/{kind}"))
