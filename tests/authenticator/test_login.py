"""A login through a real hub: the honest one works, each dishonest one ends in a sentence."""

import re
from urllib.parse import quote

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from .conftest import Hub, LyingProvider, unsigned

DEEP_LINK = "/services/portal/open?proposal=p1&app=pymca"


async def start(browser: object, hub: Hub, next_url: str = DEEP_LINK) -> str:
    """Go to the provider, and return the answer's address without following it."""
    to_provider = await browser.get(f"/hub/oauth_login?next={quote(next_url, safe='')}", follow=0)  # type: ignore[attr-defined]
    answer = await browser.get(to_provider.headers["Location"], follow=0)  # type: ignore[attr-defined]
    return str(answer.headers["Location"])


async def test_an_honest_login_ends_where_the_person_wanted_to_go(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = hub.browser()
    answer = await start(browser, hub)
    end = await browser.get(answer, follow=0)
    assert (end.code, end.headers["Location"]) == (302, DEEP_LINK)
    assert "jupyterhub-hub-login" in browser.cookies
    assert browser.waiting() == []


async def test_the_waiting_login_cannot_be_read_by_scripts_or_sent_by_other_sites(
    hub: Hub, provider: LyingProvider
) -> None:
    page = await hub.browser().get("/hub/oauth_login", follow=0)
    cookie = next(c for c in page.headers.get_list("Set-Cookie") if c.startswith("daas-login-"))
    for attribute in ("HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/hub/"):
        assert attribute in cookie


async def test_two_tabs_can_both_finish(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    first, second = await start(browser, hub, "/a"), await start(browser, hub, "/b")
    assert (await browser.get(first, follow=0)).headers["Location"] == "/a"
    assert (await browser.get(second, follow=0)).headers["Location"] == "/b"


async def test_many_abandoned_tabs_do_not_fill_the_browser(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = hub.browser()
    for _ in range(7):
        last = await start(browser, hub, "/last")
    assert len(browser.waiting()) == 4
    assert (await browser.get(last, follow=0)).headers["Location"] == "/last"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%0d%0aLocation: https://evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "@evil.example",
    ],
)
async def test_a_login_never_leads_to_another_site(
    hub: Hub, provider: LyingProvider, target: str
) -> None:
    browser = hub.browser()
    end = await browser.get(await start(browser, hub, target), follow=0)
    assert end.code == 302
    assert re.match(r"/(?![/\\])", end.headers["Location"])


async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
    hub: Hub, provider: LyingProvider
) -> None:
    answer = await start(hub.browser(), hub)
    victim = hub.browser()
    page = await victim.get(answer, follow=0)
    assert page.code == 400
    assert b"not started in this browser" in page.body
    assert "jupyterhub-hub-login" not in victim.cookies
    assert "token" not in provider.asked


