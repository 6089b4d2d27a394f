"""The demo begins and ends as a person expects: nothing lost, nothing left (O1)."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_demo import leftovers
from tests.conftest import Demo, free_port
from tests.visitor import Visitor

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def own_demo(short_path: Path) -> Iterator[Demo]:
    demo = Demo(short_path, free_port())
    yield demo
    demo.end()


def everything_of(pid: int) -> set[int]:
    """Return *pid* and all its descendants: sandboxes and what runs in them too."""
    found = {pid}
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for number in child.read_text().split():
                found |= everything_of(int(number))
    return found


def all_processes(demo: Demo) -> set[int]:
    found: set[int] = set()
    for pid in leftovers.processes_of(demo.run):
        found |= everything_of(pid)
    return found


def names(processes: set[int]) -> set[str]:
    found = set()
    for pid in processes:
        with contextlib.suppress(OSError):
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return found


async def gone(processes: set[int]) -> None:
    async with asyncio.timeout(10):
        while any(Path(f"/proc/{pid}/exe").exists() for pid in processes):
            await asyncio.sleep(0.05)


async def open_pymca(demo: Demo) -> None:
    async with Visitor(demo.url) as pi:
        await pi.sign_in("pi")
        answer = await pi.portal("open", app="pymca", proposal="2026-0142")
        assert "/user/pi/pymca-2026-0142/" in answer.url


async def test_ctrl_c_leaves_no_process_behind(own_demo: Demo) -> None:
    launcher = own_demo.start_and_wait()
    await open_pymca(own_demo)
    processes = all_processes(own_demo)
    assert {"Xtigervnc", "bwrap", "pymca"} <= names(processes)
    launcher.send_signal(signal.SIGINT)
    said, _ = launcher.communicate(timeout=30)
    assert "Traceback" not in said
    await gone(processes)
    assert not own_demo.run.exists()


async def test_after_a_kill_the_next_start_ends_what_was_left_and_finds_the_data(
    own_demo: Demo,
) -> None:
    launcher = own_demo.start_and_wait()
    await open_pymca(own_demo)
    kept = own_demo.folder / "data" / "B08-XRF" / "2026-0142" / "processed" / "fit.txt"
    kept.write_text("a result")
    (own_demo.folder / "homes" / "pi" / "note.txt").write_text("a note")
    left = all_processes(own_demo)
    launcher.kill()
    launcher.wait()
    assert names(left) >= {"Xtigervnc"}
    began = time.monotonic()
    again = own_demo.start_and_wait()
    assert time.monotonic() - began < 30
    await gone(left)
    assert kept.read_text() == "a result"
    assert (own_demo.folder / "homes" / "pi" / "note.txt").read_text() == "a note"
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_of_the_hub_alone_loses_no_session(
    own_demo: Demo, number: signal.Signals
) -> None:
    launcher = own_demo.start_and_wait()
    await open_pymca(own_demo)
    desktop = {pid for pid in all_processes(own_demo) if names({pid}) == {"Xtigervnc"}}
    (hub,) = [int(pid) for pid in children_of(launcher.pid)]
    os.kill(hub, number)
    own_demo.wait_for(launcher, "started again")
    async with Visitor(own_demo.url) as pi:
        async with asyncio.timeout(40):
            while True:
                with contextlib.suppress(Exception):
                    await pi.sign_in("pi")
                    answer = await pi.api("GET", "/users/pi")
                    if json.loads(answer.text)["servers"]["pymca-2026-0142"]["ready"]:
                        break
                await asyncio.sleep(0.3)
        page = await pi.get("/user/pi/pymca-2026-0142/")
        assert page.status == 200
        assert "PyMca" in page.text
        assert {pid for pid in all_processes(own_demo) if names({pid}) == {"Xtigervnc"}} == desktop
        await pi.portal("stop", session="pymca-2026-0142")
        await gone(desktop)
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=30)


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_taken_port_is_a_sentence_that_says_what_to_do(own_demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", own_demo.port)):
        launcher = own_demo.start()
        said, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 1
    assert f"PORT={own_demo.port + 1}" in said
    assert "Traceback" not in said
    assert not list(leftovers.processes_of(own_demo.run))


def test_a_second_demo_on_the_same_data_is_refused_and_the_first_goes_on(own_demo: Demo) -> None:
    first = own_demo.start_and_wait()
    second = Demo(own_demo.folder, free_port())
    launcher = second.start()
    said, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 1
    assert "another one runs already" in said
    with urllib.request.urlopen(f"{own_demo.url}/hub/health") as answer:
        assert answer.status == 200
    assert first.poll() is None


@pytest.mark.parametrize("port", ["0", "70000", "-1", "http"])
def test_a_port_that_is_none_is_a_sentence(port: str, short_path: Path) -> None:
    command = [sys.executable, "-m", "daas_demo", f"--port={port}", f"--folder={short_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    assert "is no port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_program_is_named(own_demo: Demo) -> None:
    launcher = own_demo.start(PATH="/nowhere")
    said, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 1
    assert "bwrap" in said
    assert "make packages" in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system of its own needs root")
def test_a_full_disk_is_a_sentence(own_demo: Demo, short_path: Path) -> None:
    full = short_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(full)], check=True)
    try:
        small = Demo(full, own_demo.port)
        said, _ = small.start().communicate(timeout=30)
        assert "No space left" in said
        assert "Traceback" not in said
        assert not list(leftovers.processes_of(small.run))
    finally:
        subprocess.run(["umount", str(full)], check=True)
