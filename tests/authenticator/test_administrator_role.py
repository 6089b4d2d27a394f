"""Our administrators' role on a real hub: what the page needs works, nothing as somebody else does.

The role comes and goes with the provider's claim, as the hub's `manage_roles` has it.
"""

import asyncio
import json
import sys
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from daas_authenticator.rights.role import ADMINISTRATOR_ROLE, hub_roles

from .conftest import Browser, Hub, LyingProvider
from .signing_in import answer_to, signed_in

#: Something that runs until it is stopped: the hub's own class of spawner needs no more.
SESSION = [
    sys.executable,
    "-c",
    "import os, http.server as h; from urllib.parse import urlsplit; "
    "port = urlsplit(os.environ['JUPYTERHUB_SERVICE_URL']).port; "
    "h.test(h.SimpleHTTPRequestHandler, port=port, bind='127.0.0.1')",
]
PORTAL_TOKEN = "token-of-the-portal"
MORE_CONFIG = f"""
from daas_authenticator.authenticator import DaasAuthenticator
from daas_spawner.one_door import roles

c.DaasAuthenticator.rights = [
    {{{{"right": "admin", "provider": "default", "claim": "groups", "value": "raised"}}}},
]
c.JupyterHub.allow_named_servers = True
c.JupyterHub.load_roles = roles()
c.JupyterHub.services = [{{{{"name": "portal", "api_token": {PORTAL_TOKEN!r}}}}}]
c.DaasAuthenticator.refresh_pre_spawn = False  # the provider of the tests knows one at a time
c.Spawner.cmd = {SESSION!r}
c.Spawner.ip = "127.0.0.1"
"""


async def api(
    hub: Hub, method: str, path: str, who: Browser | str, body: object = None
) -> HTTPResponse:
    """Call the hub's API with a browser's cookies, or with a token."""
    headers = {"Content-Type": "application/json"}
    if isinstance(who, Browser):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in who.cookies.items())
        headers["X-XSRFToken"] = who.cookies["_xsrf"]
    else:
        headers["Authorization"] = f"token {who}"
    request = HTTPRequest(
        f"{hub.url}/hub/api{path}",
        method,
        headers=headers,
        body=None if body is None else json.dumps(body),
        allow_nonstandard_methods=True,
        follow_redirects=False,
    )
    return await AsyncHTTPClient().fetch(request, raise_error=False)


def said(answer: HTTPResponse) -> Any:
    assert answer.code == 200, answer.body
    return json.loads(answer.body)


async def sign_in(hub: Hub, provider: LyingProvider, name: str, *groups: str) -> Browser:
    provider.person = {"sub": f"s-{name}", "preferred_username": name, "groups": list(groups)}
    browser = hub.browser()
    await browser.get(await answer_to(browser), follow=0)
    assert signed_in(browser)
    # the hub gives the token of its forms with a page
    assert (await browser.get("/hub/token", follow=0)).code == 200
    return browser


@pytest.fixture
async def bob(hub: Hub, provider: LyingProvider) -> Browser:
    """A scientist with a running session, started by the portal as always."""
    browser = await sign_in(hub, provider, "bob")
    if not await runs(hub):
        started = await api(hub, "POST", "/users/bob/servers/lab", PORTAL_TOKEN, {})
        assert started.code in (201, 202), started.body
        async with asyncio.timeout(20):
            while not await runs(hub):
                await asyncio.sleep(0.05)
    return browser


@pytest.fixture
async def anna(hub: Hub, bob: Browser, provider: LyingProvider) -> Browser:
    """An administrator."""
    return await sign_in(hub, provider, "anna", "raised")


async def runs(hub: Hub) -> bool:
    answer = await api(hub, "GET", "/users/bob", PORTAL_TOKEN)
    return bool(said(answer)["servers"].get("lab", {}).get("ready"))


async def test_an_administrator_sees_people_groups_and_sessions(hub: Hub, anna: Browser) -> None:
    page = await anna.get("/hub/admin", follow=0)
    assert (page.code, b"admin-react" in page.body) == (200, True)
    # what the page asks for
    listed = said(await api(hub, "GET", "/users?include_stopped_servers=1&limit=50", anna))
    people = {person["name"]: person for person in listed}
    assert people["bob"]["servers"]["lab"]["ready"]
    assert people["anna"]["groups"] == ["raised"]
    assert sorted(people["anna"]["roles"]) == [ADMINISTRATOR_ROLE["name"], "user"]
    assert people["anna"]["admin"] is False
    assert people["bob"]["last_activity"]
    groups = said(await api(hub, "GET", "/groups", anna))
    assert {"name": "raised", "users": ["anna"]}.items() <= groups[0].items()


async def test_an_administrator_stops_another_persons_session(hub: Hub, anna: Browser) -> None:
    stopped = await api(hub, "DELETE", "/users/bob/servers/lab", anna, {"remove": True})
    assert stopped.code in (202, 204)
    async with asyncio.timeout(20):
        while await runs(hub):
            await asyncio.sleep(0.05)


