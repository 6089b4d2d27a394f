"""A real X server and a real program, from start to end."""

import contextlib
import http.client
import os
import signal
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.conftest import memory, session_environment

KEY = struct.pack(">BBHI", 4, 1, 0, 0x61)
PICTURE_BYTES = 1920 * 1080 * 4
GROWTH_ALLOWED_KIB = 20 * 1024
SESSION_ALLOWED_KIB = 150 * 1024


def xsrf(desktop: Any) -> dict[str, str]:
    page = desktop.ask("/")[2].decode()
    return {"X-XSRFToken": page.partition('name="xsrf" content="')[2].partition('"')[0]}


def test_a_program_runs_once_its_main_window_is_there_and_opens_again(
    start: Callable[..., Any], window: tuple[str, ...]
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    first = desktop.program_pid()
    (desktop.directory / "end").write_text("0")
    assert desktop.reaches("ended") == {"phase": "ended", "status": 0}
    assert desktop.ask("/again", "POST", xsrf(desktop))[0] == 200
    desktop.reaches("running")
    assert desktop.program_pid() != first


def test_a_splash_screen_is_not_the_main_window(
    start: Callable[..., Any], splash: tuple[str, ...], wait_until: Callable[..., Any]
) -> None:
    desktop = start(*splash)
    desktop.reaches("starting")
    wait_until(lambda: b"window shown" in desktop.ask("/log")[2], "the splash screen", 15)
    # Long enough for the window to have been looked at more than once.
    time.sleep(2.5)
    assert desktop.state()["phase"] == "starting"


def test_a_failed_program_leaves_its_status_and_last_lines(start: Callable[..., Any]) -> None:
    desktop = start("sh", "-c", "echo no licence found; exit 3")
    assert desktop.reaches("ended")["status"] == 3
    assert desktop.ask("/log")[2] == b"no licence found\n"
    log = desktop.directory / ".cache" / "daas" / "test-program.log"
    assert log.read_text() == "no licence found\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_missing_program_is_said_to_be_missing(start: Callable[..., Any]) -> None:
    assert start("no-such-program").reaches("missing")["status"] is None


def test_a_program_that_says_too_much_is_kept_short(
    start: Callable[..., Any],
) -> None:
    desktop = start("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last")
    desktop.reaches("ended")
    said = desktop.ask("/log")[2]
    assert len(said) <= 64 * 1024
    assert said.endswith(b"\nlast\n")


def test_opening_again_needs_the_pages_token(
    start: Callable[..., Any],
) -> None:
    desktop = start("true")
    desktop.reaches("ended")
    assert desktop.ask("/again", "POST")[0] == 403
    assert desktop.ask("/again", "POST", {"X-XSRFToken": "guess"})[0] == 403
    assert desktop.ask("/again")[0] == 405


def test_the_program_gets_no_key_to_the_hub(start: Callable[..., Any]) -> None:
    desktop = start("env", JUPYTERHUB_API_TOKEN="secret", JPY_API_TOKEN="secret")
    desktop.reaches("ended")
    assert b"secret" not in desktop.ask("/log")[2]


def test_the_screen_is_private(
    start: Callable[..., Any], window: tuple[str, ...], directory: Path
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    (private,) = directory.glob("daas-*")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((private / "rfb").stat().st_mode) == 0o600
    assert stat.S_IMODE((private / "Xauthority").stat().st_mode) == 0o600
    environment = Path(f"/proc/{desktop.program_pid()}/environ").read_bytes().decode().split("\0")
    display = next(e for e in environment if e.startswith("DISPLAY="))
    without_cookie = {"PATH": os.environ["PATH"], "XAUTHORITY": "/dev/null"}
    name, _, number = display.partition("=")
    status = os.spawnvpe(
        os.P_WAIT, "xwininfo", ["xwininfo", "-root"], {**without_cookie, name: number}
    )
    assert status != 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_desktop_ends(
    start: Callable[..., Any],
    window: tuple[str, ...],
    running: Callable[[int], bool],
    family: Callable[[int], list[int]],
    wait_until: Callable[..., Any],
    how: signal.Signals,
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    started = family(desktop.process.pid)
    assert len(started) >= 3
    desktop.process.send_signal(how)
    assert desktop.process.wait(5) == (-how if how is signal.SIGKILL else 0)
    wait_until(lambda: not any(map(running, started)), "all processes have ended", 5)


def test_a_program_that_does_not_want_to_end_is_made_to(
    start: Callable[..., Any], running: Callable[[int], bool]
) -> None:
    desktop = start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    desktop.reaches("starting")
    pid = desktop.program_pid()
    desktop.process.terminate()
    assert desktop.process.wait(8) == 0
    assert not running(pid)


def test_the_session_ends_with_its_x_server(
    start: Callable[..., Any], window: tuple[str, ...], family: Callable[[int], list[int]]
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    (x,) = [p for p in family(desktop.process.pid) if b"Xtigervnc" in _command(p)]
    os.kill(x, signal.SIGKILL)
    assert desktop.process.wait(8) == 1


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_events_tell_each_change(start: Callable[..., Any], window: tuple[str, ...]) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    connection = http.client.HTTPConnection("session")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(str(desktop.path))
    connection.request("GET", "/state", headers={"Accept": "text/event-stream"})
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.readline() == b'data: {"phase": "running", "status": null}\n'
    (desktop.directory / "end").write_text("4")
    assert b'data: {"phase": "ended", "status": 4}\n' in iter(answer.readline, b"")
    connection.close()


def test_a_viewer_sees_the_screen_and_a_second_one_as_well(
    start: Callable[..., Any], window: tuple[str, ...], view: Callable[..., Any]
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    for viewer in (view(desktop), view(desktop)):
        assert viewer.handshake() == (1920, 1080)
        viewer.ask_for_pictures()
        assert viewer.read(1) == b"\0"


def test_a_viewer_that_speaks_nonsense_is_cut_off(
    start: Callable[..., Any], window: tuple[str, ...], view: Callable[..., Any]
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    viewer = view(desktop)
    viewer.handshake()
    viewer.send(b"\x63nonsense")
    with pytest.raises(EOFError):
        viewer.read(1)


def test_a_viewer_that_stops_reading_costs_no_memory(
    start: Callable[..., Any],
    flood: tuple[str, ...],
    view: Callable[..., Any],
    family: Callable[[int], list[int]],
) -> None:
    desktop = start(*flood)
    desktop.reaches("running")
    viewer = view(desktop)
    viewer.handshake()
    for _ in range(2):
        viewer.ask_for_pictures()
        viewer.read(PICTURE_BYTES)
    (x,) = [p for p in family(desktop.process.pid) if b"Xtigervnc" in _command(p)]
    before = {pid: memory(pid, "Rss") for pid in (desktop.process.pid, x)}
    most = 0
    for _ in range(30):
        # Asks for more and more, and takes none of it.
        viewer.ask_for_pictures()
        time.sleep(0.1)
        most = max(most, *(memory(pid, "Rss") - rss for pid, rss in before.items()))
    assert most < GROWTH_ALLOWED_KIB
    # The pictures were held back, not lost.
    viewer.read(PICTURE_BYTES)


def test_a_desktop_without_its_program_stays_small(
    start: Callable[..., Any], view: Callable[..., Any], family: Callable[[int], list[int]]
) -> None:
    desktop = start("sleep", "100")
    desktop.reaches("starting")
    viewer = view(desktop)
    viewer.handshake()
    viewer.ask_for_pictures()
    viewer.read(PICTURE_BYTES)
    processes = {desktop.process.pid, *family(desktop.process.pid)} - {desktop.program_pid()}
    assert sum(memory(pid, "Pss") for pid in processes) < SESSION_ALLOWED_KIB


def test_pages_allow_nothing_from_elsewhere(start: Callable[..., Any]) -> None:
    desktop = start("sleep", "100", DAAS_HUB_VERSION="6.1.1", DAAS_DEMO_NOTICE="<b>demo</b>")
    desktop.reaches("starting")
    for path in ("/", "/static/desktop.js", "/state", "/no/such/page"):
        _, headers, _ = desktop.ask(path)
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-JupyterHub-Version"] == "6.1.1"
        assert headers["Server"] is None
    page = desktop.ask("/")[2].decode()
    assert "&lt;b&gt;demo" in page
    assert 'href="/services/portal/"' in page
    assert desktop.ask("/static/..%2f..%2f__init__.py")[0] == 404


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "8000", "localhost"])
def test_a_tile_refuses_tcp(session_python: Path, directory: Path, address: str) -> None:
    """It has no sign-in of its own; what reaches it has passed JupyterLab's (S1)."""
    done = subprocess.run(
        [
            session_python,
            "-m",
            "daas_desktop",
            "tile",
            "--socket",
            address,
            "--title",
            "T",
            "--",
            "x",
        ],
        env=session_environment(directory),
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    assert "unix socket only" in done.stderr


def test_nothing_of_a_tile_listens_on_tcp(
    start: Callable[..., Any], window: tuple[str, ...], family: Callable[[int], list[int]]
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    ours = [desktop.process.pid, *family(desktop.process.pid)]
    held = {link for pid in ours for link in sockets(pid)}
    assert held
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # TCP_LISTEN
                listening.add(f"socket:[{fields[9]}]")
    assert held & listening == set()


def sockets(pid: int) -> set[str]:
    """Give the sockets that a process holds, as `/proc` names them."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(descriptor))
    return {link for link in found if link.startswith("socket:")}
