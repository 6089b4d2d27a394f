"""A real Keycloak with our profile for it: a second implementation, and the one facilities run.

`make keycloak` fetches and builds it once. One Keycloak and one hub serve all of these tests, in a
real browser; each test has people of its own.
"""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from .conftest import HUB_CONFIG, Hub, free_port, running_hub
from .keycloak_server import (
    LEVELS,
    MAPPERS,
    MFA,
    OTP_SECRET,
    Keycloak,
    is_fetched,
    one_time_code,
    starting_keycloak,
)
from .test_sweep import QUICK, STARTER

pytestmark = [
    pytest.mark.keycloak,
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java: make test-packages"),
    pytest.mark.skipif(not is_fetched(), reason="no Keycloak: make keycloak"),
]

WAYS = """
c.JupyterHub.public_url = "http://127.0.0.1:{hub}/"
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.oauth_callback_url = ""
c.DaasAuthenticator.auto_login = False
c.DaasAuthenticator.provider_check_seconds = 0.2
c.DaasAuthenticator.refused_grace_seconds = 3
c.DaasAuthenticator.blocked_grace_seconds = 3
c.DaasAuthenticator.providers = {{
    "staff": {{
        "profile": "keycloak",
        "issuer": "http://127.0.0.1:{provider}/realms/daas-test",
        "client_id": "daas",
        "client_secret": "secret-of-staff",
    }},
    "partner": {{
        "profile": "oidc",
        "title": "Partner",
        "issuer": "http://127.0.0.1:{provider}/realms/partner",
        "client_id": "daas",
        "client_secret": "secret-of-partner",
    }},
}}
c.DaasAuthenticator.rights = [
    {{"right": "admin", "provider": "staff", "claim": "groups", "value": "staff"}},
    {{"right": "without-proposal", "provider": "staff",
      "entitlement": "urn:geant:facility.example:group:training#aai.facility.example"}},
]
c.DaasAuthenticator.step_up = {{
    "staff": {{"acr_values": ["https://refeds.org/profile/mfa"], "raised_seconds": 600}},
}}
"""


@dataclass(frozen=True)
class Facility:
    """A hub and its Keycloak."""

    hub: Hub
    keycloak: Keycloak

    def api(self, path: str, method: str = "GET", **headers: str) -> Any:
        """Ask the hub's API, as the service that starts sessions unless *headers* say more."""
        body = b"" if method == "POST" else None
        request = Request(f"{self.hub.url}/hub/api/{path}", body, headers or STARTER, method=method)
        with urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def has_session(self, name: str) -> bool:
        return "pymca" in self.api(f"users/{name}")["servers"]


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    folder, port = tmp_path_factory.mktemp("hub"), free_port()
    config = HUB_CONFIG + QUICK.replace("http://127.0.0.1:9", "http://127.0.0.1:{hub}") + WAYS
    with (
        starting_keycloak(port, folder / "keycloak.log") as keycloak,
        # The hub does not wait for its provider.
        running_hub(folder, config, provider=port) as hub,
    ):
        keycloak.wait()
        keycloak.register("daas-test", hub.url, "staff")
        keycloak.add_to_client(LEVELS, MAPPERS)  # the page's sections on rights
        keycloak.register("partner", hub.url, "partner")
        until(lambda: b"Out of order" not in urlopen(f"{hub.url}/hub/login").read())
        yield Facility(hub, keycloak)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until *true*."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def type_password(page: Page, who: str) -> None:
    """Fill in Keycloak's form. Somebody whom it knows already is asked for the password alone."""
    name = page.locator("input#username:not([type=hidden])")
    page.locator("#password").wait_for()
    if name.count() and name.is_editable():
        name.fill(who)
    page.locator("#password").fill(who)
    page.locator("#kc-login").click()


def type_code(page: Page, code: str) -> None:
    page.locator("#otp").fill(code)
    page.locator("#kc-login").click()


def sign_in(page: Page, facility: Facility, who: str, way: str = "Facility account") -> None:
    page.goto(f"{facility.hub.url}/hub/login?next=%2Fhub%2Faccount")
    card = page.get_by_role("region", name=way)
    card.get_by_role("link", name="Sign in", exact=True).click()
    type_password(page, who)


def open_account(page: Page, facility: Facility) -> None:
    page.goto(f"{facility.hub.url}/hub/account")
    expect(page.get_by_role("heading", name="My account", level=1)).to_be_visible()


def is_admin(page: Page, facility: Facility) -> bool:
    return page.request.get(f"{facility.hub.url}/hub/admin").status == 200


def test_signing_out_ends_keycloaks_session_too_and_comes_back(
    page: Page, facility: Facility
) -> None:
    sign_in(page, facility, "coproposer")
    expect(page.get_by_role("banner")).to_contain_text("My account: coproposer")
    page.goto(f"{facility.hub.url}/hub/logout")
    page.get_by_role("button", name="Sign out").click()
    # No ID token stands in the address, so Keycloak asks once.
    expect(page.locator("#kc-logout")).to_be_visible()
    assert page.url.startswith(facility.keycloak.url)
    assert "id_token_hint" not in page.url
    page.locator("#kc-logout").click()
    expect(page).to_have_url(f"{facility.hub.url}/hub/signed-out")
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    sign_in(page, facility, "coproposer")  # it asks for the password again
    expect(page.get_by_role("banner")).to_contain_text("My account: coproposer")


