"""What the hub wants the person to read: asked seldom, kept while the hub is away, plain text."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler

from daas_desktop.door.hub import Hub, HubSettings, HubUnreachableError
from daas_desktop.door.notices import Notices, parse_notices, seconds_between_notices
from tests.desktop.plain_hub import PlainHub, api, signed_in

SESSION = {"DAAS_ASK_EVERY_S": "0.1"}
EVERY_S = 0.05
SAVE = "Your sessions end at 14:32 UTC on 3 March: save your work."


def test_the_hub_is_asked_once_a_minute() -> None:
    assert seconds_between_notices({}) == 60


@pytest.mark.parametrize(
    ("notices", "sentences"),
    [
        pytest.param([], (), id="nothing"),
        pytest.param([SAVE, "Second."], (SAVE, "Second."), id="two"),
        pytest.param(["<b>bold</b> &amp;"], ("<b>bold</b> &amp;",), id="markup is text"),
        pytest.param(["a\n\n  b\r\tc", " ", ""], ("a b c",), id="one line, none empty"),
        pytest.param([None, 3, {"a": "b"}, ["c"], "d"], ("d",), id="no sentence at all"),
        pytest.param([str(n) for n in range(9)], ("0", "1", "2", "3", "4"), id="too many"),
        pytest.param(["x" * 500, "y" * 501], ("x" * 500, "y" * 499 + "…"), id="too long"),
    ],
)
def test_sentences_are_plain_short_and_few(
    notices: list[object], sentences: tuple[str, ...]
) -> None:
    assert parse_notices({"notices": notices}) == sentences


@pytest.mark.parametrize("answer", [None, [], "text", {}, {"notices": "text"}, {"notices": None}])
def test_another_answer_is_none(answer: object) -> None:
    with pytest.raises(HubUnreachableError):
        parse_notices(answer)


class Api(RequestHandler):
    def get(self) -> None:
        hub = self.settings["hub"]
        hub.asked.append(self.request.headers["Authorization"])
        self.set_status(hub.status)
        self.write({"notices": hub.notices})


class SmallHub:
    """The hub's one page, behind a socket."""

    def __init__(self, path: Path) -> None:
        self.notices: list[str] = [SAVE]
        self.status = 200
        self.asked: list[str] = []
        self.url = f"http+unix://{quote(str(path), safe='')}/hub/api"

    def session(self, *, every_s: float = EVERY_S, look_again: Any = lambda: None) -> Notices:
        environment = {
            "JUPYTERHUB_API_TOKEN": "own",
            "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-pi-desk",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/pi/desk/",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": "[]",
            "JUPYTERHUB_API_URL": self.url,
        }
        return Notices(Hub(HubSettings.from_environment(environment)), every_s, look_again)


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[SmallHub]:
    hub = SmallHub(path)
    server = HTTPServer(Application([("/hub/api/notices", Api)], hub=hub, log_function=id))
    server.add_socket(bind_unix_socket(str(path)))
    yield hub
    server.stop()
    await server.close_all_connections()


@pytest.fixture
async def small_hub(directory: Path) -> AsyncIterator[SmallHub]:
    async with serving(directory / "hub") as hub:
        yield hub


async def becomes(notices: Notices, *sentences: str) -> None:
    async with asyncio.timeout(5):
        while await notices.fresh() != sentences:
            await asyncio.sleep(0.01)


async def asked(hub: SmallHub, times: int, notices: Notices) -> None:
    async with asyncio.timeout(5):
        while len(hub.asked) < times:
            await notices.fresh()
            await asyncio.sleep(0.01)


async def test_the_session_asks_with_its_own_token(small_hub: SmallHub) -> None:
    assert await small_hub.session().fresh() == (SAVE,)
    assert small_hub.asked == ["token own"]


async def test_however_many_look_the_hub_is_asked_once(small_hub: SmallHub) -> None:
    notices = small_hub.session(every_s=60)
    assert await asyncio.gather(*(notices.fresh() for _ in range(20))) == [(SAVE,)] * 20
    small_hub.notices = []
    assert notices.look() == (SAVE,)
    assert len(small_hub.asked) == 1


async def test_nobody_looks_and_nobody_asks(small_hub: SmallHub) -> None:
    notices = small_hub.session()
    await asyncio.sleep(3 * EVERY_S)
    assert small_hub.asked == []
    await notices.fresh()
    await asyncio.sleep(4 * EVERY_S)
    assert len(small_hub.asked) == 1


async def test_who_looks_when_told_to_sees_each_change_and_no_more_questions(
    small_hub: SmallHub,
) -> None:
    seen: list[tuple[str, ...]] = []
    notices = small_hub.session(look_again=lambda: seen.append(notices.look()))
    notices.look()
    for said in ([SAVE], [SAVE, "Second."], []):
        small_hub.notices = said
        async with asyncio.timeout(5):
            while not seen or seen[-1] != tuple(said):
                await asyncio.sleep(0.01)
    began, before = asyncio.get_running_loop().time(), len(small_hub.asked)
    await asyncio.sleep(5 * EVERY_S)
    turns = (asyncio.get_running_loop().time() - began) / EVERY_S
    assert 1 <= len(small_hub.asked) - before <= turns + 1


