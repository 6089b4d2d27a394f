"""The portal on a real hub: opening, stopping, links, and what goes wrong."""

import asyncio
import json
import os
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daas_demo import leftovers
from tests.conftest import Demo
from tests.visitor import Visitor

PORTAL = "/services/portal/"


@pytest.fixture
async def pi(demo: Demo) -> AsyncIterator[Visitor]:
    async with Visitor(demo.url) as visitor:
        await visitor.sign_in("pi")
        yield visitor
        for name in await sessions(visitor):
            await visitor.portal("stop", session=name)


async def sessions(visitor: Visitor) -> dict[str, dict[str, object]]:
    answer = await visitor.api("GET", f"/users/{visitor.who}?include_stopped_servers=1")
    return {name: model for name, model in json.loads(answer.text)["servers"].items() if name}


async def test_two_clicks_and_two_tabs_at_once_start_one_session(pi: Visitor, demo: Demo) -> None:
    before = demo.log_text()
    page = await pi.get(PORTAL)
    form = {"_xsrf": pi_form(page.text), "app": "jupyterlab", "proposal": "2026-0142"}
    opened = await asyncio.gather(*(pi.post(f"{PORTAL}open", form) for _ in range(4)))
    assert {answer.status for answer in opened} == {200}
    assert len({answer.url for answer in opened}) == 1
    started = [
        line for line in demo.log_text()[len(before) :].splitlines() if "Creating oauth" in line
    ]
    assert len(started) == 1


def pi_form(page: str) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"', page)
    assert found
    return found[1]


async def test_a_post_without_the_forms_token_does_nothing(pi: Visitor) -> None:
    for action, fields in (
        ("open", {"app": "jupyterlab", "proposal": "2026-0142"}),
        ("stop", {"session": "jupyterlab-2026-0142"}),
    ):
        answer = await pi.post(f"{PORTAL}{action}", fields)
        assert answer.status == 403
        assert "nothing was done" in answer.text
    assert await sessions(pi) == {}


LINKS = {
    "an unknown app": ("app=nope&proposal=2026-0142", 404, "There is no app"),
    "an unknown machine": ("app=pymca&machine=huge", 404, "There is no machine"),
    "a path for a proposal": ("app=pymca&proposal=..%2F..%2Fetc", 400, "letters, digits"),
    "no app": ("proposal=2026-0142", 400, "not something the portal can open"),
    "markup": ("app=%3Cscript%3Ealert(1)%3C/script%3E", 400, "not something"),
    "the same twice": ("app=pymca&proposal=a&proposal=a", 400, "twice"),
    "bytes that are no text": ("app=%ff%fe", 400, "portal"),
}


@pytest.mark.parametrize(("query", "status", "words"), LINKS.values(), ids=LINKS.keys())
async def test_a_wrong_link_is_answered_by_a_sentence(
    pi: Visitor, query: str, status: int, words: str
) -> None:
    answer = await pi.get(f"{PORTAL}open?{query}")
    assert answer.status == status
    assert words in answer.text
    assert "<script>alert" not in answer.text
    assert "Traceback" not in answer.text


async def test_unknown_and_foreign_proposals_read_the_same(demo: Demo) -> None:
    async with Visitor(demo.url) as coproposer:
        await coproposer.sign_in("coproposer")
        pages = []
        for id_ in ("2026-0231", "2026-9999"):
            answer = await coproposer.get(f"{PORTAL}open?app=pymca&proposal={id_}")
            xsrf = re.sub(r'data-xsrf="[^"]*"', "", answer.text)
            pages.append((answer.status, xsrf.replace(id_, "…")))
        assert pages[0] == pages[1]
        assert pages[0][0] == 404


async def test_a_foreign_proposal_is_not_opened_by_a_form_either(demo: Demo) -> None:
    async with Visitor(demo.url) as coproposer:
        await coproposer.sign_in("coproposer")
        answer = await coproposer.portal("open", app="pymca", proposal="2026-0231")
        assert answer.status == 404
        assert await sessions(coproposer) == {}


