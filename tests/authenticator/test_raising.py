"""Administrator and staff rights count after a second factor, for some minutes, and everywhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from .conftest import HUB_CONFIG, Browser, Hub, LyingProvider, free_port, running_hub, serving
from .signing_in import answer_to, sentences, signed_in
from .test_account_page import press

MFA = "https://refeds.org/profile/mfa"
PORT = free_port()
STEP_UP = """
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.providers = {{
    "staff": {{"profile": "keycloak", "issuer": "http://127.0.0.1:{provider}",
               "client_id": "hub", "client_secret": "secret-of-the-hub"}},
}}
c.DaasAuthenticator.rights = [
    {{"right": "admin", "provider": "staff", "claim": "groups", "value": "daas-admins"}},
    {{"right": "staff", "provider": "staff", "claim": "groups", "value": "daas-staff"}},
    {{"right": "without-proposal", "provider": "staff",
      "entitlement": "urn:geant:facility.example:group:training#aai.facility.example"}},
]
c.DaasAuthenticator.step_up = {{"staff": {{"acr_values": ["https://refeds.org/profile/mfa"],
                                           "raised_seconds": 4}}}}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    with running_hub(folder, HUB_CONFIG + STEP_UP, provider=PORT) as running:
        yield running


@pytest.fixture
async def staff() -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(PORT)) as lying:
        yield lying


async def sign_in(hub: Hub, staff: LyingProvider, name: str, public: bool = False) -> Browser:
    staff.person = {
        "sub": f"sub-{name}",
        "preferred_username": name,
        "groups": ["daas-admins", "daas-staff", "daas-right-staff"],
        "eduperson_entitlement": ["urn:geant:facility.example:group:training#aai.facility.example"],
    }
    browser = hub.browser()
    way = f"/hub/oidc/staff/login{'?public=yes' if public else ''}"
    await browser.get(await answer_to(browser, way=way), follow=0)
    assert signed_in(browser)
    return browser


async def raise_rights(browser: Browser, staff: LyingProvider, **claims: object) -> int:
    """Press the button, and let the provider say *claims* of the login; return the status."""
    staff.token_claims = {"acr": MFA, "auth_time": int(time.time()), **claims}
    to_provider = await press(browser, "/hub/account/raise")
    page = await browser.get(to_provider.headers["Location"])
    staff.token_claims = {}
    return page.code


async def is_admin(browser: Browser) -> bool:
    return (await browser.get("/hub/admin")).code == 200


async def page(browser: Browser) -> str:
    return sentences((await browser.get("/hub/account")).body)


async def test_rights_count_after_a_second_factor_in_all_browsers_and_then_no_more(
    hub: Hub, staff: LyingProvider
) -> None:
    browser, other = await sign_in(hub, staff, "anna"), await sign_in(hub, staff, "anna")
    assert not await is_admin(browser)
    said = await page(browser)
    assert "see people and sessions, and stop sessions (after a second factor)" in said
    # What opens nobody else's things needs no second factor, and no claim names our own groups.
    assert "daas-right-without-proposal" in said
    assert "daas-right-staff" not in said
    assert await raise_rights(browser, staff) == 200
    assert {"prompt": "login", "max_age": "0", "acr_values": MFA}.items() <= staff.wanted.items()
    assert await is_admin(browser)
    assert await is_admin(other)
    for path in ("/hub/account", "/hub/token"):
        assert "rights count until" in sentences((await other.get(path)).body)
    assert "daas-right-staff" in await page(browser)
    deadline = time.monotonic() + 10
    while await is_admin(other):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    said = await page(browser)
    assert "daas-right-staff" not in said
    assert "rights count until" not in said


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"acr": None}, id="no acr"),
        pytest.param({"acr": "urn:password"}, id="one factor"),
        pytest.param({"acr": [MFA, "urn:password"]}, id="two acr"),
        pytest.param({"auth_time": None}, id="no time"),
        pytest.param({"auth_time": 1}, id="long ago"),
        pytest.param({"auth_time": 4_000_000_000}, id="in the future"),
    ],
)
async def test_attack_31_without_a_true_second_factor_nothing_is_raised(
    hub: Hub, staff: LyingProvider, claims: dict[str, object]
) -> None:
    browser = await sign_in(hub, staff, "berta")
    assert await raise_rights(browser, staff, **claims) == 403
    assert not await is_admin(browser)


