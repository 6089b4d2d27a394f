"""Several ways to sign in, on one page: each leads in by itself, and one that is down says so."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from .conftest import HUB_CONFIG, Browser, Hub, LyingProvider, free_port, running_hub, serving
from .signing_in import answer_to, asked_redirect, sentences, signed_in

REPOSITORY = Path(__file__).parents[2]

SEVERAL = """
c.JupyterHub.public_url = "http://127.0.0.1:{hub}/"
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.oauth_callback_url = ""
c.DaasAuthenticator.provider_check_seconds = 0.2
client = {{"client_id": "hub", "client_secret": "secret-of-the-hub"}}
c.DaasAuthenticator.providers = {{
    "staff": {{"profile": "keycloak", "issuer": "http://127.0.0.1:{staff}", **client}},
    "umbrella": {{
        "profile": "umbrella",
        "issuer": "http://127.0.0.1:{umbrella}",
        "names_people": True,
        "for_whom": "For <img src=x onerror=alert(1)> {{{{ 7*7 }}}} guests.",
        **client,
    }},
    "away": {{"title": "Old account", "issuer": "http://127.0.0.1:{away}", **client}},
    "orcid": {{"profile": "orcid", "issuer": "http://127.0.0.1:{orcid}", **client}},
    "former": {{"title": "Former", "issuer": "https://former.example", "client_id": "x",
                "enabled": False}},
}}
"""
PORTS = {name: free_port() for name in ("staff", "umbrella", "away", "orcid")}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with five providers, none of which answers when it starts."""
    with running_hub(
        tmp_path_factory.mktemp("hub"),
        HUB_CONFIG + SEVERAL,
        provider=0,
        **PORTS,
    ) as hub:
        yield hub


@pytest.fixture
async def staff() -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(PORTS["staff"])) as lying:
        yield lying


@pytest.fixture
async def umbrella() -> AsyncIterator[LyingProvider]:
    person = {"sub": "u7@eduteams.example", "preferred_username": "ursula"}
    async with serving(LyingProvider(PORTS["umbrella"], person=person)) as lying:
        yield lying


async def page_says(hub: Hub, pattern: str) -> str:
    """Return what the sign-in page says, as soon as *pattern* is in it."""
    async with asyncio.timeout(15):
        while True:
            said = sentences((await hub.browser().get("/hub/login")).body)
            if re.search(pattern, said):
                return said
            await asyncio.sleep(0.05)


async def test_the_hub_starts_without_its_providers_and_says_which_is_out_of_order(
    several: Hub, staff: LyingProvider
) -> None:
    said = await page_says(several, r"Facility account For staff [^.]*\. Sign in")
    assert re.search(r"Old account [^.]*\. Out of order: it does not answer at the moment", said)
    assert re.search(r"Old account .* Try anyway", said)


async def test_a_way_works_again_as_soon_as_its_provider_does(several: Hub) -> None:
    await page_says(several, r"Old account [^.]*\. Out of order")
    async with serving(LyingProvider(PORTS["away"])):
        await page_says(several, r"Old account [^.]*\. Sign in")
    await page_says(several, r"Old account [^.]*\. Out of order")


async def test_a_way_that_is_down_is_named_as_the_reason_and_not_a_traceback(
    several: Hub,
) -> None:
    await page_says(several, r"Old account [^.]*\. Out of order")
    page = await several.browser().get("/hub/oidc/away/login", follow=0)
    assert page.code == 503
    assert b"The identity provider does not answer." in page.body


async def test_the_page_has_the_operators_order_and_leaves_out_what_is_switched_off(
    several: Hub, staff: LyingProvider
) -> None:
    said = await page_says(several, "Facility account")
    titles = ["Facility account", "UmbrellaID", "Old account", "ORCID iD"]
    assert sorted(titles, key=said.index) == titles
    assert "Former" not in said


async def test_a_provider_for_linking_only_is_listed_and_signs_nobody_in(several: Hub) -> None:
    page = await several.browser().get("/hub/login")
    assert b"For linking to your account" in page.body
    assert b"oidc/orcid" not in page.body
    refused = await several.browser().get("/hub/oidc/orcid/login", follow=0)
    assert refused.code == 403
    assert b"can be linked to an account, but not sign you in" in refused.body


@pytest.mark.parametrize("way", ["oidc/former/login", "oidc/unknown/login", "oauth_login"])
async def test_a_way_that_is_not_offered_does_not_exist(several: Hub, way: str) -> None:
    page = await several.browser().get(f"/hub/{way}", follow=0)
    assert page.code == 400
    assert b"does not exist here" in page.body


