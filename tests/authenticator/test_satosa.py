"""A SAML identity provider behind SATOSA, as Umbrella and eduTEAMS are built, signs people in.

What a broker does to claims: single values arrive as lists, some of two, and how somebody
authenticated comes from SAML. Its certificate is the facility's own.
"""

import asyncio
import base64
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from daas_authenticator.client import Identity, OpenIDClient
from daas_authenticator.fetch import Fetch
from daas_authenticator.login_flow import LoginFlow, Purpose
from daas_authenticator.providers import parse_providers
from daas_authenticator.rights.rules import parse_rules, rights_of
from daas_authenticator.rights.step_up import NotRaised, Raised, StepUp, raised

from .conftest import CLIENT_SECRET, HUB_CONFIG, Hub, free_port, running_hub
from .saml_chain import ADMINS, ENVIRONMENT, MEMBERS, MFA, SFA, Chain, saml_chain
from .slapd import make_certificates

REPOSITORY = Path(__file__).parents[2]
BACK = "http://127.0.0.1:1/hub/oidc/umbrella/callback"
WATCHER = "token-of-the-test"

pytestmark = [
    pytest.mark.skipif(
        not (ENVIRONMENT / "ready").exists(), reason="no SATOSA: make .satosa/ready"
    ),
    pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed"),
]

UMBRELLA = """
c.JupyterHub.public_url = "http://127.0.0.1:{hub}/"
c.JupyterHub.services = [{{"name": "watcher", "api_token": {watcher!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "watches", "services": ["watcher"], "scopes": ["read:users", "list:users"]}}
]
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.oauth_callback_url = ""
c.DaasAuthenticator.provider_check_seconds = 0.2
c.DaasAuthenticator.ca_bundle = {ca_bundle!r}
umbrella = {{
    "profile": "umbrella",
    "issuer": "https://localhost:{provider}",
    "client_id": "hub",
    "client_secret": "secret-of-the-hub",
    "names_people": True,
    "username_claim": "uid",
    "groups_claim": "eduperson_entitlement",
}}
c.DaasAuthenticator.providers = {{
    "umbrella": umbrella,
    "stranger": {{**umbrella, "title": "Stranger", "client_id": "other", "ca_bundle": ""}},
}}
"""


@dataclass(frozen=True)
class Facility:
    """A hub, and the chain behind it."""

    hub: Hub
    chain: Chain

    def groups_of(self, name: str) -> list[str]:
        """What the hub took from the entitlements."""
        request = Request(f"{self.hub.url}/hub/api/users/{name}")
        request.add_header("Authorization", f"token {WATCHER}")
        with urlopen(request, timeout=10) as answer:
            return sorted(json.load(answer)["groups"])


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    folder, port = tmp_path_factory.mktemp("satosa"), free_port()
    make_certificates(folder)
    values = {
        "watcher": WATCHER,
        "ca_bundle": str(folder / "ca.pem"),
    }
    with running_hub(folder, HUB_CONFIG + UMBRELLA, provider=port, **values) as hub:
        callback = f"{hub.url}/hub/oidc/umbrella/callback"
        with saml_chain(folder, port, callback, BACK) as chain:
            deadline = time.monotonic() + 20
            while b">Sign in</a>" not in urlopen(f"{hub.url}/hub/login").read():
                assert time.monotonic() < deadline, hub.log.read_text()
                time.sleep(0.1)
            yield Facility(hub, chain)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:  # for one test: no loop of another can run beside it
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        # The facility's authority is in this browser as well, so to speak.
        page = chromium.new_page(ignore_https_errors=True)
        page.set_default_timeout(20_000)
        yield page
        chromium.close()


def sign_in(page: Page, facility: Facility, who: str) -> None:
    """Choose the way on the hub's page, and *who* on the university's."""
    page.goto(f"{facility.hub.url}/hub/login?next=%2Fhub%2Ftoken")
    page.get_by_role("link", name="Sign in", exact=True).click()
    expect(page).to_have_title("University")
    page.get_by_role("button", name=who).click()


@pytest.mark.browser
def test_a_person_signs_in_over_saml_and_openid_connect(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "wkluge")
    expect(page.get_by_role("banner")).to_contain_text("My account: wkluge")
    assert page.url == f"{facility.hub.url}/hub/token"
    assert facility.groups_of("wkluge") == sorted([ADMINS, MEMBERS])


@pytest.mark.browser
def test_one_entitlement_is_one_group_and_not_its_letters(page: Page, facility: Facility) -> None:
    sign_in(page, facility, "single")
    expect(page.get_by_role("banner")).to_contain_text("My account: single")
    assert facility.groups_of("single") == [MEMBERS]


