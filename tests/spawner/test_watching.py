"""Guests of a desktop on a real hub: how they are invited, come in and are sent out, and the rule.

Attacks: another session's token, another's code, a code that is over, a form without its token, the
hub's own pages for sharing, and a grant that would outlive its session.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Demo
from tests.visitor import Answer, Visitor, hidden_fields

from .test_one_door import token_inside

PROPOSAL = "2026-0142"
SESSION = f"pymca-{PROPOSAL}"
PLACE = f"/user/pi/{SESSION}/"


@pytest.fixture(scope="module")
def pymca(demo: Demo) -> Iterator[str]:
    """The token of a desktop of the principal investigator's, which runs for all tests here."""
    asyncio.run(as_pi(demo, "open", app="pymca", proposal=PROPOSAL))
    yield token_inside(SESSION, demo)
    asyncio.run(as_pi(demo, "stop", session=SESSION))


async def as_pi(demo: Demo, action: str, **fields: str) -> None:
    async with Visitor(demo.url) as pi:
        await pi.sign_in("pi")
        assert (await pi.portal(action, **fields)).status == 200


@pytest.fixture
async def token(demo: Demo, pymca: str) -> str:
    """The same, while nobody is invited and nobody watches."""
    async with Visitor(demo.url) as session:
        assert (await session.api("DELETE", "/invitations", pymca)).status == 204
    assert watching(demo) == []
    return pymca


async def invited(session: Visitor, token: str) -> str:
    """Return an invitation's address, below the hub's."""
    answer = await session.api("POST", "/invitations", token)
    assert answer.status == 201, answer
    told = json.loads(answer.text)
    assert told["expires_in_s"] == 3600
    address = urlsplit(told["url"])
    return f"{address.path}?{address.query}"


def code_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["code"][0]


async def pressed(guest: Visitor, link: str) -> Answer:
    """Press “Watch”, and then what the hub asks of anybody who opens another's session."""
    page = await guest.get(link)
    assert page.status == 200, page
    answer = await guest.post("/hub/watch", hidden_fields(page.text))
    if "oauth2/authorize" in answer.url:
        answer = await guest.post(answer.url, hidden_fields(answer.text))
    return answer


def rows(demo: Demo, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(demo.folder / "state" / "jupyterhub.sqlite", timeout=10)) as kept:
        found = kept.execute(statement).fetchall()
        kept.commit()
        return found


def watching(demo: Demo) -> list[tuple[object, ...]]:
    """Return what the hub has granted: who, and which rights."""
    return rows(demo, "select users.name, scopes from shares join users on users.id = user_id")


def events(demo: Demo) -> list[tuple[str, str, str, str]]:
    file = demo.folder / "state" / "audit.jsonl"
    told = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(event["action"], event["name"], event["by"], event["detail"]) for event in told]


async def test_a_guest_who_is_invited_comes_in_and_is_sent_out(demo: Demo, token: str) -> None:
    log, told = demo.log_text(), events(demo)
    async with Visitor(demo.url) as guest:
        link = await invited(guest, token)
        page = await guest.sign_in("coproposer", link)
        assert "pi invites you to look at PyMca" in page.text
        assert f"<strong>{PROPOSAL}</strong>" in page.text
        assert watching(demo) == []
        answer = await pressed(guest, link)
        assert urlsplit(answer.url).path == PLACE, answer
        assert (await guest.get(f"{PLACE}state")).status == 200
        scope = f'["access:servers!server=pi/{SESSION}"]'
        assert watching(demo) == [("coproposer", scope)]

        assert (await guest.api("DELETE", "/invitations/coproposer", token)).status == 204
        assert watching(demo) == []
        assert (await guest.get(link)).status == 404, "the same link would lead her in again"
    async with Visitor(demo.url) as elsewhere:
        await elsewhere.sign_in("coproposer")
        assert (await elsewhere.get(PLACE)).status in {403, 404}
    place = f"pi/{SESSION}"
    assert events(demo)[len(told) :] == [
        ("invited", "pi", "pi", place),
        ("joined", "coproposer", "coproposer", place),
        ("sent out", "coproposer", "pi", place),
    ]
    new = demo.log_text()[len(log) :]
    assert code_of(link) not in new
    assert "Traceback" not in new


async def test_a_guest_who_was_sent_out_can_be_invited_again(demo: Demo, token: str) -> None:
    async with Visitor(demo.url) as guest:
        await guest.sign_in("coproposer")
        for _ in range(2):
            await pressed(guest, await invited(guest, token))
            assert len(watching(demo)) == 1
            await guest.api("DELETE", "/invitations", token)
            assert watching(demo) == []


async def test_who_may_not_open_the_proposal_may_not_watch(demo: Demo, token: str) -> None:
    async with Visitor(demo.url) as guest:
        link = await invited(guest, token)
        page = await guest.sign_in("newcomer", link)
        assert page.status == 403
        assert "Only people of its proposal may look at this session." in page.text
        assert PROPOSAL not in page.text
        form = {"_xsrf": guest.xsrf, "code": code_of(link)}
        assert (await guest.post("/hub/watch", form)).status == 403
        assert watching(demo) == []


async def test_ones_own_invitation_leads_to_ones_own_session(demo: Demo, token: str) -> None:
    async with Visitor(demo.url) as pi:
        link = await invited(pi, token)
        answer = await pi.sign_in("pi", link)
        assert urlsplit(answer.url).path == PLACE
        assert watching(demo) == []


