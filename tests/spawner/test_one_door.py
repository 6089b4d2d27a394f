"""Only the portal starts sessions: every other way is tried on a real hub (invariant 8).

For each: what the asker is told, that no session runs, that no record of the hub is left that a
later start could use, and that the log holds no traceback.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daas_demo import leftovers
from tests.conftest import Demo
from tests.visitor import Visitor

OPTIONS = {"app": "pymca", "machine": "small", "proposals": ["2026-0142"]}
NAME = "pymca-2026-0142"

GETS = [
    "/hub/spawn",
    "/hub/spawn/{who}",
    f"/hub/spawn/{{who}}/{NAME}",
    f"/hub/spawn/{{who}}/{NAME}?opt-app=pymca&opt-machine=small&opt-proposals=2026-0142",
    f"/hub/spawn-pending/{{who}}/{NAME}",
    f"/hub/user-redirect/{NAME}/",
    f"/hub/user/{{who}}/{NAME}/",
    f"/user/{{who}}/{NAME}/",
    "/user/{who}/",
    "/hub/home",
]

POSTS = [
    "/hub/spawn",
    f"/hub/spawn/{{who}}/{NAME}",
    f"/hub/spawn-pending/{{who}}/{NAME}",
]

BODIES = {
    "no body": None,
    "empty options": {"user_options": {}},
    "a launch": {"user_options": OPTIONS},
    "the old form of a body": OPTIONS,
    "a display name only": {"display_name": "mine"},
}

PEOPLE = ["pi", "contact"]  # a person, and an administrator


@pytest.fixture(params=PEOPLE, ids=["a person", "an administrator"])
async def asker(request: pytest.FixtureRequest, demo: Demo) -> AsyncIterator[Visitor]:
    async with Visitor(demo.url) as visitor:
        await visitor.sign_in(request.param)
        yield visitor


async def sessions(visitor: Visitor) -> dict[str, object]:
    answer = await visitor.api("GET", f"/users/{visitor.who}?include_stopped_servers=1")
    servers = json.loads(answer.text)["servers"]
    default = servers.pop("", None)  # the hub always lists it, started or not
    assert not default or default["stopped"]
    return servers


async def nothing_happened(visitor: Visitor, demo: Demo, log_before: str) -> None:
    """A person's refused start leaves no record; nobody's leaves a traceback."""
    left = await sessions(visitor)
    assert not any(model["ready"] or model["pending"] for model in left.values())
    if visitor.who != "contact":
        assert left == {}
    new = demo.log_text()[len(log_before) :]
    assert "Traceback" not in new
    assert "consecutive" not in new


@pytest.mark.parametrize("path", GETS)
async def test_a_mere_link_starts_nothing(asker: Visitor, demo: Demo, path: str) -> None:
    before = demo.log_text()
    answer = await asker.get(path.format(who=asker.who))
    assert answer.status < 500, answer
    await nothing_happened(asker, demo, before)


@pytest.mark.parametrize("path", POSTS)
async def test_a_form_to_the_hub_starts_nothing(asker: Visitor, demo: Demo, path: str) -> None:
    await asker.get("/hub/token")
    before = demo.log_text()
    form = {"_xsrf": asker.xsrf, **{f"opt-{key}": str(value) for key, value in OPTIONS.items()}}
    answer = await asker.post(path.format(who=asker.who), form)
    assert answer.status in {403, 404, 405}, answer
    await nothing_happened(asker, demo, before)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("server", [f"servers/{NAME}", "server"], ids=["named", "default"])
@pytest.mark.parametrize("with_token", [True, False], ids=["token", "cookie"])
async def test_the_hubs_api_starts_nothing(
    asker: Visitor, demo: Demo, server: str, body: object, with_token: bool
) -> None:
    token = await asker.token() if with_token else ""
    await asker.get("/hub/token")
    before = demo.log_text()
    answer = await asker.api("POST", f"/users/{asker.who}/{server}", token, body)
    assert answer.status == 403, answer
    assert "credentials" not in answer.text, "refused for who asked, not for a missing cookie"
    await nothing_happened(asker, demo, before)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_nobody_can_lay_options_in_wait(asker: Visitor, demo: Demo, method: str) -> None:
    """Hub 6 lets a server be configured without starting it; the start is refused all the same."""
    await asker.get("/hub/token")
    before = demo.log_text()
    await asker.api(method, f"/users/{asker.who}/servers/{NAME}", body={"user_options": OPTIONS})
    answer = await asker.api("POST", f"/users/{asker.who}/servers/{NAME}")
    assert answer.status == 403
    await nothing_happened(asker, demo, before)


async def test_an_administrator_cannot_start_another_persons_session(demo: Demo) -> None:
    async with Visitor(demo.url) as contact, Visitor(demo.url) as pi:
        await pi.sign_in("pi")
        await contact.sign_in("contact")
        await contact.get("/hub/token")
        for body in BODIES.values():
            answer = await contact.api("POST", f"/users/pi/servers/{NAME}", body=body)
            assert answer.status == 403, answer
        assert await sessions(pi) == {}


async def test_options_left_in_the_hubs_database_do_not_start_a_session(demo: Demo) -> None:
    """Stopped from the administrators' page, the options stay; its Start button sends no body."""
    async with Visitor(demo.url) as contact, Visitor(demo.url) as newcomer:
        await newcomer.sign_in("newcomer")
        await contact.sign_in("contact")
        await contact.get("/hub/token")
        assert (await newcomer.portal("open", app="jupyterlab")).status == 200
        await contact.api("DELETE", "/users/newcomer/servers/jupyterlab")
        kept = (await sessions(newcomer))["jupyterlab"]
        assert kept["user_options"]["app"] == "jupyterlab"
        before = demo.log_text()
        answer = await contact.api("POST", "/users/newcomer/servers/jupyterlab")
        assert answer.status == 403
        assert (await newcomer.api("POST", "/users/newcomer/servers/jupyterlab")).status == 403
        assert not (await sessions(newcomer))["jupyterlab"]["ready"]
        assert "Traceback" not in demo.log_text()[len(before) :]
        assert (await newcomer.portal("stop", session="jupyterlab")).status == 200
        assert await sessions(newcomer) == {}