async def test_each_way_signs_in_at_its_own_provider(
    several: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    for way, lying in (("staff", staff), ("umbrella", umbrella)):
        browser = several.browser()
        end = await browser.get(
            await answer_to(browser, "/there", f"/hub/oidc/{way}/login"), follow=0
        )
        assert end.headers["Location"] == "/there"
        assert signed_in(browser)
        assert "token" in lying.asked


async def test_what_is_asked_is_the_profiles(several: Hub, umbrella: LyingProvider) -> None:
    browser = several.browser()
    await answer_to(browser, way="/hub/oidc/umbrella/login")
    (flow,) = umbrella.flows.values()
    assert flow["scope"] == "openid profile eduperson_entitlement"


def long_link(proposal: str) -> str:
    """A launch link with 4 kB of query, of letters that an address must write as three."""
    titles = [(f"p{n}", "é&=%/ 0123456789") for n in range(200)]
    return f"/services/portal/open?proposal={proposal}&{urlencode(titles)}"[:4200].rstrip("%C3")


async def test_a_long_launch_link_survives_every_way_in_two_tabs(
    several: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    assert len(long_link("a")) > 4096
    for way in ("staff", "umbrella"):
        browser = several.browser()
        answers = []
        for link in (long_link("a"), long_link("b")):
            page = await browser.get(f"/hub/login?{urlencode({'next': link})}")
            hrefs = re.findall(r'href="([^"]*)"', page.body.decode())
            (href,) = [unescape(h) for h in hrefs if f"/oidc/{way}/" in h]
            to_provider = await browser.get(href, follow=0)
            answer = await browser.get(to_provider.headers["Location"], follow=0)
            answers.append((link, answer.headers["Location"]))
            assert largest_cookie(browser) < 4096
        for link, answer_address in answers:
            end = await browser.get(answer_address, follow=0)
            assert end.headers["Location"] == link


def largest_cookie(browser: Browser) -> int:
    return max(len(name) + len(value) for name, value in browser.cookies.items())


async def test_a_public_computer_is_chosen_once_for_all_ways(several: Hub) -> None:
    browser = several.browser()
    page = (await browser.get(f"/hub/login?{urlencode({'next': '/hub/token?a=1'})}")).body.decode()
    (other,) = re.findall(r'href="([^"]*)">Sign in for a short time', page)
    page = (await browser.get(unescape(other))).body.decode()
    assert "no administrator or staff rights" in page
    links = [unescape(href) for href in re.findall(r'href="([^"]*/oidc/[^"]*)"', page)]
    assert len(links) >= 2
    for link in links:
        query = dict(parse_qsl(urlsplit(link).query))
        assert query == {"next": "/hub/token?a=1", "public": "yes"}
    assert "This is my own computer" in page


async def test_attack_02_an_answer_of_one_provider_is_worth_nothing_at_another(
    several: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    browser = several.browser()
    answer = await answer_to(browser, way="/hub/oidc/umbrella/login")
    assert answer.startswith(f"{several.url}/hub/oidc/umbrella/callback?")
    page = await browser.get(answer.replace("/umbrella/", "/staff/"), follow=0)
    assert page.code == 403
    assert b"does not come from your identity provider" in page.body
    assert not signed_in(browser)
    assert "token" not in staff.asked + umbrella.asked


@pytest.mark.parametrize("claimed", ["http://127.0.0.1:1", ""])
async def test_attack_02_an_answer_that_names_another_issuer_is_refused(
    several: Hub, umbrella: LyingProvider, claimed: str
) -> None:
    browser = several.browser()
    answer = await answer_to(browser, way="/hub/oidc/umbrella/login")
    page = await browser.get(f"{answer}&{urlencode({'iss': claimed})}", follow=0)
    assert page.code == 403
    assert "token" not in umbrella.asked


async def test_attack_09_two_providers_cannot_share_one_name(
    several: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    first, second = several.browser(), several.browser()
    umbrella.person = staff.person = {"sub": "same-sub", "preferred_username": "twin"}
    await first.get(await answer_to(first, way="/hub/oidc/staff/login"), follow=0)
    page = await second.get(await answer_to(second, way="/hub/oidc/umbrella/login"), follow=0)
    assert signed_in(first)
    assert not signed_in(second)
    assert b"belongs to somebody else" in page.body


async def test_attack_10_an_administrators_group_of_another_provider_gives_no_right(
    several: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    everything: dict[str, Any] = {"groups": ["staff"], "eduperson_entitlement": ["staff"]}
    for way, lying, name in (("staff", staff, "sam"), ("umbrella", umbrella, "uwe")):
        lying.person = {"sub": name, "preferred_username": name, **everything}
        browser = several.browser()
        await browser.get(await answer_to(browser, way=f"/hub/oidc/{way}/login"), follow=0)
        assert signed_in(browser)
        assert (await browser.get("/hub/admin")).code == 403


async def test_attack_21_the_operators_words_are_not_markup(several: Hub) -> None:
    page = (await several.browser().get("/hub/login")).body
    assert b"<img src=x" not in page
    assert b"&lt;img src=x onerror=alert(1)&gt; {{ 7*7 }} guests" in page


async def test_attack_28_a_forged_host_does_not_change_where_the_provider_answers(
    several: Hub, umbrella: LyingProvider
) -> None:
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
    }
    asked = await asked_redirect(several.browser(), "/hub/oidc/umbrella/login", **forged)
    assert asked == f"{several.url}/hub/oidc/umbrella/callback"