async def test_attack_35_a_mere_link_or_another_sites_form_lets_nobody_in(
    demo: Demo, token: str
) -> None:
    async with Visitor(demo.url) as guest:
        link = await invited(guest, token)
        await guest.sign_in("coproposer", link)
        assert (await guest.get(link)).status == 200
        code = code_of(link)
        for form in ({"code": code}, {"code": code, "_xsrf": "made-up"}):
            assert (await guest.post("/hub/watch", form)).status == 403
        assert watching(demo) == []


async def test_attack_35_a_code_that_is_over_or_was_never_given_lets_nobody_in(
    demo: Demo, token: str
) -> None:
    async with Visitor(demo.url) as guest:
        link = await invited(guest, token)
        page = await guest.sign_in("coproposer", link)
        form = hidden_fields(page.text)
        rows(demo, "update share_codes set expires_at = '2020-01-01 00:00:00'")
        for code in (form["code"], form["code"][:-1], "x" * 43, "x" * 5000, ""):
            assert (await guest.post("/hub/watch", {**form, "code": code})).status == 404
            assert (await guest.get(f"/hub/watch?code={code}")).status == 404
        link = await invited(guest, token)
        await guest.api("DELETE", "/invitations", token)
        assert (await guest.get(link)).status == 404
        assert watching(demo) == []


async def test_attack_20_a_session_reaches_itself_only(demo: Demo, token: str) -> None:
    """Another session of the same person's, her own script, and a guest's token of this session."""
    async with Visitor(demo.url) as guest, Visitor(demo.url) as pi:
        await guest.sign_in("coproposer")
        await pressed(guest, await invited(guest, token))
        await pi.sign_in("pi")
        scope = f"access:servers!server=pi/{SESSION}"
        await guest.get("/hub/token")
        body = {"note": f"Server at {PLACE}", "scopes": [scope]}
        made = await guest.api("POST", "/users/coproposer/tokens", body=body)
        held = [json.loads(made.text)["token"], await guest.token(), await pi.token(), ""]
        for one in held:
            for method, path in (("POST", ""), ("DELETE", ""), ("DELETE", "/coproposer")):
                answer = await guest.api(method, f"/invitations{path}", one)
                assert answer.status == 403, (one == "", method, answer)
        await pi.portal("open", app="jupyterlab", proposal=PROPOSAL)
        try:
            other = token_inside(f"jupyterlab-{PROPOSAL}", demo)
            answer = await pi.api("POST", "/invitations", other)
            assert answer.status == 403
            assert "Whoever looks at JupyterLab takes part in it" in answer.text
            assert (await pi.api("DELETE", "/invitations", other)).status == 204
            assert (await pi.api("DELETE", "/invitations/coproposer", other)).status == 204
            assert [name for name, _ in watching(demo)] == ["coproposer"]
        finally:
            await pi.portal("stop", session=f"jupyterlab-{PROPOSAL}")


async def test_attack_35_the_hubs_own_ways_to_share_are_closed(demo: Demo, token: str) -> None:
    async with Visitor(demo.url) as guest, Visitor(demo.url) as pi:
        await pi.sign_in("pi")
        await guest.sign_in("coproposer")
        await pi.get("/hub/token")
        await guest.get("/hub/token")
        code = code_of(await invited(pi, token))
        assert (await guest.get(f"/hub/accept-share?code={code}")).status == 404
        form = {"_xsrf": guest.xsrf, "code": code}
        assert (await guest.post("/hub/accept-share", form)).status == 404
        for held in ("", token, await pi.token()):
            share = {"user": "coproposer"}
            for path, body in (
                (f"/shares/pi/{SESSION}", share),
                (f"/share-codes/pi/{SESSION}", {}),
            ):
                answer = await pi.api("POST", path, held, body)
                assert answer.status in {403, 404}, (path, answer)
        assert watching(demo) == []


async def test_attack_35_a_grant_ends_with_its_session(demo: Demo) -> None:
    """An administrator stops it: the hub keeps its record, which the next start finds again.

    It has no proposal, so everybody who can sign in may be invited.
    """
    async with Visitor(demo.url) as pi, Visitor(demo.url) as guest, Visitor(demo.url) as contact:
        await pi.sign_in("pi")
        await guest.sign_in("newcomer")
        await contact.sign_in("contact")
        await contact.get("/hub/token")
        await pi.portal("open", app="pymca")
        try:
            link = await invited(pi, token_inside("pymca", demo))
            await pressed(guest, link)
            assert [name for name, _ in watching(demo)] == ["newcomer"]
            assert (await contact.api("DELETE", "/users/pi/servers/pymca")).status == 204
            ours = "select hashed from share_codes, spawners where spawner_id = spawners.id and "
            assert rows(demo, "select name from spawners where name = 'pymca'")
            assert (watching(demo), rows(demo, f"{ours} name = 'pymca'")) == ([], [])
            await pi.portal("open", app="pymca")
            assert (await guest.get(link)).status == 404
            assert watching(demo) == []
        finally:
            await pi.portal("stop", session="pymca")


async def test_a_session_cannot_ask_for_invitations_without_end(demo: Demo, token: str) -> None:
    async with Visitor(demo.url) as session:
        for _ in range(20):
            await invited(session, token)
        answer = await session.api("POST", "/invitations", token)
        assert answer.status == 403
        assert "20 open invitations" in answer.text
