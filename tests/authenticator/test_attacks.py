"""The attacks of the research's table that concern a login, through a real hub.

`ATTACKED=stock` runs them against `GenericOAuthenticator`; `make attack-table` prints both.
More rows stand beside what they attack: `test_ways` (2, 9, 10, 21, 28), `test_keys` (8),
`test_fetch` (34), `test_rights` (10), `test_administrator_role` (31).
"""

import asyncio
import base64
import hmac
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from .conftest import KEY, Browser, Hub, LyingProvider, unsigned
from .signing_in import answer_to, asked_redirect, signed_in

MORE_CONFIG = """
for name in ("DaasAuthenticator", "GenericOAuthenticator"):
    c[name].allow_all = False
    c[name].allowed_groups = {{"users"}}
c.DaasAuthenticator.renewal_seconds = 1
c.GenericOAuthenticator.auth_refresh_age = 1
"""
STRANGER = RSAKey.generate_key(2048, {"kid": "first"})
SECRETS = ("eyJ", "access-", "refresh-", "secret-of-the-hub", "Traceback")


async def finish(hub: Hub, browser: Browser | None = None) -> tuple[Browser, Any]:
    """Sign in as the provider says, and return the browser and the last page."""
    browser = browser or hub.browser()
    return browser, await browser.get(await answer_to(browser), follow=0)


async def asked_again(hub: Hub, browser: Browser, provider: LyingProvider) -> int:
    """Return the status of a hub page once the hub has asked the provider about this login."""
    provider.asked.clear()
    async with asyncio.timeout(15):
        while True:
            page = await browser.get("/hub/token", follow=0)
            if {"userinfo", "token"} & set(provider.asked):
                return int(page.code)
            await asyncio.sleep(0.05)


async def test_attack_01_a_foreign_answer_signs_nobody_in(
    hub: Hub, provider: LyingProvider
) -> None:
    answer = await answer_to(hub.browser())
    victim = hub.browser()
    assert (await victim.get(answer, follow=0)).code == 400
    assert not signed_in(victim)


async def test_attack_01_over_https_the_login_is_in_a_cookie_that_no_neighbour_can_plant(
    hub: Hub, provider: LyingProvider
) -> None:
    """A cookie that another host of the domain planted has no `__Host-` name in any browser."""
    tab = hub.browser()
    await tab.get("/hub/oauth_login", follow=0)
    name = next(n for n in tab.cookies if "login-" in n or "state" in n)
    other = hub.browser()
    await other.get("/hub/oauth_login", follow=0)
    assert name not in other.cookies, "one name for all logins can be planted in advance"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "/%0d%0aLocation: https://evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "@evil.example",
    ],
)
async def test_attack_03_a_login_never_leads_to_another_site(
    hub: Hub, provider: LyingProvider, target: str
) -> None:
    browser = hub.browser()
    end = await browser.get(await answer_to(browser, target), follow=0)
    assert re.match(r"(http://127\.0\.0\.1:\d+)?/(?![/\\])", end.headers["Location"])


