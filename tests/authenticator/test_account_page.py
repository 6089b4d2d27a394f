"""“My account” on a real hub: linking, unlinking, signing out elsewhere."""

import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from .conftest import HUB_CONFIG, Browser, Hub, LyingProvider, free_port, running_hub, serving
from .signing_in import answer_to, sentences, signed_in

PORTS = {name: free_port() for name in ("staff", "umbrella", "orcid")}
TWO_WAYS = """
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.oauth_callback_url = "http://127.0.0.1:{hub}/hub/oauth_callback"
c.DaasAuthenticator.account_source = "files"
client = {{"client_id": "hub", "client_secret": "secret-of-the-hub"}}
c.DaasAuthenticator.providers = {{
    "staff": {{"profile": "keycloak", "issuer": "http://127.0.0.1:{staff}", **client}},
    "umbrella": {{"profile": "umbrella", "issuer": "http://127.0.0.1:{umbrella}",
                  "legacy_claim": "eaahash", **client}},
    "orcid": {{"profile": "orcid", "issuer": "http://127.0.0.1:{orcid}", **client}},
}}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    with running_hub(folder, HUB_CONFIG + TWO_WAYS, provider=0, **PORTS) as running:
        yield running


@pytest.fixture
async def staff() -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(PORTS["staff"])) as lying:
        lying.token_claims["auth_time"] = int(time.time())
        yield lying


@pytest.fixture
async def umbrella() -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(PORTS["umbrella"])) as lying:
        lying.token_claims["auth_time"] = int(time.time())
        yield lying


def is_person(lying: LyingProvider, subject: str, called: str, **more: object) -> None:
    """Let *lying* say that somebody signs in."""
    lying.person = {"sub": subject, "preferred_username": called, **more}


async def sign_in(hub: Hub, way: str = "staff") -> tuple[Browser, HTTPResponse]:
    browser = hub.browser()
    answer = await answer_to(browser, way=f"/hub/oidc/{way}/login")
    return browser, await browser.get(answer, follow=0)


async def press(browser: Browser, path: str, **fields: str) -> HTTPResponse:
    """Send a form of the account page, as the page's own button does."""
    page = await browser.get("/hub/account")
    found = re.search(rb'name="_xsrf" value="([^"]+)"', page.body)
    assert found, page.body
    body = urlencode({"_xsrf": found[1].decode(), **fields})
    jar = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    response = await AsyncHTTPClient().fetch(
        browser.hub_url + path,
        method="POST",
        body=body,
        headers={"Cookie": jar, "Content-Type": "application/x-www-form-urlencoded"},
        follow_redirects=False,
        raise_error=False,
    )
    browser.keep(response)
    return response


async def confirm(browser: Browser) -> HTTPResponse:
    """Press the button of the page that shows what would be linked."""
    shown = re.search(
        rb'name="subject" value="([^"]*)"', (await browser.get("/hub/account/link")).body
    )
    return await press(browser, "/hub/account/confirm", subject=shown[1].decode() if shown else "")


async def go_on(browser: Browser, response: HTTPResponse) -> HTTPResponse:
    """Follow a redirect."""
    return await browser.get(response.headers["Location"])


