"""A real Keycloak with our profile for it: a second implementation, and the one facilities run.

Not part of `make test`: `tests/authenticator/keycloak/start-keycloak.sh fetch` loads and builds it
once (177 MB), and from then on these tests run.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from .conftest import HUB_CONFIG, Hub, free_port, running_hub, wait_for

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("IDP_CACHE", Path.home() / ".cache" / "daas-test-keycloak"))

pytestmark = [
    pytest.mark.keycloak,
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("java") is None, reason="Keycloak needs Java"),
    pytest.mark.skipif(
        not list(CACHE.glob("keycloak-*/.built")), reason="no Keycloak: start-keycloak.sh fetch"
    ),
]

STAFF = """
c.JupyterHub.public_url = "http://127.0.0.1:{hub}/"
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.oauth_callback_url = ""
c.DaasAuthenticator.renewal_seconds = 1
c.DaasAuthenticator.auto_login = False
c.DaasAuthenticator.providers = {{
    "staff": {{
        "profile": "keycloak",
        "issuer": "http://127.0.0.1:{provider}/realms/daas-test",
        "client_id": "daas-hub",
        "client_secret": "daas-hub-secret",
    }},
}}
"""


@dataclass(frozen=True)
class Facility:
    """A hub and its Keycloak."""

    hub: Hub
    keycloak: str

    def disable(self, person: str) -> None:
        """Do what an administrator does when somebody leaves."""
        form = {"grant_type": "password", "client_id": "admin-cli"}
        form |= {"username": "admin", "password": "admin"}
        token = self._ask("realms/master/protocol/openid-connect/token", "", urlencode(form))
        users = "admin/realms/daas-test/users"
        (user,) = self._ask(f"{users}?username={person}&exact=true", token["access_token"])
        self._ask(f"{users}/{user['id']}", token["access_token"], json.dumps({"enabled": False}))

    def _ask(self, path: str, token: str, body: str | None = None) -> Any:
        request = Request(f"{self.keycloak}/{path}", data=body.encode() if body else None)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
            request.add_header("Content-Type", "application/json")
            request.method = "PUT" if body else "GET"
        with urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def running_keycloak(port: int, log: Path) -> Iterator[str]:
    """Run Keycloak at *port* until the end of the block."""
    # No variable named KC_…: Keycloak takes each for an option of its own.
    environment = {n: v for n, v in os.environ.items() if not n.startswith("KC_")}
    environment |= {"IDP_PORT": str(port), "DAAS_HUB_BASE": "http://127.0.0.1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", str(HERE / "keycloak" / "start-keycloak.sh"), "run"],
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        known = f"{url}/realms/daas-test/.well-known/openid-configuration"
        wait_for(known, process, log, seconds=180)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    folder, port = tmp_path_factory.mktemp("hub"), free_port()
    with (
        running_keycloak(port, folder / "keycloak.log") as keycloak,
        running_hub(folder, HUB_CONFIG + STAFF, provider=port) as hub,
    ):
        yield Facility(hub, keycloak)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def sign_in(page: Page, facility: Facility, who: str) -> None:
    page.goto(f"{facility.hub.url}/hub/login?next=%2Fhub%2Ftoken")
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.locator("#username").fill(who)
    page.locator("#password").fill(who)
    page.locator("#kc-login").click()


def test_a_person_signs_in_with_keycloak_and_loses_the_login_when_she_is_disabled(
    page: Page, facility: Facility
) -> None:
    sign_in(page, facility, "pi")
    expect(page.get_by_role("banner")).to_contain_text("My account: pi", timeout=30_000)
    page.reload()
    expect(page.get_by_role("banner")).to_contain_text("My account: pi")
    facility.disable("pi")
    deadline = time.monotonic() + 30
    while page.url.endswith("/hub/token"):
        assert time.monotonic() < deadline
        page.goto(f"{facility.hub.url}/hub/token")
    assert "/hub/login" in page.url


def test_a_disabled_person_does_not_come_in(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "blocked")
    expect(page.locator("body")).to_contain_text("disabled")
    assert page.url.startswith(facility.keycloak)