async def test_attack_04_a_code_is_good_once(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    answer = await answer_to(browser)
    await browser.get(answer, follow=0)
    assert (await browser.get(answer, follow=0)).code == 400


async def test_attack_04_a_stolen_code_does_not_fit_another_login(
    hub: Hub, provider: LyingProvider
) -> None:
    stolen = re.search(r"code=([^&]+)", await answer_to(hub.browser()))
    browser = hub.browser()
    own = await answer_to(browser)
    assert stolen
    await browser.get(re.sub(r"code=[^&]+", f"code={stolen[1]}", own), follow=0)
    assert not signed_in(browser)


async def test_attack_04_a_token_of_another_login_is_refused(
    hub: Hub, provider: LyingProvider
) -> None:
    provider.token_claims = {"nonce": "of another login"}
    assert not signed_in((await finish(hub))[0])


async def test_attack_05_tokens_of_two_people_are_refused(
    hub: Hub, provider: LyingProvider
) -> None:
    provider.userinfo = {"sub": "b2", "preferred_username": "bob"}
    assert not signed_in((await finish(hub))[0])


def hmac_with_the_public_key(claims: dict[str, Any]) -> str:
    body = unsigned(claims, "HS256").rpartition(".")[0]
    mac = hmac.digest(KEY.as_pem(private=False), body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(unsigned, id="alg none"),
        pytest.param(lambda c: unsigned(c, "RS256"), id="RS256 without a signature"),
        pytest.param(
            lambda c: jwt.encode({"alg": "RS256", "kid": "first"}, c, STRANGER), id="a stranger's"
        ),
        pytest.param(
            lambda c: jwt.encode(
                {"alg": "RS256", "jwk": STRANGER.as_dict(private=False)}, c, STRANGER
            ),
            id="brings its own key",
        ),
        pytest.param(hmac_with_the_public_key, id="HS256 with the public key"),
        pytest.param(
            lambda c: jwt.encode({"alg": "RS256", "kid": "first", "typ": "logout+jwt"}, c, KEY),
            id="a logout token",
        ),
        pytest.param(lambda c: "a.b.c", id="no token"),
        pytest.param(lambda c: "é" * 40, id="no ASCII"),
        pytest.param(lambda c: 42, id="a number"),
    ],
)
async def test_attack_06_a_token_without_the_providers_signature_is_refused(
    hub: Hub, provider: LyingProvider, sign: Any
) -> None:
    provider.sign = sign
    browser, page = await finish(hub)
    assert not signed_in(browser)
    assert page.code == 403


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://evil.example"}, id="another iss"),
        pytest.param({"iss": None}, id="no iss"),
        pytest.param({"iss": ["https://evil.example"]}, id="a list of iss"),
        pytest.param({"aud": "another"}, id="another aud"),
        pytest.param({"aud": None}, id="no aud"),
        pytest.param({"aud": ["hub", "another"]}, id="two aud without azp"),
        pytest.param({"azp": "another"}, id="another azp"),
        pytest.param({"exp": None}, id="no exp"),
        pytest.param({"exp": 1_600_000_000}, id="expired"),
        pytest.param({"exp": "tomorrow"}, id="exp of another type"),
        pytest.param({"exp": True}, id="exp true"),
        pytest.param({"iat": 4_000_000_000}, id="from the future"),
        pytest.param({"iat": None}, id="no iat"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"sub": None}, id="no sub"),
        pytest.param({"sub": ["a1"]}, id="a list of sub"),
        pytest.param({"sub": {"a1": 1}}, id="sub of another type"),
        pytest.param({"sub": "x" * 256}, id="a long sub"),
        pytest.param({"sub": "a\x00b"}, id="NUL in sub"),
    ],
)
async def test_attack_07_a_token_that_is_not_of_this_login_is_refused(
    hub: Hub, provider: LyingProvider, claims: dict[str, Any]
) -> None:
    provider.token_claims = claims
    browser, page = await finish(hub)
    assert not signed_in(browser)
    assert page.code == 403
    assert not any(secret in page.body.decode() for secret in SECRETS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("root", id="reserved"),
        pytest.param("Alice", id="capital letter"),
        pytest.param("alice\n", id="line end"),
        pytest.param("al\x00ice", id="NUL"),
        pytest.param("alice\x1b[2J", id="escape"),
        pytest.param("аlice", id="Cyrillic a"),
        pytest.param("ａlice", id="full width"),
        pytest.param("\u212aate", id="Kelvin sign"),
        pytest.param("ecila\u202e", id="right to left"),
        pytest.param("\ud800", id="half a letter"),
        pytest.param("a/../b", id="path"),
        pytest.param("a%2fb", id="escaped slash"),
        pytest.param("alice;rm", id="shell"),
        pytest.param("$(id)", id="command"),
        pytest.param("-rf", id="option"),
        pytest.param("x" * 300, id="long"),
        pytest.param("", id="empty"),
        pytest.param(["alice", "bob"], id="two names"),
        pytest.param([], id="no name"),
        pytest.param({"name": "alice"}, id="another type"),
        pytest.param(7, id="a number"),
        pytest.param(None, id="null"),
    ],
)
async def test_attack_09_a_name_that_is_no_local_name_is_refused_and_not_bent(
    hub: Hub, provider: LyingProvider, name: object
) -> None:
    provider.person = {"sub": "n1", "preferred_username": name, "groups": ["users"]}
    browser, page = await finish(hub)
    assert not signed_in(browser)
    assert page.code == 403


async def test_attack_09_a_name_stays_with_the_first_who_got_it(
    hub: Hub, provider: LyingProvider
) -> None:
    for subject, comes_in in (("e1", True), ("e2", False)):
        provider.person = {"sub": subject, "preferred_username": "eve", "groups": ["users"]}
        assert signed_in((await finish(hub))[0]) is comes_in


async def test_a_name_in_a_list_of_one_is_that_name(hub: Hub, provider: LyingProvider) -> None:
    provider.person = {"sub": "l1", "preferred_username": ["lena"], "groups": "users"}
    assert signed_in((await finish(hub))[0])