REFUSED: dict[str, tuple[str, str, object]] = {
    "a token for another": ("POST", "/users/bob/tokens", {"note": "x"}),
    "the tokens of another": ("GET", "/users/bob/tokens", None),
    "a start for another": ("POST", "/users/bob/servers/other", {}),
    "a default start for another": ("POST", "/users/bob/server", {}),
    "a session laid in wait for another": ("PUT", "/users/bob/servers/other", {}),
    "another's session changed": ("PATCH", "/users/bob/servers/lab", {"display_name": "x"}),
    "herself made administrator": ("PATCH", "/users/anna", {"admin": True}),
    "another made administrator": ("PATCH", "/users/bob", {"admin": True}),
    "another renamed": ("PATCH", "/users/bob", {"name": "carl"}),
    "another's provider token changed": ("PATCH", "/users/bob", {"auth_state": {}}),
    "a person made": ("POST", "/users/carl", {}),
    "people made": ("POST", "/users", {"usernames": ["carl"], "admin": True}),
    "a person deleted": ("DELETE", "/users/bob", None),
    "a group made": ("POST", "/groups/daas", {}),
    "herself put in a group": ("POST", "/groups/raised/users", {"users": ["bob"]}),
    "another put out of a group": ("DELETE", "/groups/raised/users", {"users": ["anna"]}),
    "a group's properties": ("PUT", "/groups/raised/properties", {"a": 1}),
    "a group deleted": ("DELETE", "/groups/raised", None),
    "a session shared": ("POST", "/shares/bob/lab", {"user": "anna"}),
    "a code to share": ("POST", "/share-codes/bob/lab", {}),
    "activity for another": ("POST", "/users/bob/activity", {"last_activity": "2030-01-01T00:00Z"}),
    "a service": ("POST", "/services/evil", {"admin": True}),
    "the services": ("GET", "/services/portal", None),
    "the proxy": ("GET", "/proxy", None),
    "the hub's end": ("POST", "/shutdown", {}),
}


@pytest.mark.parametrize(("method", "path", "body"), REFUSED.values(), ids=REFUSED.keys())
async def test_attack_31_an_administrator_does_nothing_as_somebody_else(
    hub: Hub, anna: Browser, method: str, path: str, body: object
) -> None:
    answer = await api(hub, method, path, anna, body)
    assert answer.code in (403, 404), (answer.code, answer.body)
    assert b"_xsrf" not in answer.body, "refused for her rights, not for a missing token"
    people = {person["name"] for person in said(await api(hub, "GET", "/users", anna))}
    assert people == {"anna", "bob"}
    assert await runs(hub)


async def test_attack_31_an_administrator_cannot_open_another_persons_session(
    hub: Hub, anna: Browser, bob: Browser
) -> None:
    """A session asks the hub who its visitor is; the hub does not say it of others."""
    client = "jupyterhub-user-bob-lab"
    back = "%2Fuser%2Fbob%2Flab%2Foauth_callback"
    ask = f"/hub/api/oauth2/authorize?client_id={client}&redirect_uri={back}&response_type=code"
    own = await bob.get(ask, follow=0)
    assert own.code == 302
    assert "/user/bob/lab/oauth_callback?code=" in own.headers["Location"]
    refused = await anna.get(ask, follow=0)
    assert refused.code == 403
    assert "Location" not in refused.headers


async def test_attack_31_an_administrator_does_not_see_providers_tokens(
    hub: Hub, anna: Browser
) -> None:
    for path in ("/users/bob", "/users/anna", "/users"):
        answer = await api(hub, "GET", path, anna)
        assert b"auth_state" not in answer.body
        assert b"access-" not in answer.body
        assert b'"state"' not in answer.body


async def test_attack_31_a_token_of_an_administrator_is_worth_no_more_and_falls_with_her_role(
    hub: Hub, anna: Browser, provider: LyingProvider
) -> None:
    too_much = {"note": "x", "scopes": ["access:servers"]}
    assert (await api(hub, "POST", "/users/anna/tokens", anna, too_much)).code in (400, 403)
    made = await api(hub, "POST", "/users/anna/tokens", anna, {"note": "x"})
    token = json.loads(made.body)["token"]
    assert len(said(await api(hub, "GET", "/users", token))) == 2
    assert (await api(hub, "POST", "/users/bob/tokens", token, {})).code == 403

    await sign_in(hub, provider, "anna")  # in another browser, and without the group
    assert (await anna.get("/hub/admin", follow=0)).code == 403
    for who in (anna, token):
        assert (await api(hub, "GET", "/users", who)).code == 403
        assert (await api(hub, "DELETE", "/users/bob/servers/lab", who)).code in (403, 404)
    assert await runs(hub)
    # what everybody may is left: the hub strips all roles that are not said
    own = said(await api(hub, "GET", "/user", anna))
    assert own["name"] == "anna"
    assert "access:servers!user=anna" in own["scopes"]
    assert (await api(hub, "POST", "/users/anna/tokens", anna, {"note": "y"})).code == 201


def test_the_roles_are_made_anew_because_the_hub_writes_into_them() -> None:
    first = hub_roles({"admin"})
    first[1]["managed_by_auth"] = True
    first[1]["scopes"].append("admin:users")
    assert hub_roles({"admin", "staff"}) == [{"name": "user"}, ADMINISTRATOR_ROLE]
    assert hub_roles({"staff", "local-contact"}) == [{"name": "user"}]