async def test_a_persons_token_holds_no_more_than_she_does(demo: Demo) -> None:
    async with Visitor(demo.url) as pi:
        await pi.sign_in("pi")
        token = await pi.token()
        await pi.get("/hub/token")
        for scope in ("start:servers", "admin:users", "access:servers", "admin:auth_state!user"):
            body = {"note": "more", "scopes": [scope]}
            answer = await pi.api("POST", "/users/pi/tokens", body=body)
            assert answer.status in {400, 403}, (scope, answer)
        assert (await pi.api("GET", "/users", token)).status == 403
        assert (await pi.api("GET", "/users/contact", token)).status in {403, 404}


async def test_attack_20_the_sessions_own_token_is_worth_little(demo: Demo) -> None:
    """The token that lies in a session's environment, taken out by its owner."""
    async with Visitor(demo.url) as pi:
        await pi.sign_in("pi")
        await pi.portal("open", app="jupyterlab", proposal="2026-0142")
        try:
            token = token_inside("jupyterlab-2026-0142", demo)
            tried = await pi.api("POST", "/users/pi/servers/x", token, {"user_options": OPTIONS})
            assert tried.status == 403
            for path in ("/users", "/users/contact", "/users/pi/tokens", "/proxy", "/services"):
                assert (await pi.api("GET", path, token)).status in {403, 404}
            assert (await pi.api("POST", "/users/pi/tokens", token, {})).status in {403, 404}
            # Nor does it read what the hub keeps of the provider's tokens.
            seen = json.loads((await pi.api("GET", "/users/pi", token)).text)
            assert "auth_state" not in seen
        finally:
            await pi.portal("stop", session="jupyterlab-2026-0142")


def token_inside(name: str, demo: Demo) -> str:
    """Return the token that lies in the environment of a session of this demo."""
    return token_below(demo.run, name)


def token_below(run: Path, name: str) -> str:
    """Return that token, where *run* is the hub's folder for sockets."""
    for supervisor in leftovers.processes_of(run):
        for sandbox in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            variables = Path(f"/proc/{sandbox}/environ").read_bytes().decode().split("\0")
            if f"JUPYTERHUB_SERVER_NAME={name}" in variables:
                found = [line for line in variables if line.startswith("JUPYTERHUB_API_TOKEN=")]
                return found[0].partition("=")[2]
    raise AssertionError(f"no session {name} runs")
