"""The local back end, for real: what of beginning and ending is its own.

What every engine must do is tried in `tests/engines`.
"""

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import stat
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jupyterhub.httpclient import fetch

from daas_model.errors import EngineProblem, StorageProblem
from daas_spawner.local.backend import LocalBackend
from daas_spawner.local.limits import hierarchies
from daas_spawner.session.graphics import Device
from daas_spawner.session.processes import Process
from daas_spawner.session.relay import MOST_CONNECTIONS
from tests.engines.world import UIDS, World, make_world, needs_root

pytestmark = pytest.mark.isolation


@pytest.fixture(autouse=True)
def supervisors_outlive_their_loop() -> Iterator[None]:
    """A supervisor may live longer than the test's loop; asyncio warns of its pipes much later."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def backends(short_path: Path, http_client: None) -> AsyncIterator[list[LocalBackend]]:
    started: list[LocalBackend] = []
    yield started
    for backend in started:
        await backend.stop()


@pytest.fixture
def world(short_path: Path) -> World:
    return make_world(short_path)


@pytest.fixture
def backend(short_path: Path, backends: list[LocalBackend]) -> LocalBackend:
    backend = LocalBackend("pi/probe-ours", short_path / "run", short_path / "logs", "/")
    backends.append(backend)
    return backend


async def until(condition: object, seconds: float = 5) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def groups_of(session: Path) -> list[Path]:
    return [path for place in hierarchies() for path in place.folder.glob(f"daas-{session.name}")]


ENDINGS = {
    "stop": lambda backend: backend.stop(),
    "the supervisor is killed": lambda backend: kill(backend, signal.SIGKILL),
    "the supervisor is told to end": lambda backend: kill(backend, signal.SIGTERM),
}


async def kill(backend: LocalBackend, number: signal.Signals) -> None:
    os.kill(backend.state()["pid"], number)


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
async def test_however_a_session_ends_every_process_in_it_ends(
    backend: LocalBackend, world: World, end: object
) -> None:
    url = await backend.start(world.plan("pi", "ours"))
    mark = f"sleep {os.getpid()}123"
    await fetch(url, method="POST", data=f"setsid {mark} >/dev/null 2>&1 &".encode())
    await until(lambda: processes_with(mark))
    ended = asyncio.Event()
    backend.watch(ended.set)
    assert callable(end)
    await end(backend)
    if end is not ENDINGS["stop"]:  # who stops it needs not be told
        async with asyncio.timeout(8):
            await ended.wait()
    await until(lambda: not processes_with(mark))
    assert not backend.is_running()
    await backend.stop()  # once more is no error


def processes_with(words: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words.encode().replace(b" ", b"\0") in file.read_bytes():
                found.append(str(file))
    return found


async def test_a_stopped_session_leaves_no_socket_and_no_group(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    await backend.start(world.plan("pi", "ours"))
    (session,) = (short_path / "run" / "sessions").iterdir()
    assert groups_of(session)
    await backend.stop()
    assert not session.exists()
    assert groups_of(session) == []


async def test_a_killed_supervisor_does_not_stand_in_the_way_of_the_next_start(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    await backend.start(world.plan("pi", "ours"))
    await kill(backend, signal.SIGKILL)
    await until(lambda: not backend.is_running())
    again = LocalBackend("pi/probe-ours", short_path / "run", short_path / "logs", "/")
    await again.start(world.plan("pi", "ours"))
    assert again.is_running()
    await again.stop()


async def test_another_hub_finds_the_session_again_by_its_state(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    await backend.start(world.plan("pi", "ours"))
    found = LocalBackend("pi/probe-ours", short_path / "run", short_path / "logs", "/")
    found.restore(backend.state())
    assert found.is_running()
    await found.stop()
    assert not backend.is_running()


async def test_a_number_that_belongs_to_somebody_else_now_is_not_taken_for_the_session(
    backend: LocalBackend,
) -> None:
    me = Process.of(os.getpid())
    assert me is not None
    backend.restore({"pid": me.pid, "started": me.started - 1})
    assert not backend.is_running()
    await backend.stop()  # must not end this process


@pytest.mark.parametrize("state", [{}, {"pid": "x", "started": None}, {"pid": -1, "started": 0}])
async def test_a_state_that_is_not_ours_counts_as_ended(
    backend: LocalBackend, state: dict[str, object]
) -> None:
    backend.restore(state)
    assert not backend.is_running()


async def test_the_state_kept_in_the_hubs_database_names_no_person_and_no_path(
    backend: LocalBackend, world: World
) -> None:
    await backend.start(world.plan("pi", "ours"))
    assert set(backend.state()) == {"pid", "started"}


async def test_no_secret_stands_on_any_command_line(backend: LocalBackend, world: World) -> None:
    await backend.start(world.plan("pi", "ours"))
    assert processes_with("--unshare-net")
    assert not processes_with("token-of-pi")


@needs_root
async def test_an_app_with_a_graphics_card_may_use_it_and_no_other_app_may(
    backend: LocalBackend, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried with another device of this machine that one group may use: most have no card."""
    others = (_device(Path("/dev") / name) for name in ("kvm", "loop-control", "vhost-net"))
    device = next((one for one in others if one), None)
    if device is None:
        pytest.skip("no device here is for one group only")
    monkeypatch.setattr("daas_spawner.local.backend.graphics_devices", lambda: (device,))
    tries = f"test -r {device.path} && test -w {device.path}".encode()
    plan = world.plan("pi", "ours")
    for gpu in (True, False):
        made = replace(plan, app=replace(plan.app, gpu=gpu))
        answer = await fetch(await backend.start(made), method="POST", data=tries)
        async with answer:
            status = (await answer.text()).partition("\n")[0]
        assert (status == "0") is gpu
        await backend.stop()


