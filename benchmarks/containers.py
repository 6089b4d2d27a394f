"""`make bench`, second part: what the portal adds to a container engine's own start.

In a Docker Engine of its own, with the images that `make images` builds; all in this one run:
- the portal's overhead: from the launch to the session's first answer, against `docker run` of the
  same image and program to the same answer (interleaved pairs, median);
- click → picture, and click → PyMca's main window, in a browser;
- the engine's calls per interval of the watch, with 30 and 300 sessions of a sleeping stand-in.
"""

import asyncio
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import daas_model
from benchmarks.sessions import PROPOSAL, RUNS, SESSION, stop
from daas_model.engines import Engine
from daas_spawner.containers import engine as engines
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.leftovers import Leftovers
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.conftest import Demo, free_port, short_folder
from tests.engines import prepare
from tests.engines.daemons import PATH
from tests.engines.docker_here import docker_here
from tests.engines.engine_here import EngineHere

IMAGE = f"daas/pymca:{daas_model.__version__}"
STAND_IN = f"daas/base:{daas_model.__version__}"
#: How a session of PyMca is started, on a socket of its own in place of the portal's.
SERVE = (
    "mkdir -m 0700 $XDG_RUNTIME_DIR; exec daas-desktop tile --title PyMca --socket /door/s -- pymca"
)
BARE = ("--entrypoint", "sh", IMAGE, "-c", SERVE)
FEW, MANY = 30, 300


def main() -> int:
    """Measure and print; return 1 when a bound of the issue is missed."""
    with docker_here() as docker:
        prepare.build(docker)
        with short_folder() as folder:
            demo = Demo(folder, free_port())
            try:
                os.environ["DAAS_DEMO_ENGINE"] = docker.address
                demo.start_and_wait()
                starts = in_a_browser(demo, docker)
            finally:
                demo.end()
        calls = [asyncio.run(calls_per_interval(docker, sessions)) for sessions in (FEW, MANY)]
    return report(starts, calls)


def in_a_browser(demo: Demo, docker: EngineHere) -> list[tuple[float, float, float, float]]:
    """Return seconds of each start: to the first answer, bare, to the picture, to the window."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.set_default_timeout(60_000)
        demo.sign_in(page, "pi")
        click_to_window(page, demo)  # warms the disk for both
        stop(page, demo)
        bare_start(docker)
        for _ in range(RUNS):
            answer, picture, window = click_to_window(page, demo)
            stop(page, demo)
            found.append((answer, bare_start(docker), picture, window))
        browser.close()
    return found


def click_to_window(page: Page, demo: Demo) -> tuple[float, float, float]:
    """Return the seconds from the click to the session's page, its picture, the main window."""
    page.goto(f"{demo.portal}?machine=large")
    button = page.get_by_role("button", name=f"Open in PyMca, {PROPOSAL}")
    began = time.monotonic()
    button.click()
    page.wait_for_url(f"**/{SESSION}/**", wait_until="commit")
    answer = time.monotonic() - began
    page.wait_for_selector("#screen canvas", state="attached")
    picture = time.monotonic() - began
    page.wait_for_selector("#cover", state="hidden")
    return answer, picture, time.monotonic() - began


def bare_start(docker: EngineHere) -> float:
    """Return the seconds from `docker run` to the first answer of the same program."""
    with tempfile.TemporaryDirectory() as door:
        Path(door).chmod(0o777)
        environment = {**os.environ, "PATH": f"{PATH}:{os.environ['PATH']}", **docker.environment}
        run = ["docker", "run", "--detach", "--network=none", "--init", "--user=61001:61001"]
        run += ["--read-only", "--tmpfs=/tmp:exec,mode=1777", "--cap-drop=ALL"]
        run += ["--env=HOME=/tmp", "--env=XDG_RUNTIME_DIR=/tmp/runtime", f"--volume={door}:/door"]
        began = time.monotonic()
        made = subprocess.run(
            [*run, *BARE],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        answered(Path(door) / "s")
        seconds = time.monotonic() - began
        subprocess.run(
            ["docker", "rm", "--force", made.stdout.strip()],
            env=environment,
            check=True,
            capture_output=True,
        )
    return seconds


def answered(path: Path, seconds: float = 60) -> None:
    """Return once something answers at the socket *path*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("session")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(path))
            connection.request("GET", "/")
            connection.getresponse()
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
        finally:
            connection.close()
    raise TimeoutError(path)


async def calls_per_interval(docker: EngineHere, sessions: int) -> float:
    """Return how often the engine is asked per interval while *sessions* just run."""
    shared = ContainerEngine.of(
        Engine("containers", "containers", "docker", docker.address, "none")
    )
    with tempfile.TemporaryDirectory() as run_folder:
        leftovers = Leftovers.of(shared, Path(run_folder))
        label = {**leftovers.label, "daas.session": "stand-in"}
        leftovers.busy.add("stand-in")
        made = await asyncio.gather(*(stand_in(shared, label) for _ in range(sessions)))
        before = shared.calls
        await asyncio.sleep(engines.WATCH_SECONDS * 4)
        calls = (shared.calls - before) / 4
        await asyncio.gather(*(end(shared, one) for one in made))
    await shared.close()
    return calls


async def stand_in(shared: ContainerEngine, label: dict[str, str]) -> str:
    """Start one sleeping container; return its id."""
    made = await shared.call(
        "create_container",
        STAND_IN,
        entrypoint=["sleep", "3600"],
        labels=label,
        host_config={"NetworkMode": "none"},
    )
    identity: str = made["Id"]
    await shared.call("start", identity)
    return identity


async def end(shared: ContainerEngine, container: str) -> None:
    """Remove one container."""
    await shared.call("remove_container", container, force=True)


def report(starts: list[tuple[float, float, float, float]], calls: list[float]) -> int:
    """Print the figures with their bounds; return 1 when one is missed."""
    answer, bare, picture, window = (
        statistics.median(column) for column in zip(*starts, strict=False)
    )
    more = statistics.median(first - second for first, second, *_ in starts)
    few, many = calls
    lines = [
        ("containers: launch → first answer, median of 5", f"{answer:.2f} s", True),
        ("  bare `docker run` of the same, to the same", f"{bare:.2f} s", True),
        ("  difference, pair by pair (≤ 0.7 s)", f"{more:.2f} s", more <= 0.7),
        ("  click → picture (≤ 3 s)", f"{picture:.2f} s", picture <= 3),
        ("  click → PyMca's main window (≤ 5 s)", f"{window:.2f} s", window <= 5),
        (f"  engine's calls per interval, {FEW} sessions (≤ 2)", f"{few:.1f}", few <= 2),
        (f"  engine's calls per interval, {MANY} sessions (≤ 2)", f"{many:.1f}", many <= 2),
    ]
    for what, figure, kept in lines:
        print(f"{what:<52} {figure:>10}{'' if kept else '   missed'}")
    return 0 if all(kept for _, _, kept in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
