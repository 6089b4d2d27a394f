"""Who was blocked, or is refused by her provider, loses what runs: on a real hub with sessions."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient

from .conftest import HUB_CONFIG, Browser, Hub, LyingProvider, running_hub, serving
from .signing_in import answer_to, sentences, signed_in
from .test_account_page import press

# The spawner is the hub's own; the portal's place is taken by a service with its right.
QUICK = """
from pathlib import Path
from jupyterhub.spawner import Spawner

class Sleeping(Spawner):
    running = False
    async def start(self):
        self.running = True
        Path(f"token-of-{{self.user.name}}").write_text(self.api_token)
        return "http://127.0.0.1:9"
    async def stop(self, now=False):
        self.running = False
    async def poll(self):
        return None if self.running else 0

c.JupyterHub.spawner_class = Sleeping
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [{{"name": "starter", "api_token": "starters-token-" + "0" * 20}}]
c.JupyterHub.load_roles = [
    {{"name": "starts", "services": ["starter"], "scopes": ["servers", "read:users"]}},
]
c.Spawner.http_timeout = 1
c.DaasAuthenticator.sweep_seconds = 0.3
c.DaasAuthenticator.renewal_seconds = 0
c.DaasAuthenticator.blocked_grace_seconds = 2
c.DaasAuthenticator.refused_grace_seconds = 2
c.DaasAuthenticator.public_login_minutes = 1
c.DaasAuthenticator.blocked_users = set()
"""
STARTER = {"Authorization": "token starters-token-" + "0" * 20}


@pytest.fixture(scope="module")
def hub(provider_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    # The hub asks a session over HTTP whether it is there: anything that answers will do.
    config = HUB_CONFIG + QUICK.replace("http://127.0.0.1:9", "http://127.0.0.1:{hub}")
    with running_hub(folder, config, provider=provider_port) as running:
        yield running


@pytest.fixture
async def provider(provider_port: int) -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(provider_port)) as lying:
        yield lying


async def sign_in(
    hub: Hub, provider: LyingProvider, name: str, groups: tuple[str, ...] = (), public: bool = False
) -> Browser:
    provider.person = {"sub": f"sub-{name}", "preferred_username": name, "groups": list(groups)}
    browser = hub.browser()
    way = "/hub/oauth_login?public=yes" if public else "/hub/oauth_login"
    await browser.get(await answer_to(browser, way=way), follow=0)
    assert signed_in(browser)
    return browser


async def api(
    hub: Hub, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> Any:
    answer = await AsyncHTTPClient().fetch(
        f"{hub.url}/hub/api/{path}",
        method=method,
        headers=headers or STARTER,
        body=body,
        allow_nonstandard_methods=True,
        raise_error=False,
    )
    return json.loads(answer.body) if answer.body else {}


async def start(hub: Hub, name: str) -> None:
    await api(hub, f"users/{name}/servers/pymca", "POST")
    await until(lambda: runs(hub, name))


async def runs(hub: Hub, name: str) -> bool:
    return "pymca" in (await api(hub, f"users/{name}")).get("servers", {})


async def until(true: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until *true*."""
    deadline = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def own_token(hub: Hub, browser: Browser, name: str, note: str = "") -> str:
    """Return a token that somebody makes for her scripts."""
    await browser.get("/hub/token")
    headers = {
        "Cookie": "; ".join(f"{key}={value}" for key, value in browser.cookies.items()),
        "X-XSRFToken": browser.cookies["_xsrf"],
        "Content-Type": "application/json",
    }
    body = json.dumps({"note": note})
    answer = await api(hub, f"users/{name}/tokens", "POST", body, **headers)
    return str(answer["token"])


def write(hub: Hub, statement: str, *values: object) -> None:
    with sqlite3.connect(hub.log.with_name("people.sqlite"), timeout=10) as database:
        database.execute(statement, values)


