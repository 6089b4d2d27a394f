"""A provider that is not ours and is certified, npm's oidc-provider, signs people in for real.

In Chromium, through its own pages; then it rotates tokens, and the hub keeps up.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from .conftest import HUB_CONFIG, Hub, free_port, running_hub, wait_for

REPOSITORY = Path(__file__).parents[2]
NODE = REPOSITORY / ".node" / "node"
#: `make` installs it from package.json; a checkout that shares its `.node` may name another place.
PLACES = (NODE.parent / "node_modules", Path(os.environ.get("NODE_PATH", "/nowhere")))
LIBRARY = next((p for p in PLACES if (p / "oidc-provider").is_dir()), None)
#: Long enough that a slow machine gets from one answer of the provider to its next question.
TOKEN_SECONDS = 4

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LIBRARY is None, reason="npm's oidc-provider is not installed: run make"),
]

CERTIFIED = """
c.JupyterHub.public_url = "http://127.0.0.1:{hub}/"
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.oauth_callback_url = ""
c.DaasAuthenticator.renewal_seconds = 1
c.DaasAuthenticator.provider_check_seconds = 0.2
c.DaasAuthenticator.providers = {{
    "certified": {{
        "title": "Certified provider",
        "issuer": "http://127.0.0.1:{provider}",
        "client_id": "hub",
        "client_secret": "secret-of-the-hub",
        "groups_claim": "groups",
    }},
    "away": {{
        "title": "Another", "issuer": "https://127.0.0.1:1", "client_id": "x", "client_secret": "x"
    }},
}}
"""


@dataclass(frozen=True)
class Certified:
    """A hub, and what the provider says that it granted."""

    hub: Hub
    said: Path
    provider: str

    def granted(self, what: str) -> int:
        return self.said.read_text().count(f"grant.success {what}\n")


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    folder, port = tmp_path_factory.mktemp("hub"), free_port()
    with (
        running_hub(folder, HUB_CONFIG + CERTIFIED, provider=port) as hub,
        certified_provider(port, f"{hub.url}/hub/oidc/certified/callback", folder / "said") as said,
    ):
        deadline = time.monotonic() + 20
        while b">Sign in</a>" not in urlopen(f"{hub.url}/hub/login").read():
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
        yield Certified(hub, said, f"http://127.0.0.1:{port}")


@contextmanager
def certified_provider(port: int, redirect_uri: str, said: Path) -> Iterator[Path]:
    """Run the provider at *port* until the end of the block."""
    assert LIBRARY is not None
    entry = LIBRARY / "oidc-provider" / "lib" / "index.js"
    script = Path(__file__).with_name("certified_provider.mjs")
    command = [str(NODE), str(script), str(entry), str(port), redirect_uri, str(TOKEN_SECONDS)]
    with said.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/.well-known/openid-configuration", process, said)
        yield said
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, certified: Certified, who: str, wanted: str = "/hub/token") -> None:
    """Choose the way on the hub's page, and say *who* on the provider's."""
    page.goto(f"{certified.hub.url}/hub/login?{urlencode({'next': wanted})}")
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.locator("input[name=login]").fill(who)
    page.locator("input[name=password]").fill("any")
    page.get_by_role("button", name="Sign-in").click()


def test_a_person_signs_in_and_the_hub_keeps_up_with_rotating_tokens(
    page: Page, certified: Certified
) -> None:
    sign_in(page, certified, "alice")
    expect(page.get_by_role("banner")).to_contain_text("My account: alice")
    assert page.url == f"{certified.hub.url}/hub/token"
    renewed = certified.granted("refresh_token")
    deadline = time.monotonic() + 60
    while certified.granted("refresh_token") < renewed + 2:
        assert time.monotonic() < deadline, certified.said.read_text()
        page.reload()
        expect(page.get_by_role("banner")).to_contain_text("My account: alice")
    assert "grant.error" not in certified.said.read_text()


def test_a_name_that_arrives_as_a_list_is_that_name(page: Page, certified: Certified) -> None:
    sign_in(page, certified, "bob")
    expect(page.get_by_role("banner")).to_contain_text("My account: bob")


def test_somebody_without_a_name_reads_why_she_cannot_come_in(
    page: Page, certified: Certified
) -> None:
    sign_in(page, certified, "nameless")
    expect(page.get_by_role("main")).to_contain_text("did not tell us your account's name")


def test_signing_out_ends_the_login_at_the_provider_too(page: Page, certified: Certified) -> None:
    sign_in(page, certified, "alice")
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert page.url == f"{certified.hub.url}/hub/signed-out"
    sign_in(page, certified, "bob")  # it asks anew: alice is not signed in there any more
    expect(page.get_by_role("banner")).to_contain_text("My account: bob")


def test_a_login_that_ends_at_the_provider_ends_in_the_hub(
    page: Page, certified: Certified, chromium: Browser
) -> None:
    sign_in(page, certified, "alice")
    other = chromium.new_context().new_page()
    sign_in(other, certified, "alice")
    page.goto(f"{certified.provider}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_load_state()
    # Not by asking the provider again: its own notice comes, soon after its page.
    deadline = time.monotonic() + 20
    while "ended by certified: 1" not in certified.hub.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    page.goto(f"{certified.hub.url}/hub/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to look at your data")
    other.goto(f"{certified.hub.url}/hub/account")
    expect(other.get_by_role("heading", level=1)).to_have_text("My account")
    other.context.close()


def test_the_page_is_clear_about_the_way_that_is_out_of_order(
    page: Page, certified: Certified
) -> None:
    page.goto(f"{certified.hub.url}/hub/login")
    expect(page.get_by_role("heading", name="Certified provider")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Out of order")
    assert len(page.get_by_role("link", name="Try anyway").all()) == 1


def test_a_launch_link_with_4_kb_of_query_survives_in_two_tabs(
    chromium: Browser, certified: Certified
) -> None:
    context = chromium.new_context()
    links = [f"/hub/token?tab={tab}&{'proposal=2026-0142&' * 230}" for tab in (1, 2)]
    tabs = [context.new_page() for _ in links]
    for tab, link in zip(tabs, links, strict=True):
        tab.goto(f"{certified.hub.url}/hub/login?{urlencode({'next': link})}")
        tab.get_by_role("link", name="Sign in", exact=True).click()
        tab.locator("input[name=login]").wait_for()
    for tab, link in zip(tabs, links, strict=True):
        assert len(link) > 4096
        tab.locator("input[name=login]").fill("alice")
        tab.locator("input[name=password]").fill("any")
        tab.get_by_role("button", name="Sign-in").click()
        expect(tab.get_by_role("banner")).to_contain_text("My account: alice")
        assert tab.url == certified.hub.url + link
    context.close()