@pytest.mark.parametrize("status", [302, 403, 404, 429, 500, 503])
async def test_what_was_said_stays_when_the_hub_does_not_say(
    small_hub: SmallHub, status: int
) -> None:
    notices = small_hub.session()
    await becomes(notices, SAVE)
    small_hub.status, small_hub.notices = status, []
    await asked(small_hub, len(small_hub.asked) + 2, notices)
    assert await notices.fresh() == (SAVE,)
    small_hub.status = 200
    await becomes(notices)


async def test_a_hub_that_is_away_leaves_what_was_said(directory: Path) -> None:
    path = directory / "hub"
    async with serving(path) as hub:
        notices = hub.session()
        await becomes(notices, SAVE)
    path.unlink()
    await asyncio.sleep(2 * EVERY_S)
    assert await notices.fresh() == (SAVE,)
    async with serving(path) as hub:
        hub.notices = ["Back."]
        await becomes(notices, "Back.")


async def test_a_hub_without_the_page_is_not_asked_each_minute(
    small_hub: SmallHub, caplog: pytest.LogCaptureFixture
) -> None:
    small_hub.status = 404
    notices = small_hub.session()
    for _ in range(4):
        assert await notices.fresh() == ()
        await asyncio.sleep(2 * EVERY_S)
    assert len(small_hub.asked) == 1
    assert caplog.records == []


# ---- with a whole hub ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(hub: PlainHub) -> str:
    assert api(hub, "POST", "users/pi/servers/lab").status_code == 201, hub.log.read_text()
    return f"{hub.url}/user/pi/lab/"


def sentences(browser: requests.Session, url: str) -> Any:
    headers = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"}
    answer = browser.get(f"{url}notices", headers=headers, timeout=10)
    assert answer.status_code == 200
    return answer.json()["notices"]


def test_a_hub_without_the_page_makes_no_noise(hub: PlainHub, desktop: str, lab: str) -> None:
    """The first test with this hub, which has no such page yet: each session asks it once."""
    with signed_in(hub, "pi") as browser:
        browser.get(lab, timeout=20)
        browser.get(desktop, timeout=20)
        events = {"Accept": "text/event-stream"}
        with browser.get(f"{desktop}state", headers=events, stream=True, timeout=10) as stream:
            lines = stream.iter_lines(chunk_size=1)
            while next(lines) != b"event: notices":
                continue
            assert next(lines) == b"data: []"
            ends = time.monotonic() + 4 * seconds_between_notices(SESSION)
            while time.monotonic() < ends:
                assert sentences(browser, lab) == []
                time.sleep(0.1)
        said = [line for line in hub.log.read_text().splitlines() if "/notices" in line]
        assert ["404 GET /hub/api/notices" in line for line in said] == [True, True], said


@pytest.mark.parametrize("mode", ["no-cors", "cors"])
def test_nobody_else_reads_them(hub: PlainHub, lab: str, mode: str) -> None:
    headers = {"Sec-Fetch-Mode": mode}
    nobody = requests.get(f"{lab}notices", headers=headers, allow_redirects=False, timeout=10)
    assert nobody.status_code == 403
    with signed_in(hub, "other") as other:
        other.get(lab, timeout=20)
        assert other.get(f"{lab}notices", headers=headers, timeout=10).status_code == 403


def test_a_page_that_is_closed_asks_no_more(hub: PlainHub, wait_until: Callable[..., Any]) -> None:
    hub.say(SAVE)
    assert api(hub, "POST", "users/pi/servers/second").status_code == 201
    url = f"{hub.url}/user/pi/second/"
    question = "200 GET /hub/api/notices"
    with signed_in(hub, "pi") as browser:
        browser.get(url, timeout=20)
        events = {"Accept": "text/event-stream"}
        with browser.get(f"{url}state", headers=events, stream=True, timeout=10) as stream:
            lines = stream.iter_lines(chunk_size=1)
            while next(lines) != f'data: ["{SAVE}"]'.encode():
                continue
            before = hub.log.read_text().count(question)
            wait_until(lambda: hub.log.read_text().count(question) > before + 1, "it asks again")
        quiet(hub.log, question, wait_until)


def quiet(log: Path, question: str, wait_until: Callable[..., Any]) -> None:
    """Wait until a question is not asked for three turns."""

    def unchanged() -> bool:
        before = log.read_text().count(question)
        pause = 3 * seconds_between_notices(SESSION)
        time.sleep(pause)
        return log.read_text().count(question) == before

    wait_until(unchanged, "no page is open, and nobody asks")


def test_a_tile_of_jupyterlab_tells_them_too(hub: PlainHub, lab: str) -> None:
    hub.say(SAVE)
    with signed_in(hub, "pi") as browser:
        browser.get(lab, timeout=20)
        events = {"Accept": "text/event-stream"}
        with browser.get(f"{lab}tile/state", headers=events, stream=True, timeout=30) as stream:
            assert f'data: ["{SAVE}"]'.encode() in stream.iter_lines(chunk_size=1)