def test_an_entitlement_in_keycloaks_list_gives_its_right(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "coproposer")
    rights = page.get_by_role("region", name="Your rights")
    expect(rights.get_by_role("listitem")).to_have_text(["Start a session without a proposal"])
    page.context.clear_cookies()
    sign_in(page, facility, "contact")
    waiting = "Administrator: see people and sessions, and stop sessions (after a second factor)"
    expect(rights.get_by_role("listitem")).to_have_text([waiting])


def test_attack_16_an_administrators_logout_at_keycloak_reaches_the_hub_at_once(
    page: Page, facility: Facility
) -> None:
    sign_in(page, facility, "guest")
    expect(page.get_by_role("banner")).to_contain_text("My account: guest")
    facility.keycloak.sign_out("guest")
    # No page is opened and no session runs, so the hub does not ask: it was told.
    until(lambda: "Logins of guest ended by staff: 1" in facility.hub.log.read_text())
    page.goto(f"{facility.hub.url}/hub/account")
    assert urlsplit(page.url).path == "/hub/login"
    log = facility.hub.log.read_text()
    assert "Login of guest ended" not in log  # by a refusal


def test_administrator_after_a_one_time_code_and_not_before(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "contact")
    expect(page.get_by_role("heading", name="My account", level=1)).to_be_visible()
    assert not is_admin(page, facility)
    page.get_by_role("button", name="Use all rights, with a second factor").click()
    type_password(page, "contact")
    type_code(page, "000000" if one_time_code(OTP_SECRET, time.time()) != "000000" else "111111")
    expect(page.locator("body")).to_contain_text("Invalid authenticator code.")
    assert not is_admin(page, facility)
    type_code(page, one_time_code(OTP_SECRET, time.time()))
    expect(page.get_by_role("status")).to_contain_text("Your rights count for some minutes")
    assert is_admin(page, facility)
    expect(page.locator("body")).to_contain_text("rights count until")
    page.get_by_role("button", name="Give up the second factor's rights").click()
    expect(page.get_by_role("button", name="Use all rights")).to_be_visible()
    assert not is_admin(page, facility)


def test_attack_31_a_login_by_password_alone_raises_nobody(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "contact")
    xsrf = page.locator("input[name=_xsrf]").first.input_value()
    answer = page.request.post(
        f"{facility.hub.url}/hub/account/raise", form={"_xsrf": xsrf}, max_redirects=0
    )
    parts = urlsplit(answer.headers["location"])
    query = dict(parse_qsl(parts.query))
    assert query.pop("acr_values") == MFA
    page.goto(urlunsplit(parts._replace(query=urlencode(query))))
    type_password(page, "contact")
    expect(page.locator("body")).to_contain_text("did not confirm a second factor")
    assert "acr is missing or not one of" in facility.hub.log.read_text()
    assert not is_admin(page, facility)


def test_a_second_realms_identity_is_linked_after_both_passwords(
    page: Page, facility: Facility
) -> None:
    sign_in(page, facility, "coproposer")
    page.get_by_role("button", name="Link Partner").click()
    type_password(page, "coproposer")  # Keycloak knows her, and asks her all the same
    page.wait_for_url("**/realms/partner/**")
    type_password(page, "linda")
    expect(page.locator("dl")).to_contain_text("Linda Guest")
    page.get_by_role("button", name="Link it").click()
    expect(page.get_by_role("status")).to_contain_text("The identity is linked")
    page.context.clear_cookies()
    sign_in(page, facility, "linda", way="Partner")
    expect(page.get_by_role("banner")).to_contain_text("My account: coproposer")


def test_attack_16_a_disabled_person_is_told_and_then_loses_her_session(
    page: Page, facility: Facility
) -> None:
    sign_in(page, facility, "pi")
    expect(page.get_by_role("banner")).to_contain_text("My account: pi")
    token = {"Authorization": f"token {token_for_scripts(page, facility, 'pi')}"}
    facility.api("users/pi/servers/pymca", "POST")
    until(lambda: facility.has_session("pi"))
    open_account(page, facility)  # the login was renewed
    assert facility.api("notices", **token) == {"notices": []}
    facility.keycloak.disable("pi")  # of which Keycloak tells nobody
    until(lambda: facility.api("notices", **token)["notices"] != [])
    told = time.monotonic()
    assert facility.has_session("pi")
    (sentence,) = facility.api("notices", **token)["notices"]
    assert re.match(r"Your login has ended\. Sign in again before \d\d:\d\d UTC", sentence)
    page.goto(f"{facility.hub.url}/hub/account")
    assert urlsplit(page.url).path == "/hub/login"
    until(lambda: not facility.has_session("pi"))
    assert time.monotonic() - told < 3 + 5  # the grace, and some sweeps


def token_for_scripts(page: Page, facility: Facility, name: str) -> str:
    answer = page.request.post(
        f"{facility.hub.url}/hub/api/users/{name}/tokens",
        headers={"X-XSRFToken": page.locator("input[name=_xsrf]").first.input_value()},
        data={"note": "a script"},
    )
    return str(answer.json()["token"])


def test_a_disabled_person_does_not_come_in(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "blocked")
    expect(page.locator("body")).to_contain_text("disabled")
    assert page.url.startswith(facility.keycloak.url)


def test_attack_23_no_token_of_keycloaks_is_in_the_hubs_log(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "guest")
    expect(page.get_by_role("banner")).to_contain_text("My account: guest")
    facility.keycloak.sign_out("guest")
    until(lambda: "Logins of guest ended by staff" in facility.hub.log.read_text())
    said = facility.hub.log.read_text()
    assert not re.search(r"eyJ[\w-]{10}", said)  # so begins whatever is signed or encrypted
    assert "secret-of-staff" not in said