async def test_attack_31_userinfo_raises_nobody(hub: Hub, staff: LyingProvider) -> None:
    browser = await sign_in(hub, staff, "clara")
    staff.userinfo = {"acr": MFA, "auth_time": int(time.time())}
    assert await raise_rights(browser, staff, acr=None, auth_time=None) == 403
    assert not await is_admin(browser)


async def test_attack_31_a_colleagues_second_factor_raises_nobody(
    hub: Hub, staff: LyingProvider
) -> None:
    browser = await sign_in(hub, staff, "dora")
    staff.person = {**staff.person, "sub": "sub-somebody-else"}
    assert await raise_rights(browser, staff) == 403
    assert not await is_admin(browser)


async def test_attack_10_a_right_that_the_provider_no_longer_says_is_not_raised(
    hub: Hub, staff: LyingProvider
) -> None:
    browser = await sign_in(hub, staff, "edda")
    staff.person["groups"] = []
    await raise_rights(browser, staff)
    assert not await is_admin(browser)


async def test_rights_can_be_given_up(hub: Hub, staff: LyingProvider) -> None:
    browser = await sign_in(hub, staff, "frida")
    await raise_rights(browser, staff)
    assert await is_admin(browser)
    await press(browser, "/hub/account/lower")
    assert not await is_admin(browser)


async def test_signing_out_everywhere_gives_them_up(hub: Hub, staff: LyingProvider) -> None:
    browser = await sign_in(hub, staff, "greta")
    await raise_rights(browser, staff)
    await press(browser, "/hub/account/end", login="all")
    assert not await is_admin(await sign_in(hub, staff, "greta"))


async def test_attack_31_who_has_signed_out_meanwhile_is_not_raised(
    hub: Hub, staff: LyingProvider
) -> None:
    browser, other = await sign_in(hub, staff, "gundi"), await sign_in(hub, staff, "gundi")
    staff.token_claims = {"acr": MFA, "auth_time": int(time.time())}
    to_provider = await press(browser, "/hub/account/raise")
    answer = await browser.get(to_provider.headers["Location"], follow=0)
    await press(other, "/hub/account/end", login="all")
    refused = await browser.get(answer.headers["Location"], follow=0)
    assert refused.code == 403
    staff.token_claims = {}
    assert not await is_admin(await sign_in(hub, staff, "gundi"))


async def test_at_a_public_computer_nothing_is_raised_anywhere(
    hub: Hub, staff: LyingProvider
) -> None:
    office = await sign_in(hub, staff, "gisa")
    await raise_rights(office, staff)
    assert await is_admin(office)
    library = await sign_in(hub, staff, "gisa", public=True)
    assert not await is_admin(office)
    assert await raise_rights(library, staff) == 403
    assert await raise_rights(office, staff) == 403
    assert not await is_admin(office)


async def test_a_computer_can_be_called_public_after_signing_in(
    hub: Hub, staff: LyingProvider
) -> None:
    browser = await sign_in(hub, staff, "hanna")
    await raise_rights(browser, staff)
    answer = await press(browser, "/hub/account/public")
    cookies = answer.headers.get_list("Set-Cookie")
    (login,) = [cookie for cookie in cookies if cookie.startswith("jupyterhub-hub-login=")]
    assert "expires=" not in login.lower()
    assert not await is_admin(browser)
    assert "on a public computer until" in await page(browser)


async def test_no_form_no_rights(hub: Hub, staff: LyingProvider) -> None:
    browser = await sign_in(hub, staff, "iris")
    for path in ("raise", "lower", "public"):
        assert (await browser.post(f"/hub/account/{path}")).code == 403
        assert (await browser.get(f"/hub/account/{path}")).code == 405