async def test_attack_16_a_blocked_person_is_told_and_then_loses_her_session(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = await sign_in(hub, provider, "bea")
    token = {"Authorization": f"token {await own_token(hub, browser, 'bea')}"}
    note = "Server at /user/bea/pymca/"
    made = await own_token(hub, browser, "bea", note)
    disguised = {"Authorization": f"token {made}"}
    await start(hub, "bea")
    for held in (token, disguised):
        assert await api(hub, "notices", **held) == {"notices": []}
    write(hub, "update people set blocked_from = 1, reason = 'left' where name = 'bea'")

    # What she made for scripts is gone at once, whatever she has written on it.
    await until(lambda: refused(hub, token))
    await until(lambda: refused(hub, disguised))
    # Her session can still tell her so: its own token is good until its end.
    own = {"Authorization": f"token {hub.log.with_name('token-of-bea').read_text()}"}
    assert (await api(hub, "notices", **own))["notices"]
    said = sentences((await browser.get("/hub/account")).body)
    assert "You may not use the portal for now. Your sessions end at" in said
    assert await runs(hub, "bea")
    await until(lambda: ended(hub, "bea"))
    events = [
        json.loads(line) for line in hub.log.with_name("audit.jsonl").read_text().splitlines()
    ]
    assert [event["by"] for event in events if event["action"] == "session ended"] == ["sweep"]


async def refused(hub: Hub, token: dict[str, str]) -> bool:
    return "notices" not in await api(hub, "notices", **token)


async def ended(hub: Hub, name: str) -> bool:
    return not await runs(hub, name)


async def test_attack_16_a_person_whom_the_provider_refuses_loses_her_session(
    hub: Hub, provider: LyingProvider
) -> None:
    await sign_in(hub, provider, "dora")
    await start(hub, "dora")
    provider.status = {"userinfo": 401, "token": 400}
    # Nobody opens a page: the sweep asks by itself.
    await until(lambda: ended(hub, "dora"))


async def test_attack_31_a_refused_administrators_token_is_worth_no_more_than_anybodys(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = await sign_in(hub, provider, "dorothea", groups=("staff",))
    assert await is_admin(browser)
    token = {"Authorization": f"token {await own_token(hub, browser, 'dorothea')}"}
    assert isinstance(await api(hub, "users", **token), list)
    provider.status = {"userinfo": 401, "token": 400}

    async def sees_herself_only() -> bool:
        answer = await api(hub, "users", **token)
        return not isinstance(answer, list)

    await until(sees_herself_only)


async def test_signing_in_again_keeps_the_session(hub: Hub, provider: LyingProvider) -> None:
    await sign_in(hub, provider, "edda")
    await start(hub, "edda")
    provider.status = {"userinfo": 401, "token": 400}
    await until(lambda: noticed(hub, "edda"))
    provider.status = {}
    await sign_in(hub, provider, "edda")
    await asyncio.sleep(3)
    assert await runs(hub, "edda")


async def noticed(hub: Hub, name: str) -> bool:
    return f"Sessions of {name} end: refused" in hub.log.read_text()


async def test_attack_27_an_outage_ends_no_session(hub: Hub, provider: LyingProvider) -> None:
    await sign_in(hub, provider, "fee")
    await start(hub, "fee")
    provider.status = {"userinfo": 503, "token": 503, "jwks": 503}
    await asyncio.sleep(3)
    assert await runs(hub, "fee")
    provider.status = {}


async def test_attack_32_tokens_of_somebody_who_was_blocked_are_gone_without_any_session(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = await sign_in(hub, provider, "gita")
    token = {"Authorization": f"token {await own_token(hub, browser, 'gita')}"}
    assert "notices" in await api(hub, "notices", **token)
    write(hub, "update people set blocked_from = 1 where name = 'gita'")
    await until(lambda: refused(hub, token))


async def test_a_login_on_a_public_computer_takes_rights_everywhere(
    hub: Hub, provider: LyingProvider
) -> None:
    office = await sign_in(hub, provider, "hera", groups=("staff",))
    assert await is_admin(office)
    library = await sign_in(hub, provider, "hera", groups=("staff",), public=True)
    for browser in (library, office):
        assert not await is_admin(browser)
        assert "on a public computer until" in sentences((await browser.get("/hub/account")).body)
    await press(library, "/hub/logout")
    await until(lambda: is_admin(office))


async def is_admin(browser: Browser) -> bool:
    return (await browser.get("/hub/admin")).code == 200


async def test_a_public_computer_stays_one_until_somebody_says_otherwise(
    hub: Hub, provider: LyingProvider
) -> None:
    browser = await sign_in(hub, provider, "inge", public=True)
    assert "on a public computer until" in sentences((await browser.get("/hub/account")).body)
    # A login that says nothing of it does not change it, neither during the first nor after it.
    await browser.get(await answer_to(browser), follow=0)
    assert provider.wanted["prompt"] == "login"
    assert "on a public computer until" in sentences((await browser.get("/hub/account")).body)
    await press(browser, "/hub/logout")
    page = await browser.get("/hub/login")
    assert "This is my own computer" in sentences(page.body)  # and no automatic login
    await browser.get(await answer_to(browser, way="/hub/oauth_login?public=no"), follow=0)
    assert "prompt" not in provider.wanted
    assert "public computer until" not in sentences((await browser.get("/hub/account")).body)


async def test_a_login_on_a_public_computer_ends_with_the_browser(
    hub: Hub, provider: LyingProvider
) -> None:
    provider.person = {"sub": "sub-ida", "preferred_username": "ida", "groups": []}
    for way, lasts in (("/hub/oauth_login", True), ("/hub/oauth_login?public=yes", False)):
        browser = hub.browser()
        page = await browser.get(await answer_to(browser, way=way), follow=0)
        cookies = page.headers.get_list("Set-Cookie")
        login = [cookie for cookie in cookies if cookie.startswith("jupyterhub-hub-login=")]
        assert ["expires=" in cookie.lower() for cookie in login] == [lasts]
