"""A portal whose second engine is away, on a real hub; and sessions that take their time."""

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from daas_demo import leftovers
from tests.portal.two_engines import TwoEngines, second_engine_away
from tests.visitor import Answer, Visitor

PORTAL = "/services/portal/"
#: The watch asks every 5 s.
SEEN_SECONDS = 10


@pytest.fixture(scope="module")
def place() -> Iterator[TwoEngines]:
    with second_engine_away() as place:
        yield place


@pytest.fixture
async def pi(place: TwoEngines) -> AsyncIterator[Visitor]:
    async with Visitor(place.url) as visitor:
        await visitor.sign_in("pi")
        yield visitor
        go(place)
        for name in re.findall(r'data-session="([^"]+)"', (await visitor.get(PORTAL)).text):
            await card(visitor, name, "Running", "Stopped")
            await visitor.portal("stop", session=name)
        (home_of(place) / "go").unlink(missing_ok=True)


def home_of(place: TwoEngines) -> Path:
    return place.folder / "homes" / "pi"


def go(place: TwoEngines) -> None:
    """Let the slow app begin."""
    (home_of(place) / "go").touch()


async def card(visitor: Visitor, name: str, *states: str) -> str:
    """Return a session's card once it has one of *states*."""
    async with asyncio.timeout(30):
        while True:
            page = (await visitor.get(PORTAL)).text
            found = page.partition(f'data-session="{name}"')[2].partition("</article>")[0]
            if any(f'data-state="{state}"' in found for state in states):
                return found
            await asyncio.sleep(0.1)


async def test_the_page_says_which_engine_is_away_and_offers_the_rest(pi: Visitor) -> None:
    home = (await pi.get(PORTAL)).text
    assert "Small — here" in home
    assert "Large — containers" in home
    assert "Not available now: “containers” does not answer." in home
    assert f'href="{PORTAL}?machine=large"' not in home
    button = re.search(r'<button[^>]*aria-label="Open in CrystFEL, 2026-0142[^>]*>', home)
    assert button
    assert " disabled" in button[0]
    button = re.search(r'<button[^>]*aria-label="Open in PyMca, 2026-0142"[^>]*>', home)
    assert button
    assert " disabled" not in button[0]


async def test_the_page_of_a_link_disables_the_machine_that_is_away(pi: Visitor) -> None:
    page = (await pi.get(f"{PORTAL}open?app=pymca&proposal=2026-0142&machine=large")).text
    assert re.search(r'value="large" disabled', page)
    assert re.search(r'value="small" checked', page)
    page = (await pi.get(f"{PORTAL}open?app=crystfel&proposal=2026-0142")).text
    assert "CrystFEL cannot be opened now: “containers” does not answer." in page


REFUSED = {
    "a machine that is away": ("pymca", "large", 503, "cannot be used now", "DAAS-ENGINE"),
    "an app whose machines are away": ("crystfel", "", 503, "cannot be used now", "DAAS-ENGINE"),
    "a machine that the app cannot have": (
        "crystfel",
        "small",
        404,
        "CrystFEL does not run on the machine “Small — here”.",
        "DAAS-MACHINE",
    ),
}