@pytest.mark.browser
@pytest.mark.parametrize(
    "who",
    [
        pytest.param("twins", id="two names in the list"),
        pytest.param("nameless", id="no name at all"),
    ],
)
def test_who_has_no_single_name_reads_why_and_is_not_signed_in(
    page: Page, facility: Facility, who: str
) -> None:
    before = len(facility.hub.log.read_text())
    sign_in(page, facility, who)
    expect(page.get_by_role("main")).to_contain_text("did not tell us your account's name")
    assert not [c for c in page.context.cookies() if c["name"] == "jupyterhub-hub-login"]
    said = page.content() + facility.hub.log.read_text()[before:]
    assert [word for word in ("Traceback", "eyJ", CLIENT_SECRET) if word in said] == []


def test_without_the_facilitys_authority_the_provider_is_out_of_order(facility: Facility) -> None:
    """Both ways lead to the same broker; only one of them trusts its certificate."""
    with urlopen(f"{facility.hub.url}/hub/login") as answer:
        text = re.sub(r"<[^>]+>|\s+", " ", answer.read().decode())
    umbrella, stranger = text.index("UmbrellaID"), text.index("Stranger")
    assert "Out of order" not in text[umbrella:stranger]
    assert "Out of order" in text[stranger:]


# -- what the broker says, as our client reads it --------------------------------------------


async def identified(chain: Chain, who: str, **asked: str) -> Identity:
    """Sign *who* in with the client that the hub uses."""
    entry = {"profile": "umbrella", "issuer": chain.issuer, "client_id": "hub"}
    entry["client_secret"] = CLIENT_SECRET
    (provider,) = parse_providers({"umbrella": entry}, ca_bundle=str(chain.ca_bundle))
    client = OpenIDClient(provider, Fetch(10, provider.ca_bundle))
    flow = LoginFlow(provider="umbrella")
    url = await client.authorization_url(flow, BACK, asked)
    answer = await asyncio.to_thread(chain.answer, url, who)
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    assert query["state"] == flow.state, answer
    await client.check_answer(query.get("iss"))
    identity = await client.sign_in(query["code"], flow, BACK)
    await all_closed()
    return identity


async def all_closed() -> None:
    """Wait until the broker has closed what it does not keep alive: a test's loop ends sooner."""
    open_files = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        while len(open_files) > 1:  # the loop's own
            await asyncio.sleep(0.01)


def id_token_of(identity: Identity) -> dict[str, Any]:
    """The claims of the ID token, which the client has verified."""
    assert identity.tokens.id_token is not None
    body = identity.tokens.id_token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))
    return claims


async def test_single_values_arrive_as_lists_and_entitlements_give_rights(
    facility: Facility,
) -> None:
    claims = (await identified(facility.chain, "wkluge")).claims
    assert claims["uid"] == ["wkluge"]
    assert claims["voperson_id"] == ["wkluge@uni.example"]
    assert sorted(claims["eduperson_entitlement"]) == sorted([ADMINS, MEMBERS])
    group = MEMBERS.replace("urn:geant", "URN:GEANT").replace("%C3%A4", "%c3%a4")
    rules = parse_rules(
        [
            {"right": "admin", "provider": "umbrella", "entitlement": ADMINS},
            {"right": "local-contact", "provider": "umbrella", "entitlement": group},
            {"right": "staff", "provider": "umbrella", "entitlement": ADMINS + ".evil"},
        ]
    )
    assert rights_of("umbrella", claims, rules) == {"admin", "local-contact"}
    assert rights_of("default", claims, rules) == frozenset()


async def test_who_comes_again_is_the_same_subject(facility: Facility) -> None:
    first, second, other = [
        await identified(facility.chain, who) for who in ("wkluge", "wkluge", "single")
    ]
    assert first.subject == second.subject != other.subject
    assert first.issuer == facility.chain.issuer


@pytest.mark.parametrize(
    ("who", "acr", "why"),
    [
        pytest.param("wkluge", MFA, "", id="a second factor just now"),
        pytest.param("password", SFA, "acr is missing or not one", id="a password"),
        pytest.param("hourago", MFA, "too long ago", id="a second factor an hour ago"),
    ],
)
async def test_how_somebody_authenticated_comes_from_saml_and_raises_or_not(
    facility: Facility, who: str, acr: str, why: str
) -> None:
    step_up = StepUp(acr_values=(MFA,))
    asked = LoginFlow(purpose=Purpose.RAISE, acr_values=MFA).wanted_from_provider
    token = id_token_of(await identified(facility.chain, who, **asked))
    assert token["acr"] == acr
    answer = raised(token, step_up, time.time())
    if why:
        assert isinstance(answer, NotRaised)
        assert why in answer.why
    else:
        assert isinstance(answer, Raised)
        assert 800 < answer.until - time.time() <= 900
