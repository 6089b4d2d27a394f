"""Signing out here, at the provider, and when the provider ends a login by itself."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from .conftest import HUB_CONFIG, KEY, Browser, Hub, LyingProvider, free_port, running_hub, serving
from .signing_in import answer_to, sentences, signed_in

PORT = free_port()
EVENT = "http://schemas.openid.net/event/backchannel-logout"
ONE_WAY = """
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.providers = {{
    "staff": {{"profile": "keycloak", "issuer": "http://127.0.0.1:{provider}",
               "client_id": "hub", "client_secret": "secret-of-the-hub"}},
}}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    with running_hub(folder, HUB_CONFIG + ONE_WAY, provider=PORT) as running:
        yield running


@pytest.fixture
async def staff() -> AsyncIterator[LyingProvider]:
    lying = LyingProvider(PORT)
    lying.metadata = {"end_session_endpoint": f"http://127.0.0.1:{PORT}/end"}
    async with serving(lying):
        yield lying


async def sign_in(hub: Hub, staff: LyingProvider, name: str, sid: str = "s1") -> Browser:
    staff.person = {"sub": f"sub-{name}", "preferred_username": name}
    staff.token_claims["sid"] = sid
    browser = hub.browser()
    await browser.get(await answer_to(browser, way="/hub/oidc/staff/login"), follow=0)
    assert signed_in(browser)
    return browser


async def is_in(browser: Browser) -> bool:
    return (await browser.get("/hub/account", follow=0)).code == 200


async def post(url: str, fields: dict[str, str], cookies: dict[str, str]) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        url,
        method="POST",
        body=urlencode(fields),
        headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
        follow_redirects=False,
        raise_error=False,
    )


async def sign_out(browser: Browser) -> HTTPResponse:
    page = await browser.get("/hub/logout")
    token = re.search(rb'name="_xsrf" value="([^"]+)"', page.body)
    assert token
    fields = {"_xsrf": token[1].decode()}
    answer = await post(f"{browser.hub_url}/hub/logout", fields, browser.cookies)
    browser.keep(answer)
    return answer


async def notice(hub: Hub, staff: LyingProvider, **changed: object) -> int:
    """Let the provider say that a login has ended; return what the hub answers."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": staff.issuer, "aud": "hub", "iat": now, "exp": now + 60, "jti": f"{now}-{changed}",
        "events": {EVENT: {}}, **changed,
    }  # fmt: skip
    token = jwt.encode({"alg": "RS256", "kid": "first", "typ": "logout+jwt"}, claims, KEY)
    url = f"{hub.url}/hub/oidc/staff/backchannel"
    return (await post(url, {"logout_token": token}, {})).code


async def test_attack_14_a_link_signs_nobody_out(hub: Hub, staff: LyingProvider) -> None:
    browser = await sign_in(hub, staff, "lena")
    for _ in range(2):
        assert "Sign out?" in sentences((await browser.get("/hub/logout")).body)
    assert (await browser.post("/hub/logout")).code == 403
    assert await is_in(browser)


async def test_attack_15_the_login_at_the_provider_is_ended_too(
    hub: Hub, staff: LyingProvider
) -> None:
    browser = await sign_in(hub, staff, "petra")
    answer = await sign_out(browser)
    assert not await is_in(browser)
    there = urlsplit(answer.headers["Location"])
    assert there.geturl().startswith(f"http://127.0.0.1:{PORT}/end?")
    # No token stands in an address.
    assert dict(parse_qsl(there.query)) == {
        "client_id": "hub", "post_logout_redirect_uri": f"{hub.url}/hub/signed-out"
    }  # fmt: skip
    back = await browser.get("/hub/signed-out", follow=0)
    assert "You are signed out" in sentences(back.body)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({}, id="offers no logout"),
        pytest.param({"end_session_endpoint": "javascript:alert(1)"}, id="no address"),
        pytest.param({"end_session_endpoint": "http://evil.example/end"}, id="not https"),
    ],
)
async def test_where_the_provider_cannot_end_it_one_is_signed_out_here(
    tmp_path: Path, said: dict[str, str]
) -> None:
    lying = LyingProvider(free_port(), metadata=said)
    with running_hub(tmp_path, HUB_CONFIG + ONE_WAY, provider=lying.port) as hub:
        async with serving(lying):
            browser = await sign_in(hub, lying, "quinta")
            answer = await sign_out(browser)
            assert (answer.code, answer.headers["Location"]) == (302, "/hub/signed-out")
            assert not await is_in(browser)


async def test_attack_16_what_the_provider_ends_is_ended_here(
    hub: Hub, staff: LyingProvider
) -> None:
    one = await sign_in(hub, staff, "rosa", sid="s1")
    two = await sign_in(hub, staff, "rosa", sid="s2")
    other = await sign_in(hub, staff, "sofia", sid="s3")
    assert await notice(hub, staff, sub="sub-rosa", sid="s1") == 200
    assert [await is_in(browser) for browser in (one, two, other)] == [False, True, True]
    assert await notice(hub, staff, sub="sub-rosa") == 200
    assert [await is_in(browser) for browser in (one, two, other)] == [False, False, True]


async def test_a_notice_about_somebody_unknown_is_fine(hub: Hub, staff: LyingProvider) -> None:
    browser = await sign_in(hub, staff, "tilda")
    assert await notice(hub, staff, sub="nobody") == 200
    assert await is_in(browser)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"aud": "another"}, id="for somebody else"),
        pytest.param({"iss": "https://evil.example"}, id="another provider's"),
        pytest.param({"nonce": "x"}, id="with a nonce"),
        pytest.param({"events": {}}, id="no logout"),
        pytest.param({"iat": 1}, id="old"),
    ],
)
async def test_attack_17_a_false_notice_ends_nothing(
    hub: Hub, staff: LyingProvider, changed: dict[str, object]
) -> None:
    browser = await sign_in(hub, staff, "ulla")
    assert await notice(hub, staff, sub="sub-ulla", **changed) == 400
    assert await is_in(browser)


async def test_attack_17_a_copied_notice_ends_no_later_login(
    hub: Hub, staff: LyingProvider
) -> None:
    await sign_in(hub, staff, "vera")
    assert await notice(hub, staff, sub="sub-vera", jti="once") == 200
    browser = await sign_in(hub, staff, "vera")
    assert await notice(hub, staff, sub="sub-vera", jti="once") == 400
    assert await is_in(browser)


@pytest.mark.parametrize("fields", [{}, {"logout_token": "x" * 100_000}, {"logout_token": "a.b.c"}])
async def test_attack_17_garbage_is_refused_without_a_trace(
    hub: Hub, staff: LyingProvider, fields: dict[str, str]
) -> None:
    before = hub.log.stat().st_size
    for way in ("oidc/staff/backchannel", "oidc/nobody/backchannel", "oauth_backchannel"):
        assert (await post(f"{hub.url}/hub/{way}", fields, {})).code == 400
    told = hub.log.read_text()[before:]
    assert "Traceback" not in told
    assert "xxxxx" not in told