async def test_a_link_starts_nothing_and_a_running_session_is_used_again(pi: Visitor) -> None:
    link = f"{PORTAL}open?app=jupyterlab&proposal=2026-0142"
    assert "Open in JupyterLab" in (await pi.get(link)).text
    assert await sessions(pi) == {}
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    first = await sessions(pi)
    assert "Continue in your JupyterLab session" in (await pi.get(link)).text
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    again = await sessions(pi)
    assert list(again) == ["jupyterlab-2026-0142"]
    assert again["jupyterlab-2026-0142"]["started"] == first["jupyterlab-2026-0142"]["started"]


async def test_addresses_work_with_and_without_their_slash(pi: Visitor) -> None:
    """O3."""
    for path in (PORTAL.rstrip("/"), PORTAL):
        assert (await pi.get(path)).status == 200
    for path in ("open?app=pymca", "open/?app=pymca"):
        assert (await pi.get(f"{PORTAL}{path}")).status == 200


async def test_states_are_not_told_to_strangers_and_never_redirect(demo: Demo) -> None:
    async with Visitor(demo.url) as stranger:
        answer = await stranger.get(f"{PORTAL}events")
        assert answer.status == 403
        assert answer.url.endswith("/events")


async def test_a_killed_session_is_shown_as_stopped_and_opens_again(
    pi: Visitor, demo: Demo
) -> None:
    """S8."""
    before = demo.log_text()
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    os.kill(supervisor_of("jupyterlab-2026-0142", demo), signal.SIGKILL)
    async with asyncio.timeout(8):
        while (await sessions(pi))["jupyterlab-2026-0142"]["ready"]:
            await asyncio.sleep(0.1)
    home = await pi.get(PORTAL)
    assert 'data-state="Stopped"' in home.text
    assert "Traceback" not in demo.log_text()[len(before) :]
    answer = await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    assert "/user/pi/jupyterlab-2026-0142/" in answer.url
    os.kill(supervisor_of("jupyterlab-2026-0142", demo), signal.SIGKILL)
    stopped = await pi.portal("stop", session="jupyterlab-2026-0142")
    assert stopped.status == 200
    again = await pi.portal("stop", session="jupyterlab-2026-0142")
    assert again.status == 200


def supervisor_of(name: str, demo: Demo) -> int:
    """Return the supervisor of this demo's session: it has the sandbox for its child."""
    for pid in leftovers.processes_of(demo.run):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if name.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return pid
    raise AssertionError(f"no session {name} runs")


async def test_another_person_cannot_reach_the_session_by_page_or_by_web_socket(
    pi: Visitor, demo: Demo
) -> None:
    """X3: not the co-proposer of the same proposal, not a stranger."""
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    base = "/user/pi/jupyterlab-2026-0142"
    async with Visitor(demo.url) as other, Visitor(demo.url) as stranger:
        await other.sign_in("coproposer")
        for visitor, refused in ((other, {403}), (stranger, {200, 403})):
            page = await visitor.get(f"{base}/lab")
            assert page.status in refused
            assert "jupyter-config-data" not in page.text
            for path in ("/api/contents", "/api/terminals", "/proxy/22/"):
                answer = await visitor.get(f"{base}{path}")
                assert answer.status in {403, 404} or base not in answer.url
            for path in ("/terminals/websocket/1", "/api/events/subscribe"):
                assert await visitor.web_socket(f"{base}{path}") in {403, 404}


async def test_a_script_opens_and_stops_with_a_token(pi: Visitor, demo: Demo) -> None:
    """The one door for scripts: the portal's own addresses, with a token of the hub's."""
    headers = {"Authorization": f"token {await pi.token()}"}
    async with Visitor(demo.url) as script:
        form = {"app": "jupyterlab", "proposal": "2026-0142"}
        opened = await script.post(f"{PORTAL}open", form, headers=headers, allow_redirects=False)
        assert opened.status == 303
        assert list(await sessions(pi)) == ["jupyterlab-2026-0142"]
        form = {"session": "jupyterlab-2026-0142"}
        stopped = await script.post(f"{PORTAL}stop", form, headers=headers, allow_redirects=False)
        assert stopped.status == 303
        assert await sessions(pi) == {}
        headers = {"Authorization": "token nonsense"}
        refused = await script.post(f"{PORTAL}open", form, headers=headers, allow_redirects=False)
        assert refused.status in {302, 403}