def _device(path: Path) -> Device | None:
    try:
        status = path.stat()
    except OSError:
        return None
    mode = stat.S_IMODE(status.st_mode)
    return Device(str(path), status.st_gid) if mode == 0o660 and status.st_gid else None


async def test_a_program_that_ends_at_once_is_a_sentence_and_its_words_are_kept(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    broken = replace(world.plan("pi", "ours"), argv=("no-such-program",))
    with pytest.raises(EngineProblem) as refused:
        await backend.start(broken)
    assert "no-such-program" not in str(refused.value)
    assert "no-such-program" not in refused.value.detail, "a session's words are not the hub's log"
    log = short_path / "logs" / "pi" / "probe-ours.log"
    assert "no-such-program" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert not backend.is_running()
    assert not list((short_path / "run" / "sessions").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder that only root may pass needs root")
async def test_homes_and_data_may_lie_below_a_folder_that_only_root_may_pass(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    """A repository below the administrator's private home."""
    private = short_path / "private"
    private.mkdir(mode=0o700)
    for name in ("homes", "data", "examples"):
        (short_path / name).rename(private / name)
    hidden = World(private)
    url = await backend.start(hidden.plan("pi", "ours", hub=short_path / "hub"))
    tried = "cat ~/Proposals/ours/raw/scan.h5 && touch ~/Proposals/ours/processed/x ~/y"
    answer = await fetch(url, method="POST", data=tried.encode())
    assert (await answer.text()).startswith("0\nraw of ours")


@pytest.mark.skipif(os.geteuid() != 0, reason="another's home needs root")
def test_a_home_that_lets_everybody_in_but_root_can_be_used(world: World) -> None:
    """A file server that does not trust root: here a root that may not pass over permissions."""
    look = "from daas_spawner.session.home import check_home as c; import sys; "
    look += f"c(sys.argv[1], {{'uid': {UIDS['pi']}, 'gid': {UIDS['pi']}}})"
    squashed = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    argv = [*squashed, "--", sys.executable, "-c", look]
    for person, usable in (("pi", True), ("coproposer", False)):
        home = str(world.top / "homes" / person)
        done = subprocess.run([*argv, home], check=False, capture_output=True)
        assert (done.returncode == 0) == usable, done.stderr


def make_home_missing(home: Path) -> None:
    shutil.rmtree(home)


def make_home_a_link(home: Path) -> None:
    shutil.rmtree(home)
    home.symlink_to("/root")


def make_home_a_file(home: Path) -> None:
    shutil.rmtree(home)
    home.write_text("")


def make_home_somebody_elses(home: Path) -> None:
    os.chown(home, 61002, 61002)
    home.chmod(0o777)


def make_home_read_only(home: Path) -> None:
    home.chmod(0o500)


@pytest.mark.skipif(os.geteuid() != 0, reason="other people's homes need root")
@pytest.mark.parametrize(
    "break_it",
    [
        make_home_missing,
        make_home_a_link,
        make_home_a_file,
        make_home_somebody_elses,
        make_home_read_only,
    ],
)
async def test_a_home_that_cannot_be_used_is_said_to_be_the_home(
    backend: LocalBackend, world: World, break_it: Callable[[Path], None]
) -> None:
    break_it(world.top / "homes" / "pi")
    with pytest.raises(StorageProblem, match="home folder is missing"):
        await backend.start(world.plan("pi", "ours"))
    assert not backend.is_running()


async def test_a_session_that_its_hub_forgot_is_ended_by_the_next_start(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    """A database from yesterday's backup knows nothing of it."""
    await backend.start(world.plan("pi", "ours"))
    forgotten = Process(**backend.state())
    again = LocalBackend("pi/probe-ours", short_path / "run", short_path / "logs", "/")
    await again.start(world.plan("pi", "ours"))
    assert not forgotten.alive
    assert again.is_running()
    await again.stop()


async def test_a_supervisor_that_hangs_is_ended_and_leaves_nothing(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    await backend.start(world.plan("pi", "ours"))
    (session,) = (short_path / "run" / "sessions").iterdir()
    os.kill(backend.state()["pid"], signal.SIGSTOP)
    await backend.stop()
    assert not session.exists()
    await until(lambda: groups_of(session) == [])


async def test_a_session_whose_socket_was_removed_does_not_count_as_running(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    await backend.start(world.plan("pi", "ours"))
    (session,) = (short_path / "run" / "sessions").iterdir()
    (session / "s").unlink()
    assert not backend.is_running()


async def test_the_session_reaches_the_hub_and_cannot_exhaust_it(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    """Its own relay takes a bounded number of connections, however many it opens."""
    now = most = 0

    async def hub(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        while line := await reader.readline():
            writer.write(b"hub heard " + line)
            await writer.drain()
        now -= 1
        writer.close()

    (short_path / "run" / "hub").mkdir(parents=True)
    server = await asyncio.start_unix_server(hub, short_path / "run" / "hub" / "hub.sock")
    url = await backend.start(world.plan("pi", "ours", hub=backend.hub_folder))
    script = """
import socket
def call():
    s = socket.socket(socket.AF_UNIX); s.settimeout(2); s.connect("/run/daas/hub.sock"); return s
s = call(); s.sendall(b"hello\\n"); print(s.recv(99).decode().strip())
kept = []
try:
    for _ in range(300): kept.append(call())
except OSError as error: print(type(error).__name__)
"""
    answer = await fetch(url, method="POST", data=f"python3 -c '{script}'".encode())
    said = await answer.text()
    assert "hub heard hello" in said
    assert 1 <= most <= MOST_CONNECTIONS
    await until(lambda: now == 0)
    server.close()


async def test_a_hub_that_dies_during_a_start_leaves_no_session(
    backend: LocalBackend, world: World
) -> None:
    """The hub has not written the session down yet, so nobody would ever find it."""
    started = asyncio.ensure_future(backend.start(world.plan("pi", "ours")))
    await until(backend.state)
    supervisor = backend.state()["pid"]
    started.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await started
    await until(lambda: Process.of(supervisor) is None)


async def test_a_chatty_program_cannot_fill_the_disk_with_its_log(
    backend: LocalBackend, world: World, short_path: Path
) -> None:
    url = await backend.start(world.plan("pi", "ours"))
    flood = "head -c 8000000 /dev/zero | tr '\\0' x > /proc/1/fd/1 2>/dev/null || "
    flood += "head -c 8000000 /dev/zero | tr '\\0' x > /proc/$PPID/fd/2"
    await fetch(url, method="POST", data=flood.encode())
    sizes = [file.stat().st_size for file in (short_path / "logs" / "pi").iterdir()]
    assert sizes
    assert sum(sizes) < 3 * 2**20