@pytest.mark.parametrize(
    ("app", "machine", "status", "words", "code"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_a_start_that_cannot_be_is_refused_in_a_sentence_and_leaves_nothing(
    pi: Visitor, place: TwoEngines, app: str, machine: str, status: int, words: str, code: str
) -> None:
    before = len(place.log_text())
    answer = await pi.portal("open", app=app, machine=machine, proposal="2026-0142")
    assert answer.status == status
    assert words in answer.text
    assert answer.text.count(code) == 1
    assert 'data-session="' not in (await pi.get(PORTAL)).text
    assert "Traceback" not in place.log_text()[before:]


async def test_sessions_on_other_machines_go_on(pi: Visitor) -> None:
    await pi.portal("open", app="jupyterlab", proposal="2026-0142")
    assert "on Small — here" in await card(pi, "jupyterlab-2026-0142", "Running")
    stopped = await pi.portal("stop", session="jupyterlab-2026-0142")
    assert stopped.status == 200


async def test_nobody_but_the_portals_service_is_told_of_others(pi: Visitor) -> None:
    """Neither a person by cookie or token, nor anybody who is not signed in."""
    for token in ("", await pi.token(), "nonsense"):
        answer = await pi.api("GET", "/states/coproposer", token)
        assert answer.status == 403
        assert "containers" not in answer.text


async def test_an_engine_that_is_away_is_logged_once(pi: Visitor, place: TwoEngines) -> None:
    """And before anybody has signed in: the portal asks when it begins."""
    assert place.log_text().count("Engine containers: “containers” does not answer.") == 1


async def test_an_engine_that_hangs_holds_up_no_page(pi: Visitor, place: TwoEngines) -> None:
    """Its socket takes connections and nobody answers."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(place.socket))
        engine.listen()
        engine.setblocking(False)
        async with asyncio.timeout(SEEN_SECONDS):
            connection, _ = await asyncio.get_running_loop().sock_accept(engine)
        with connection:
            async with asyncio.timeout(2):
                assert "“containers” does not answer" in (await pi.get(PORTAL)).text
    place.socket.unlink()


async def begin_slowly(visitor: Visitor) -> Answer:
    answer = await visitor.portal("open", app="slow")
    assert answer.url.endswith("/sessions/slow")
    return answer


async def test_a_start_goes_on_when_she_signs_out_and_is_taken_up_again(
    pi: Visitor, place: TwoEngines
) -> None:
    """S9: signed out and in again she finds it starting; "Open" starts no second one."""
    waiting = await begin_slowly(pi)
    assert "Starting Slow…" in waiting.text
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', (await pi.get("/hub/logout")).text)
    assert xsrf
    await pi.post("/hub/logout", {"_xsrf": xsrf[1]})
    async with Visitor(place.url) as again:
        await again.sign_in("pi")
        assert "Starting" in await card(again, "slow", "Starting")
        before = len(place.log_text())
        assert "Starting Slow…" in (await again.portal("open", app="slow")).text
        assert "Creating oauth" not in place.log_text()[before:]
        go(place)
        await card(again, "slow", "Running")
        opened = await again.get(f"{PORTAL}sessions/slow")
        assert "/user/pi/slow/" in opened.url
    await pi.sign_in("pi")


async def test_a_session_that_ended_from_outside_says_so_within_ten_seconds(
    pi: Visitor, place: TwoEngines
) -> None:
    """S8; after it was opened again it says so no more."""
    go(place)
    await pi.portal("open", app="slow")
    await card(pi, "slow", "Running")
    os.kill(supervisor(place), signal.SIGKILL)
    async with asyncio.timeout(SEEN_SECONDS):
        ended = await card(pi, "slow", "Stopped")
    words = "It ended by itself or from outside the portal. Your files are kept."
    assert words in ended
    assert words in (await pi.get(f"{PORTAL}sessions/slow")).text
    await pi.portal("open", app="slow")
    assert words not in await card(pi, "slow", "Running")


def supervisor(place: TwoEngines) -> int:
    """Return the supervisor of the only session: it has the sandbox for its child."""
    for pid in leftovers.processes_of(place.run):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().startswith("bwrap"):
                return pid
    raise AssertionError("no session runs")


async def test_a_start_that_failed_late_keeps_its_sentence_on_the_home_page(
    pi: Visitor, place: TwoEngines
) -> None:
    await begin_slowly(pi)
    os.kill(supervisor(place), signal.SIGKILL)
    failed = await card(pi, "slow", "Stopped")
    assert "The app did not start." in failed
    assert "DAAS-ENGINE" in failed
    assert "The app did not start." in (await pi.get(f"{PORTAL}sessions/slow")).text
    states = json.loads((await pi.api("GET", "/users/pi?include_stopped_servers=1")).text)
    assert states["servers"]["slow"]["pending"] is None


async def test_a_start_is_called_off_and_leaves_nothing(pi: Visitor, place: TwoEngines) -> None:
    """Else she would wait for an app, or for room in a cluster, that she does not want any more."""
    before = len(place.log_text())
    await begin_slowly(pi)
    assert supervisor(place)
    stopped = await pi.portal("stop", session="slow")
    assert stopped.status == 200
    assert "slow" not in re.findall(r'data-session="([^"]+)"', stopped.text)
    with pytest.raises(AssertionError, match="no session runs"):
        supervisor(place)
    said = place.log_text()[before:]
    assert "It was stopped before it ran." in said
    assert "Traceback" not in said
    go(place)
    await pi.portal("open", app="slow")
    await card(pi, "slow", "Running")


async def test_who_opens_it_elsewhere_is_told_that_the_start_was_called_off(
    pi: Visitor, place: TwoEngines
) -> None:
    """The hub has not yet answered who opened it: its answer comes, and says why."""
    before = len(place.log_text())
    opening = asyncio.ensure_future(pi.portal("open", app="slow"))
    await card(pi, "slow", "Starting")
    assert (await pi.portal("stop", session="slow")).status == 200
    answer = await asyncio.wait_for(opening, 10)
    assert "Traceback" not in place.log_text()[before:]
    assert "Starting Slow…" in answer.text or "It was stopped before it ran." in answer.text


async def test_only_the_portal_calls_a_start_off(pi: Visitor) -> None:
    """Neither a person by cookie or token, nor anybody who is not signed in."""
    await begin_slowly(pi)
    for token in ("", await pi.token(), "nonsense"):
        answer = await pi.api("DELETE", "/starts/pi/slow", token)
        assert answer.status == 403
    await card(pi, "slow", "Starting")