async def test_errors_carry_the_code_of_whoever_refused(pi: Visitor, demo: Demo) -> None:
    home = demo.folder / "homes" / "pi"
    hidden = home.with_name("pi-hidden")
    home.rename(hidden)
    try:
        answer = await pi.portal("open", app="jupyterlab", proposal="2026-0142")
        assert "Your home folder is missing" in answer.text
        assert answer.text.count("DAAS-STORAGE") == 1
        assert "DAAS-REFUSED" not in answer.text
    finally:
        hidden.rename(home)


async def test_cookies_stay_at_home(pi: Visitor) -> None:
    """Not sent along by another site's forms and pictures."""
    logins = [cookie for cookie in pi.cookies() if cookie.key != "_xsrf"]
    assert len(logins) >= 3
    for cookie in logins:
        assert cookie["samesite"].lower() == "lax", cookie
        assert cookie["httponly"], cookie


async def test_the_proxy_loses_no_answer_of_a_unix_socket(pi: Visitor) -> None:
    """Decision 0011: a quick answer to a request with a body was a 503 one time in six."""
    token = await pi.token()
    body = {"user_options": {"app": "pymca"}}
    answers = [await pi.api("POST", "/users/pi/servers/x", token, body) for _ in range(60)]
    assert {answer.status for answer in answers} == {403}


FILE = "bad-proposal.yaml"


async def test_a_malformed_file_of_the_catalogue_is_said_on_the_page(
    pi: Visitor, demo: Demo
) -> None:
    file = demo.folder / "proposals" / FILE
    file.write_text("id: [", "utf-8")
    try:
        home = await pi.get(PORTAL)
        assert "DAAS-CATALOGUE" in home.text
        assert "2026-0142" in home.text
        assert FILE not in home.text
        assert FILE in demo.log_text()
    finally:
        file.unlink()


async def test_a_raw_folder_that_is_gone_is_a_sentence_and_nothing_is_left(
    pi: Visitor, demo: Demo
) -> None:
    raw = demo.folder / "data" / "B21-USAXS" / "2026-0231" / "raw"
    hidden = raw.with_name("raw-hidden")
    raw.rename(hidden)
    try:
        answer = await pi.portal("open", app="jupyterlab", proposal="2026-0231")
        assert answer.status == 503
        assert "The folder of the raw data of 2026-0231 is missing" in answer.text
        assert str(demo.folder) not in answer.text
        assert str(raw) in demo.log_text()
        raw.symlink_to("/etc")
        answer = await pi.portal("open", app="jupyterlab", proposal="2026-0231")
        assert "does not lie where this facility keeps data" in answer.text
        assert await sessions(pi) == {}
    finally:
        raw.unlink(missing_ok=True)
        hidden.rename(raw)


async def test_the_hubs_database_knows_no_title_no_uid_and_no_path_of_data(
    pi: Visitor, demo: Demo
) -> None:
    """I7, invariant 9: after a sign-in and a start, every table is read."""
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    text = "\n".join(dump(demo.folder / "state" / "jupyterhub.sqlite"))
    assert "jupyterlab-2026-0142" in text
    for secret in ("Trace elements", "61001", "62001", "B08-XRF", "/processed", "/homes/"):
        assert secret not in text, secret


def dump(database: Path) -> list[str]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines


async def test_no_log_holds_a_token_a_uid_or_a_title(pi: Visitor, demo: Demo) -> None:
    """Invariant 9."""
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    token = await pi.token()
    home = await pi.get(PORTAL)
    log = demo.log_text()
    assert "jupyterlab-2026-0142" in log
    login = pi.cookie("jupyterhub-session-id")
    assert login
    for secret in (token, pi_form(home.text), login, "Trace elements", "61001", "62001"):
        assert secret not in log, secret


async def test_pages_load_nothing_from_elsewhere_and_may_run_nothing_of_anybodys(
    pi: Visitor,
) -> None:
    """O4, invariant 10."""
    page = await pi.get(PORTAL)
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', page.text):
        assert address.startswith(("/", "#")), address
    assert "<script>" not in page.text
    assert "style=" not in page.text