async def test_an_answer_is_good_once(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    answer = await start(browser, hub)
    assert (await browser.get(answer, follow=0)).code == 302
    assert (await browser.get(answer, follow=0)).code == 400


async def test_a_code_of_another_login_is_refused(hub: Hub, provider: LyingProvider) -> None:
    stolen = re.search(r"code=([^&]+)", await start(hub.browser(), hub))
    browser = hub.browser()
    own = await start(browser, hub)
    assert stolen
    page = await browser.get(re.sub(r"code=[^&]+", f"code={stolen[1]}", own), follow=0)
    assert page.code == 403


async def test_the_providers_words_are_not_repeated(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    answer = await start(browser, hub)
    phishing = re.sub(r"code=[^&]+", "error=access_denied&error_description=Call+0900", answer)
    page = await browser.get(phishing, follow=0)
    assert page.code == 403
    assert b"did not sign you in" in page.body
    assert b"0900" not in page.body


STRANGER = RSAKey.generate_key(2048, {"kid": "first"})


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"sign": unsigned}, id="alg none"),
        pytest.param(
            {"sign": lambda c: jwt.encode({"alg": "RS256", "kid": "first"}, c, STRANGER)},
            id="another's signature",
        ),
        pytest.param({"token_claims": {"nonce": "other"}}, id="another nonce"),
        pytest.param({"token_claims": {"aud": "other"}}, id="another audience"),
        pytest.param({"token_answer": {"id_token": None}}, id="no ID token"),
        pytest.param({"token_answer": {"token_type": "mac"}}, id="no bearer token"),
        pytest.param(
            {"userinfo": {"sub": "b2", "preferred_username": "bob"}}, id="swapped userinfo"
        ),
        pytest.param({"person": {"sub": "r1", "preferred_username": "root"}}, id="reserved name"),
        pytest.param({"status": {"token": 400}}, id="token refused"),
        pytest.param({"status": {"userinfo": 401}}, id="userinfo refused"),
    ],
)
async def test_a_lie_ends_in_a_sentence_and_tells_no_token(
    hub: Hub, provider: LyingProvider, lie: dict[str, object]
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    browser = hub.browser()
    page = await browser.get(await start(browser, hub), follow=0)
    assert page.code == 403
    assert b"DAAS-" in page.body
    assert "jupyterhub-hub-login" not in browser.cookies
    for secret in ("eyJ", "access-", "refresh-", "secret-of-the-hub", "Traceback"):
        assert secret not in page.body.decode()
        assert secret not in hub.log.read_text()


async def test_a_code_is_not_in_the_log(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    answer = await start(browser, hub)
    code = re.search(r"code=([^&]+)", answer)
    provider.status = {"token": 400}
    assert (await browser.get(answer, follow=0)).code == 403
    assert code
    assert code[1] not in hub.log.read_text()


async def test_a_provider_that_is_down_is_named_as_the_reason(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = hub.browser()
    answer = await start(browser, hub)
    provider.status = {"token": 503}
    page = await browser.get(answer, follow=0)
    assert page.code == 503
    assert b"does not answer" in page.body


async def test_a_blocked_person_reads_whom_to_ask(hub: Hub, provider: LyingProvider) -> None:
    provider.person = {"sub": "m1", "preferred_username": "mallory"}
    browser = hub.browser()
    page = await browser.get(await start(browser, hub))
    assert page.code == 403
    assert b"Ask the user office, user.office@facility.example." in page.body


async def test_a_name_stays_with_the_first_who_got_it(hub: Hub, provider: LyingProvider) -> None:
    provider.person = {"sub": "e1", "preferred_username": "eve"}
    browser = hub.browser()
    assert (await browser.get(await start(browser, hub), follow=0)).code == 302
    provider.person = {"sub": "e2", "preferred_username": "eve"}
    browser = hub.browser()
    page = await browser.get(await start(browser, hub), follow=0)
    assert page.code == 403
    assert b"belongs to somebody else" in page.body


async def test_a_planted_session_is_not_taken_over(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    browser.cookies["jupyterhub-session-id"] = "planted"
    await browser.get(await start(browser, hub), follow=0)
    assert browser.cookies["jupyterhub-session-id"] != "planted"


async def test_another_page_cannot_sign_somebody_out(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    await browser.get(await start(browser, hub), follow=0)
    asked = await browser.get("/hub/logout", follow=0)
    assert b"Sign out?" in asked.body
    assert (await browser.post("/hub/logout")).code == 403
    assert (await browser.get("/hub/token", follow=0)).code == 200
    await browser.post("/hub/logout", **{"X-XSRFToken": browser.cookies["_xsrf"]})
    assert "jupyterhub-hub-login" not in browser.cookies


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/hub/home", "/services/portal/"),
        ("/hub/spawn", "/services/portal/"),
        ("/hub/spawn/alice", "/services/portal/"),
        ("/hub/spawn/alice/pymca-p1?opt-app=x", "/services/portal/#session-pymca-p1"),
        ("/hub/spawn-pending/alice/pymca-p1", "/services/portal/#session-pymca-p1"),
        ("/hub/spawn/alice/Bad_Name", "/services/portal/"),
    ],
)
async def test_the_hubs_own_pages_lead_to_the_portal(
    hub: Hub, provider: LyingProvider, path: str, target: str
) -> None:
    for signed_in in (False, True):
        browser = hub.browser()
        if signed_in:
            await browser.get(await start(browser, hub), follow=0)
        page = await browser.get(path, follow=0)
        assert (page.code, page.headers["Location"]) == (302, target)


async def test_a_form_of_the_stock_hub_starts_nothing(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    await browser.get(await start(browser, hub), follow=0)
    await browser.get("/hub/token")
    page = await browser.post("/hub/spawn", **{"X-XSRFToken": browser.cookies["_xsrf"]})
    assert page.code == 403
    assert b"started in the portal only" in page.body


async def test_the_token_page_stays_the_hubs(hub: Hub, provider: LyingProvider) -> None:
    browser = hub.browser()
    await browser.get(await start(browser, hub), follow=0)
    page = await browser.get("/hub/token")
    assert page.code == 200
    assert page.effective_url.endswith("/hub/token")
