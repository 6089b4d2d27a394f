"""What an engine's settings, an image or a session may try against the hub and its neighbours."""

import asyncio
import dataclasses
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config import Config

from daas_model.errors import EngineProblem
from daas_spawner.containers import backend as container_backend
from daas_spawner.containers import engine as container_engine
from daas_spawner.session.processes import read_process
from tests.engines.engines import CONTAINERS
from tests.engines.sessions import SEEN_SECONDS, Session, Sessions
from tests.engines.test_endings import nothing_left
from tests.engines.world import World, folder

pytestmark = pytest.mark.isolation
containers_only = pytest.mark.parametrize("sessions", CONTAINERS, indirect=True)
#: An app that gives away, before it begins, the descriptor by which its end is known.
GENEROUS = """
import os, runpy, socket
with socket.socket(socket.AF_UNIX) as taker:
    taker.connect(os.path.expanduser("~/Proposals/ours/processed/taker"))
    socket.send_fds(taker, [b"."], [4])
runpy.run_path("/opt/daas/apps/probe/probe.py", run_name="__main__")
"""
#: An app that writes to it, a moment after it has begun.
CHATTY = """
import os, runpy, threading
threading.Timer(1, os.write, (4, b"x")).start()
runpy.run_path("/opt/daas/apps/probe/probe.py", run_name="__main__")
"""


@containers_only
async def test_a_facilitys_settings_of_the_stock_spawner_do_not_loosen_a_session(
    sessions: Sessions,
) -> None:
    """Neither among the host's settings nor by the second way, the engine's own names for them."""
    config = Config()
    config.DockerSpawner.extra_host_config = {
        "cap_add": ["SYS_ADMIN"],
        "ipc_mode": "host",
        "network_mode": "host",
        "oom_kill_disable": True,
        "pid_mode": "host",
        "port_bindings": {80: 8080},
        "privileged": True,
        "restart_policy": {"Name": "always"},
        "security_opt": ["seccomp=unconfined"],
        "uts_mode": "host",
    }
    config.DockerSpawner.extra_create_kwargs = {
        "healthcheck": {"test": ["CMD", "true"]},
        "host_config": {"Privileged": True, "CapAdd": ["SYS_ADMIN"], "PidMode": "host"},
        "user": "0:0",
    }
    backend = sessions.backend("pi", config=config)
    session = Session(backend, await sessions.start(backend, "pi", "ours"))
    assert sessions.here is not None
    with sessions.here.client() as client:
        (listed,) = client.containers()
        host = client.inspect_container(listed["Id"])["HostConfig"]
    assert host["Privileged"] is False
    assert not host["CapAdd"]
    assert not host["PortBindings"]
    assert host["RestartPolicy"]["Name"] in {"", "no"}
    _, status = await session.run("cat /proc/self/status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(lines["CapBnd"], 16) == 0
    assert lines["Seccomp"] == "2"
    assert lines["Uid"].split()[0] != "0"
    assert int((await session.run("ls /proc | grep -c '^[0-9]'"))[1]) < 10
    assert (await session.run("ls /sys/class/net"))[1] == "lo\n"


@containers_only
async def test_two_hubs_on_one_engine_have_the_same_session_each(sessions: Sessions) -> None:
    """The second start ends nothing of the first hub's."""
    ours, theirs = sessions.backend("pi"), sessions.backend("pi", run="run2")
    first = Session(ours, await sessions.start(ours, "pi", "ours"))
    await sessions.start(theirs, "pi", "ours")
    assert await first.run("echo here") == (0, "here\n")


@containers_only
async def test_sessions_that_end_at_once_do_not_lock_the_engines_threads(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their doorkeepers are gone and their programs are not: the engine is asked all the same."""
    monkeypatch.setattr(container_engine, "THREADS", 1)
    both = await asyncio.gather(sessions.open("pi", "ours"), sessions.open("coproposer", "ours"))
    for session in both:
        doorkeeper = read_process(session.backend.hub_folder.parent / "pid")
        assert doorkeeper is not None
        session.backend.watch(lambda: None)
        doorkeeper.signal(signal.SIGKILL)
    async with asyncio.timeout(2 * SEEN_SECONDS):
        again = await sessions.open("coproposer", "ours")
    assert await again.run("echo here") == (0, "here\n")


@containers_only
async def test_an_image_that_never_takes_its_door_is_given_up(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_backend, "READY_SECONDS", 1.0)
    config = Config()
    config.DockerSpawner.extra_create_kwargs = {"entrypoint": ["sleep", "600"]}
    backend = sessions.backend("pi", config=config)
    plan = sessions.plan(backend, "pi", "ours", command="600")
    with pytest.raises(EngineProblem, match="The app did not start"):
        async with asyncio.timeout(30):
            await backend.start(plan)
    await nothing_left(sessions)


@containers_only
async def test_a_session_that_gave_its_life_line_away_is_seen_to_end(sessions: Sessions) -> None:
    """Whoever holds the descriptor cannot keep up the appearance of a session."""
    processed = sessions.world.top / "data" / "ours" / "processed"
    with socket.socket(socket.AF_UNIX) as taker:
        taker.bind(str(processed / "taker"))
        (processed / "taker").chmod(0o777)
        taker.listen()
        backend = sessions.backend("pi")
        plan = sessions.plan(backend, "pi", "ours")
        url = await backend.start(dataclasses.replace(plan, argv=("python3", "-c", GENEROUS)))
        giver, _ = taker.accept()
        with giver:
            _, (life,), _, _ = socket.recv_fds(giver, 1, 1)
    try:
        assert sessions.here is not None
        with sessions.here.client() as client:
            (listed,) = client.containers()
            client.kill(listed["Id"])
        # The watch asks every five seconds, and must have seen it twice.
        await Session(backend, url).seen_to_end(1.5 * SEEN_SECONDS)
    finally:
        os.close(life)
    assert not backend.is_running()


@containers_only
async def test_the_hub_keeps_no_descriptor_of_a_session_that_has_ended(
    sessions: Sessions,
) -> None:
    kept = []
    for _ in range(3):
        session = await sessions.open("pi", "ours")
        await session.stop()
        await nothing_left(sessions)
        kept.append(len(os.listdir("/proc/self/fd")))
    assert kept[2] <= kept[0]


@pytest.fixture
def detector(world: World) -> Iterator[Path]:
    """A file system of its own, mounted below a proposal's raw data."""
    detector, place = world.top / "detector", world.top / "data" / "ours" / "raw" / "detector"
    for made in (detector, place):
        folder(made, 0, 0, 0o777)
    mounting = ["mount", "--bind", str(detector), str(place)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    yield detector
    subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_what_is_mounted_below_raw_data_cannot_be_written_either(
    detector: Path, sessions: Sessions
) -> None:
    """D3: an engine makes the topmost mount read-only, and not what lies below it."""
    session = await sessions.open("pi", "ours")
    assert (await session.run("echo x > ~/Proposals/ours/raw/detector/new"))[0] != 0
    await session.stop()
    assert not list(detector.iterdir())


@containers_only
async def test_a_session_that_writes_to_its_life_line_ends(sessions: Sessions) -> None:
    """It would keep the process beside it busy, which no limit of its own bounds."""
    backend = sessions.backend("pi")
    plan = sessions.plan(backend, "pi", "ours")
    url = await backend.start(dataclasses.replace(plan, argv=("python3", "-c", CHATTY)))
    await Session(backend, url).seen_to_end()
    assert not backend.is_running()