async def test_attack_11_a_planted_session_is_not_taken_over(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = hub.browser()
    browser.cookies["jupyterhub-session-id"] = "planted"
    await finish(hub, browser)
    assert signed_in(browser)
    assert browser.cookies["jupyterhub-session-id"] != "planted"


async def test_attack_22_words_in_the_answers_address_are_not_shown(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = hub.browser()
    answer = await answer_to(browser)
    words = "error=access_denied&error_description=Call+0900+1234"
    for address in (re.sub(r"code=[^&]+", words, answer), f"/hub/oauth_callback?{words}"):
        page = await browser.get(address, follow=0)
        assert b"0900" not in page.body


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"token_claims": {"aud": "another"}}, id="wrong token"),
        pytest.param({"token_claims": {"exp": 1}}, id="expired"),
        pytest.param({"token_answer": {"id_token": None}}, id="no ID token"),
        pytest.param({"token_answer": {"token_type": "mac"}}, id="no bearer token"),
        pytest.param({"token_answer": {"access_token": "a\r\nX-Evil: 1"}}, id="a header in it"),
        pytest.param({"status": {"token": 400}}, id="refused"),
        pytest.param({"status": {"token": 500}}, id="down"),
        pytest.param({"status": {"userinfo": 401}}, id="userinfo refused"),
        pytest.param({"raw": {"token": b"eyJ not JSON"}}, id="no JSON"),
        pytest.param({"raw": {"userinfo": b"[" * 100_000}}, id="deep JSON"),
    ],
)
async def test_attack_23_no_token_is_on_a_page_or_in_the_log(
    hub: Hub, provider: LyingProvider, lie: dict[str, Any]
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    before = hub.log.stat().st_size
    browser, page = await finish(hub)
    assert not signed_in(browser)
    assert page.code in (403, 503)
    told = page.body.decode() + hub.log.read_text()[before:]
    assert [secret for secret in SECRETS if secret in told] == []


async def test_attack_25_who_left_the_allowed_group_is_out_at_the_next_question(
    hub: Hub, provider: LyingProvider
) -> None:
    browser, _ = await finish(hub)
    assert signed_in(browser)
    provider.person["groups"] = []
    assert await asked_again(hub, browser, provider) == 302


@pytest.mark.parametrize("other", [{"sub": "b2"}, {"sub": "b2", "preferred_username": "bob"}])
async def test_attack_26_an_answer_for_somebody_else_ends_the_login_for_good(
    hub: Hub, provider: LyingProvider, other: dict[str, str]
) -> None:
    browser, _ = await finish(hub)
    assert signed_in(browser)
    provider.userinfo = other
    assert await asked_again(hub, browser, provider) == 302
    provider.userinfo = {}
    assert (await browser.get("/hub/token", follow=0)).code == 302


@pytest.mark.parametrize("status", [500, 503, 302, 429])
async def test_attack_27_an_outage_of_the_provider_signs_nobody_out(
    hub: Hub, provider: LyingProvider, status: int
) -> None:
    browser, _ = await finish(hub)
    provider.status = {"userinfo": status, "token": status}
    assert await asked_again(hub, browser, provider) == 200


async def test_attack_27_a_refusal_is_no_outage(hub: Hub, provider: LyingProvider) -> None:
    browser, _ = await finish(hub)
    provider.status = {"userinfo": 401, "token": 400}
    assert await asked_again(hub, browser, provider) == 302


async def test_attack_28_a_forged_host_does_not_change_where_the_provider_answers(
    hub: Hub, provider: LyingProvider
) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    asked = await asked_redirect(hub.browser(), "/hub/oauth_login", **forged)
    assert asked == f"{hub.url}/hub/oauth_callback"


@pytest.mark.parametrize(
    "header", ["EAAHash", "EAAKey", "UID", "REMOTE_USER", "X-Remote-User", "X-Forwarded-User"]
)
async def test_attack_29_a_header_is_no_identity(
    hub: Hub, provider: LyingProvider, header: str
) -> None:
    stranger = hub.browser()
    page = await stranger.get("/hub/token", follow=0, **{header: "mallory"})
    assert page.code == 302
    browser = hub.browser()
    await browser.get(await answer_to(browser), follow=0, **{header: "mallory"})
    assert b"alice" in (await browser.get("/hub/token")).body


@pytest.mark.parametrize(
    "url", ["https://daas.facility.example", "http://0.0.0.0:8000", "http://192.0.2.1"]
)
def test_attack_33_the_demos_provider_does_not_start_in_production(url: str) -> None:
    environment = {
        **os.environ,
        "DAAS_DEMO_URL": url,
        "DAAS_DEMO_CLIENT_ID": "x",
        "DAAS_DEMO_CLIENT_SECRET": "x",
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/provider/",
    }
    command = [sys.executable, "-m", "daas_demo.provider"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert "127.0.0.1 only" in done.stderr