def kept(hub: Hub, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(hub.log.with_name("people.sqlite")) as database:
        return database.execute(query).fetchall()


def audited(hub: Hub) -> list[dict[str, str]]:
    lines = hub.log.with_name("audit.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


async def test_the_page_says_who_i_am_and_where(hub: Hub, staff: LyingProvider) -> None:
    is_person(staff, "w1", "wanda", groups=["p1", "p2"])
    browser, _ = await sign_in(hub)
    said = sentences((await browser.get("/hub/account")).body)
    assert "Your name wanda" in said
    assert "p1, p2" in said
    assert "w1" in said
    assert "(this browser)" in said
    # There is no such account on this machine: the page says so, and stands all the same.
    assert "DAAS-ACCOUNT" in said


async def test_a_further_identity_is_linked_when_both_sign_in_afresh(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    is_person(staff, "l1", "linda")
    is_person(umbrella, "u-l1", "anything@else", name="Linda L.")
    browser, _ = await sign_in(hub)
    to_staff = await press(browser, "/hub/account/link", provider="umbrella")
    assert urlsplit(to_staff.headers["Location"]).port == PORTS["staff"]
    shown = await go_on(browser, to_staff)
    for lying in (staff, umbrella):
        assert {"prompt": "login", "max_age": "0"}.items() <= lying.wanted.items()
    said = sentences(shown.body)
    assert "Linda L. u-l1" in said
    assert not kept(hub, "select * from links where subject = 'u-l1'")
    done = await confirm(browser)
    assert "The identity is linked" in sentences((await go_on(browser, done)).body)
    other, _ = await sign_in(hub, "umbrella")
    assert "Your name linda" in sentences((await other.get("/hub/account")).body)
    assert audited(hub)[-1].items() >= {"action": "linked", "name": "linda", "by": "linda"}.items()


@pytest.mark.parametrize("age", [None, 3600, -3600, "soon"], ids=str)
@pytest.mark.parametrize("which", ["staff", "umbrella"])
async def test_who_did_not_sign_in_afresh_links_nothing(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider, which: str, age: object
) -> None:
    is_person(staff, "s1", "stella")
    is_person(umbrella, "u-s1", "stella")
    browser, _ = await sign_in(hub)
    lying = staff if which == "staff" else umbrella
    when = int(time.time()) - age if isinstance(age, int) else age
    lying.token_claims["auth_time"] = when
    page = await go_on(browser, await press(browser, "/hub/account/link", provider="umbrella"))
    assert page.code == 403
    assert "did not ask you to sign in again" in sentences(page.body)
    assert (await confirm(browser)).code == 400
    assert not kept(hub, "select * from links where subject = 'u-s1'")


async def test_a_colleague_at_the_keyboard_links_nothing(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    is_person(staff, "v1", "vera")
    browser, _ = await sign_in(hub)
    is_person(staff, "m1", "marco")
    is_person(umbrella, "u-m1", "marco")
    page = await go_on(browser, await press(browser, "/hub/account/link", provider="umbrella"))
    assert "somebody else" in sentences(page.body)
    assert not kept(hub, "select * from links where subject = 'u-m1'")


async def test_an_identity_of_another_account_cannot_be_linked(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    is_person(umbrella, "u-x", "x")
    for subject, name, works in (("x1", "xenia", True), ("y1", "yara", False)):
        is_person(staff, subject, name)
        browser, _ = await sign_in(hub)
        await go_on(browser, await press(browser, "/hub/account/link", provider="umbrella"))
        done = await confirm(browser)
        assert (done.code == 302) is works
    assert kept(hub, "select name from links where subject = 'u-x'") == [("xenia",)]


async def test_an_answer_that_nobody_asked_for_links_nothing(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    is_person(staff, "n1", "nora")
    browser, _ = await sign_in(hub)
    assert (await confirm(browser)).code == 400
    assert (await browser.get("/hub/account/link")).code == 400
    assert (await press(browser, "/hub/account/link", provider="nobody")).code == 400


async def test_an_unknown_person_reads_what_to_do(hub: Hub, umbrella: LyingProvider) -> None:
    is_person(umbrella, "u-unknown", "alice")
    browser, page = await sign_in(hub, "umbrella")
    said = sentences(page.body)
    assert page.code == 403
    assert "DAAS-NOT-LINKED" in said
    assert "open “My account” and link UmbrellaID there" in said
    assert "u-unknown" in said
    assert not signed_in(browser)


async def test_equal_addresses_are_no_link(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    same = {"email": "same@facility.example", "email_verified": True}
    is_person(staff, "e1", "emma", **same)
    await sign_in(hub)
    is_person(umbrella, "u-e1", "emma", **same)
    browser, _ = await sign_in(hub, "umbrella")
    assert not signed_in(browser)


async def test_an_old_hash_becomes_a_link_once(hub: Hub, umbrella: LyingProvider) -> None:
    with sqlite3.connect(hub.log.with_name("people.sqlite")) as database:
        database.execute("insert into people values ('olga', null, '')")
        database.execute(
            "insert into links values ('urn:daas:legacy', '0a1b', 'olga', 0, 'command:root')"
        )
    is_person(umbrella, "u-thief", "thief", eaahash=["0a1b", "x"])
    assert not signed_in((await sign_in(hub, "umbrella"))[0])
    for subject, hash_, comes_in in (("u-o1", "0a1b", True), ("u-o2", "0a1b", False)):
        is_person(umbrella, subject, "x", eaahash=hash_)
        assert signed_in((await sign_in(hub, "umbrella"))[0]) is comes_in
    assert kept(hub, "select subject from links where name = 'olga'") == [("u-o1",)]


async def test_an_identity_for_linking_only_signs_nobody_in_even_when_linked(
    hub: Hub, staff: LyingProvider
) -> None:
    is_person(staff, "o1", "oda")
    async with serving(LyingProvider(PORTS["orcid"])) as orcid:
        orcid.token_claims["auth_time"] = int(time.time())
        orcid.person = {"sub": "0000-0001"}
        browser, _ = await sign_in(hub)
        await go_on(browser, await press(browser, "/hub/account/link", provider="orcid"))
        await confirm(browser)
        assert kept(hub, "select name from links where subject = '0000-0001'") == [("oda",)]
        page = await hub.browser().get("/hub/oidc/orcid/login")
        assert page.code == 403


async def test_unlinking_ends_the_logins_of_that_identity(
    hub: Hub, staff: LyingProvider, umbrella: LyingProvider
) -> None:
    is_person(staff, "k1", "karla")
    is_person(umbrella, "u-k1", "x")
    first, _ = await sign_in(hub)
    await go_on(first, await press(first, "/hub/account/link", provider="umbrella"))
    await confirm(first)
    second, _ = await sign_in(hub, "umbrella")
    in_use = f"http://127.0.0.1:{PORTS['staff']} k1"
    assert (await press(first, "/hub/account/unlink", link=in_use)).code == 400
    done = await press(
        first, "/hub/account/unlink", link=f"http://127.0.0.1:{PORTS['umbrella']} u-k1"
    )
    assert done.code == 302
    assert (await second.get("/hub/token", follow=0)).code == 302
    assert (await first.get("/hub/token", follow=0)).code == 200
    assert not signed_in((await sign_in(hub, "umbrella"))[0])


async def test_attack_12_a_copied_cookie_is_worth_nothing_after_signing_out(
    hub: Hub, staff: LyingProvider
) -> None:
    is_person(staff, "c1", "clara")
    browser, _ = await sign_in(hub)
    stays, _ = await sign_in(hub)
    thief = hub.browser()
    thief.cookies = dict(browser.cookies)
    assert (await thief.get("/hub/token", follow=0)).code == 200
    await press(browser, "/hub/logout")
    for path in ("/hub/token", "/hub/account", "/hub/api/user"):
        assert (await thief.get(path, follow=0)).code in (302, 403)
    assert (await stays.get("/hub/token", follow=0)).code == 200


async def test_attack_12_a_cookie_without_its_login_signs_nobody_in(
    hub: Hub, staff: LyingProvider
) -> None:
    is_person(staff, "c2", "cora")
    browser, _ = await sign_in(hub)
    thief = hub.browser()
    thief.cookies = {"jupyterhub-hub-login": browser.cookies["jupyterhub-hub-login"]}
    assert (await thief.get("/hub/token", follow=0)).code == 302


async def test_one_browser_can_be_signed_out_from_another_and_all_at_once(
    hub: Hub, staff: LyingProvider
) -> None:
    is_person(staff, "d1", "doris")
    here, there, elsewhere = [(await sign_in(hub))[0] for _ in range(3)]
    page = (await here.get("/hub/account")).body.decode()
    keys = re.findall(r'name="login" value="([0-9a-f]{64})"', page)
    assert len(keys) == 3
    latest = kept(hub, "select key from logins where name = 'doris' order by rowid")
    await press(here, "/hub/account/end", login=latest[1][0])
    codes = [(await one.get("/hub/token", follow=0)).code for one in (here, there, elsewhere)]
    assert codes == [200, 302, 200]
    await press(here, "/hub/account/end", login="all")
    codes = [(await one.get("/hub/token", follow=0)).code for one in (here, there, elsewhere)]
    assert codes == [302, 302, 302]
    assert kept(hub, "select * from logins where name = 'doris'") == []


async def test_changes_need_the_forms_token(hub: Hub, staff: LyingProvider) -> None:
    is_person(staff, "f1", "frida")
    browser, _ = await sign_in(hub)
    for path in ("link", "confirm", "unlink", "end"):
        assert (await browser.post(f"/hub/account/{path}")).code == 403
        assert (await browser.get(f"/hub/account/{path}", follow=0)).code in (400, 405)


async def test_somebody_blocked_meanwhile_reads_whom_to_ask(hub: Hub, staff: LyingProvider) -> None:
    is_person(staff, "b1", "berta")
    with sqlite3.connect(hub.log.with_name("people.sqlite")) as database:
        database.execute("insert into people values ('berta', 1, 'left')")
        database.execute(
            "insert into links values (?, 'b1', 'berta', 0, 'command:root')", [staff.issuer]
        )
    browser, page = await sign_in(hub)
    assert page.code == 403
    assert "Ask the user office, user.office@facility.example." in sentences(page.body)
    assert not signed_in(browser)


async def test_attack_09_a_lost_list_gives_no_name_away(tmp_path: Path) -> None:
    lying = LyingProvider(free_port())
    config = HUB_CONFIG.replace("sqlite:///:memory:", f"sqlite:///{tmp_path}/hub.sqlite")
    key = {"JUPYTERHUB_CRYPT_KEY": "0" * 64}
    async with serving(lying):
        for subject, comes_in in (("a1", True), ("thief", False)):
            is_person(lying, subject, "anna")
            with running_hub(tmp_path, config, key, provider=lying.port) as hub:
                browser = hub.browser()
                await browser.get(await answer_to(browser), follow=0)
                assert signed_in(browser) is comes_in
            (tmp_path / "people.sqlite").unlink()
