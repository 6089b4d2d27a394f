"""When a session is in use: real processes that compute or rest, and what the hub hears of it."""

import asyncio
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daas_desktop.door.hub import Hub
from daas_desktop.door.use import TELL_EVERY_TURNS, Use, WorkWatch
from daas_desktop.program.work import (
    Process,
    Work,
    busy_cores,
    cores,
    parse_stat,
    processes,
    work_of,
)

ROOT = Path(__file__).parents[2]
SERVER, X, WM, PROGRAM = (
    Process(10, "python3", 1, 100, 50.0),
    Process(11, "Xtigervnc", 10, 101, 900.0),
    Process(12, "matchbox-window", 10, 102, 5.0),
    Process(13, "pymca", 10, 103, 7.5),
)


def test_a_process_is_read_whatever_its_name_is() -> None:
    text = "13 (a) b (c) R 10 13 13 0 -1 4194560 1 2 3 4 100 50 25 25 20 0 1 0 103 1 1"
    process = parse_stat(text)
    assert (process.pid, process.name, process.parent) == (13, "a) b (c", 10)
    assert (process.started, process.cpu_s) == (103, 200 / os.sysconf("SC_CLK_TCK"))


@pytest.mark.parametrize("own", [10, 99], ids=["seen by its server", "a tile's, by JupyterLab"])
def test_server_x_server_and_window_manager_do_not_count(own: int) -> None:
    assert work_of(iter([SERVER, X, WM, PROGRAM]), own) == {(13, 103): 7.5}


BUSY = {
    "nothing new": ({(13, 1): 7.5}, {(13, 1): 7.5}, 0.0),
    "half a core": ({(13, 1): 7.5}, {(13, 1): 37.5}, 0.5),
    "two programs": ({(13, 1): 0.0, (14, 2): 0.0}, {(13, 1): 60.0, (14, 2): 60.0}, 2.0),
    "one that began since": ({}, {(15, 9): 30.0}, 0.5),
    "one that ended": ({(13, 1): 7.5, (14, 2): 100.0}, {(13, 1): 7.5}, 0.0),
    "its number belongs to another": ({(13, 1): 100.0}, {(13, 2): 6.0}, 0.1),
}


@pytest.mark.parametrize(("before", "now", "busy"), BUSY.values(), ids=BUSY.keys())
def test_busy_cores_are_what_was_computed_in_a_minute(before: Work, now: Work, busy: float) -> None:
    assert cores(before, now, 60) == pytest.approx(busy)


def test_the_facility_says_what_is_work() -> None:
    assert busy_cores({}) == 0.2
    assert busy_cores({"DAAS_BUSY_CORES": "1.5"}) == 1.5


@pytest.fixture
def program() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(text: str) -> subprocess.Popen[bytes]:
        words = "import subprocess, time\nprint('ready', flush=True)\n" + text
        process = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("text", "at_work"),
    [
        pytest.param("while True: pass", True, id="it computes"),
        pytest.param("time.sleep(99)", False, id="it rests"),
        pytest.param(
            "while True: subprocess.run(['seq', '3000000'], stdout=-3)",
            True,
            id="its short-lived children compute",
        ),
    ],
)
def test_the_kernel_tells_work_from_rest(
    program: Callable[[str], subprocess.Popen[bytes]], text: str, at_work: bool
) -> None:
    """Measured at this one program: the tests' machine has others, a session has not."""
    pid = program(text).pid
    watch = WorkWatch(
        {}, lambda: work_of((one for one in processes() if one.pid == pid), os.getpid())
    )
    time.sleep(1)
    seen = watch.at_work()
    while at_work and not seen:  # a machine that is busy lets nobody compute for a while
        time.sleep(1)
        seen = watch.at_work()
    assert seen is at_work


def test_a_session_of_its_own_sees_no_other_work() -> None:
    """The sandbox's processes have numbers of their own, and what is busy outside is not there."""
    look = "from daas_desktop.door.use import work_now; print(len(work_now()))"
    command = ["bwrap", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("bubblewrap cannot be used here")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, sys.executable, "-c", look], env=environment, capture_output=True, check=True
    )
    assert int(done.stdout) == 1  # the sandbox's first process


class Told:
    """A hub that keeps what it is told."""

    def __init__(self) -> None:
        self.times: list[datetime.datetime] = []

    async def report_use(self, last: datetime.datetime) -> None:
        self.times.append(last)


class Watch:
    working = False

    def at_work(self) -> bool:
        return self.working


TURN_S = 0.05


@pytest.fixture
async def use() -> AsyncIterator[Any]:
    hub, watch = Told(), Watch()
    use: Any = Use(hub, watch, TURN_S)  # type: ignore[arg-type]
    use.hub, use.watch = hub, watch
    running = asyncio.create_task(use.run())
    yield use
    running.cancel()


async def test_who_types_all_the_time_is_told_once_in_a_turn(use: Any) -> None:
    for _ in range(20):
        use.used()
        await asyncio.sleep(TURN_S / 10)
    assert 2 <= len(use.hub.times) <= 4


async def test_work_without_any_input_is_use(use: Any) -> None:
    use.watch.working = True
    await asyncio.sleep(4 * TURN_S)
    assert len(set(use.hub.times)) >= 2


async def test_a_session_at_rest_says_seldom_since_when(use: Any) -> None:
    await asyncio.sleep((TELL_EVERY_TURNS + 3) * TURN_S)
    assert len(use.hub.times) <= 2
    assert len(set(use.hub.times)) == 1
    assert use.hub.times[0] < datetime.datetime.now(datetime.UTC) - datetime.timedelta(
        seconds=5 * TURN_S
    )


async def test_the_first_key_after_a_rest_is_told_at_once(use: Any) -> None:
    await asyncio.sleep(2 * TURN_S)
    before = len(use.hub.times)
    use.used()
    await asyncio.sleep(0)
    assert len(use.hub.times) == before + 1


async def test_the_hub_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def call(_: Any, url: str, **words: Any) -> None:
        asked.append((url, words))

    monkeypatch.setattr(Hub, "call", call)
    settings = type("Settings", (), {})()
    settings.activity_url, settings.api_token, settings.server_name = "http://hub/a", "own", "desk"
    hub = Hub.__new__(Hub)
    hub.settings = settings
    moment = datetime.datetime(2026, 3, 3, 14, 32, tzinfo=datetime.UTC)
    await hub.report_use(moment)
    ((url, words),) = asked
    said = json.loads(json.dumps(words["data"]))
    assert (url, words["token"]) == ("http://hub/a", "own")
    assert said["servers"]["desk"]["last_activity"] == "2026-03-03T14:32:00+00:00"
