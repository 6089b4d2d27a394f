"""Real desktops for the tests: an X server, a small Qt program, viewers that speak raw RFB."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.desktop.chromium import running_chromium
from tests.desktop.line import Line
from tests.desktop.plain_hub import PROXY, PlainHub, api, plain_hub

ROOT = Path(__file__).parents[2]
EXTENDED_SIZE = -308
SESSION_PYTHON = ROOT / ".session-env" / "bin" / "python"

# Ends with the status that the file `end` names, copies what the file `copy` holds; shows a window
# of the size it is given.
WINDOW = """
    import os, sys
    from PyQt5 import QtCore, QtWidgets
    app = QtWidgets.QApplication([])
    window = QtWidgets.QWidget(None, QtCore.Qt.SplashScreen if sys.argv[1] == "splash"
                               else QtCore.Qt.Window)
    window.resize(400, 300)
    def pressed(event):
        print("key", event.text(), flush=True)
        if event.text() == "\\x16":
            copied()
    window.keyPressEvent = pressed
    window.mousePressEvent = lambda event: print("pointer", event.x(), event.y(), flush=True)
    window.show()
    clipboard = app.clipboard()
    def copied():
        text = clipboard.text()
        print("clipboard", text[:80], len(text), sum(map(ord, text[::997])), flush=True)
    clipboard.dataChanged.connect(copied)
    print("window shown", flush=True)
    def look():
        if os.path.exists("copy"):
            clipboard.setText(open("copy").read())
            os.unlink("copy")
        if os.path.exists("end"):
            status = int(open("end").read() or 0)
            os.unlink("end")
            os._exit(status)
    timer = QtCore.QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    app.exec_()
"""

# Paints noise as fast as it can: the worst case for whoever stands behind a slow line.
FLOOD = """
    import os
    from PyQt5 import QtCore, QtGui, QtWidgets
    class Flood(QtWidgets.QWidget):
        count = 0
        noise = [QtGui.QImage(os.urandom(4 * 1920 * 1080), 1920, 1080, QtGui.QImage.Format_RGB32)
                 for _ in range(3)]
        def paintEvent(self, event):
            self.count += 1
            QtGui.QPainter(self).drawImage(0, 0, self.noise[self.count % 3])
            QtCore.QTimer.singleShot(0, self.update)
    app = QtWidgets.QApplication([])
    flood = Flood()
    flood.show()
    app.exec_()
"""


def until(true: Callable[[], Any], what: str, seconds: float = 15) -> Any:
    """Wait for a condition; fail with its name."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := true():
            return value
        time.sleep(0.01)
    pytest.fail(f"never happened: {what}")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def memory(pid: int, what: str = "Rss") -> int:
    """A process's memory in KiB, as the kernel adds it up: `Rss`, or its share of it, `Pss`."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise AssertionError(what)


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, look_at = [], [root]
    while look_at:
        below = children.get(look_at.pop(), [])
        found += below
        look_at += below
    return found


class Viewer:
    """A web socket that speaks RFB, and can stop reading."""

    def __init__(
        self,
        place: Path | tuple[str, int],
        headers: dict[str, str] | None = None,
        address: str = "/rfb",
    ) -> None:
        unix = isinstance(place, Path)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self.socket.settimeout(10)
        try:
            self.socket.connect(str(place) if unix else place)
        except OSError:
            self.socket.close()
            raise
        lines = {
            "Host": "session",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **(headers or {}),
        }
        head = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
        self.socket.sendall(f"GET {address} HTTP/1.1\r\n{head}\r\n".encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self._pending = b""

    def send(self, data: bytes) -> None:
        assert len(data) < 65536
        size = (
            bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        )
        # Masked with zeros: allowed, and readable in a trace.
        self.socket.sendall(b"\x82" + size + b"\0\0\0\0" + data)

    def read(self, size: int) -> bytes:
        while len(self._pending) < size:
            self._pending += self._frame()
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def _frame(self) -> bytes:
        head = self._file.read(2)
        if len(head) < 2 or head[0] & 0xF == 8:
            raise EOFError
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._file.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._file.read(8))
        data = self._file.read(size)
        if head[0] & 0xF == 9:
            # As browsers do by themselves: the server measures the way by it.
            self.socket.sendall(bytes([0x8A, 0x80 | size]) + b"\0\0\0\0" + data)
        return data if head[0] & 0xF == 2 else b""

    def handshake(self) -> tuple[int, int]:
        """Get as far as the picture; give its size."""
        assert self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        assert self.read(self.read(1)[0]) == b"\1"
        self.send(b"\1")
        assert self.read(4) == b"\0\0\0\0"
        self.send(b"\1")
        width, height = struct.unpack(">HH", self.read(4))
        self.read(16)
        self.read(struct.unpack(">I", self.read(4))[0])
        return width, height

    def ask_for_pictures(self, encodings: tuple[int, ...] = (0,)) -> None:
        self.send(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, 1920, 1080))

    def look(self) -> Self:
        """Get as far as the picture, and ask for it as a page does, with its size."""
        self.handshake()
        self.ask_for_pictures((0, EXTENDED_SIZE))
        return self

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class Desktop:
    """One running `daas_desktop`, spoken to over its unix socket."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.directory = directory
        self.path = directory / "s"
        self.process = process
        self.log = log

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("session", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(str(self.path))
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self.ask("/state")[2])
        except (ConnectionError, FileNotFoundError):
            assert self.process.poll() is None, self.log.read_text()
            return {"phase": "not yet"}
        return state

    def reaches(self, phase: str) -> dict[str, Any]:
        reached: dict[str, Any] = until(
            lambda: (state := self.state())["phase"] == phase and state, f"the program is {phase}"
        )
        return reached

    def program_environment(self) -> dict[str, str]:
        """What the program finds in its environment; with it others reach its screen."""
        told = Path(f"/proc/{self.program_pid()}/environ").read_text().split("\0")
        return dict(line.split("=", 1) for line in told if "=" in line)

    def program_pid(self) -> int:
        """The process started in a session of its own is the program."""
        own = [p for p in descendants(self.process.pid) if os.getsid(p) == p]
        assert len(own) == 1
        return own[0]


def session_environment(directory: Path) -> dict[str, str]:
    return {
        "PATH": f"{SESSION_PYTHON.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(directory),
        "XDG_RUNTIME_DIR": str(directory),
        "DAAS_PORTAL_URL": "/services/portal/",
    }


@pytest.fixture(scope="session")
def session_python() -> Path:
    if not SESSION_PYTHON.exists():
        pytest.skip("the session environment is missing: run `make`")
    for program in ("Xtigervnc", "matchbox-window-manager", "xprop", "xwininfo"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing")
    return SESSION_PYTHON


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path: a unix socket's has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="dt-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(session_python: Path, directory: Path) -> Iterator[Callable[..., Desktop]]:
    """Start a desktop as a tile, which asks for no login, with a given program."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(
        *command: str,
        title: str = "Test program",
        within: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        **extra: str,
    ) -> Desktop:
        log = directory / "desktop.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(*within, session_python, "-m", "daas_desktop", "tile"),
                    *("--socket", directory / "s", "--title", title, *options, "--", *command),
                ],
                env={**session_environment(directory), **extra},
                cwd=directory,
                stdout=output,
                stderr=output,
            )
        started.append(process)
        return Desktop(directory, process, log)

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@pytest.fixture
def program(session_python: Path, directory: Path) -> Callable[..., tuple[str, ...]]:
    """Give the command of one of the small programs."""

    def command(text: str, *arguments: str) -> tuple[str, ...]:
        path = directory / "program.py"
        path.write_text(textwrap.dedent(text))
        return (str(session_python), str(path), *arguments)

    return command


@pytest.fixture
def window(program: Callable[..., tuple[str, ...]]) -> tuple[str, ...]:
    """A program with an ordinary main window."""
    return program(WINDOW, "main")


@pytest.fixture
def shown(start: Callable[..., Desktop], window: tuple[str, ...]) -> Desktop:
    """A desktop whose program has its window."""
    desktop = start(*window)
    desktop.reaches("running")
    return desktop


@pytest.fixture
def splash(program: Callable[..., tuple[str, ...]]) -> tuple[str, ...]:
    """A program that never gets further than its splash screen."""
    return program(WINDOW, "splash")


@pytest.fixture
def flood(program: Callable[..., tuple[str, ...]]) -> tuple[str, ...]:
    """A program that repaints the whole screen without end."""
    return program(FLOOD)


@pytest.fixture
def view() -> Iterator[Callable[..., Viewer]]:
    """Connect a viewer to a desktop."""
    viewers: list[Viewer] = []

    def connect(desktop: Desktop, tab: str = "", **headers: str) -> Viewer:
        viewers.append(Viewer(desktop.path, headers, f"/rfb?tab={tab}"))
        return viewers[-1]

    yield connect
    for viewer in viewers:
        viewer.close()


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture
def running() -> Callable[[int], bool]:
    return alive


@pytest.fixture
def family() -> Callable[[int], list[int]]:
    return descendants


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def hub(request: pytest.FixtureRequest, session_python: Path) -> Iterator[PlainHub]:
    """A hub; a module's SESSION is what its sessions find, COMMAND what its desktops run."""
    if not PROXY.exists():
        pytest.skip("configurable-http-proxy is missing: run `make`")
    extra = getattr(request.module, "SESSION", {})
    command = getattr(request.module, "COMMAND", ("sleep", "100"))
    with plain_hub(session_python, extra, command) as running:
        until(running.answers, "the hub answers", 30)
        for person in ("pi", "other"):
            assert api(running, "POST", f"users/{person}").status_code == 201
        yield running


@pytest.fixture(scope="module")
def desktop(hub: PlainHub) -> str:
    """The address of pi's desktop."""
    assert api(hub, "POST", "users/pi/servers/desk").status_code == 201, hub.log.read_text()
    return f"{hub.url}/user/pi/desk/"


@pytest.fixture
def line(desktop: Any) -> Iterator[Line]:
    """A port that leads to a desktop which a module starts for each of its tests."""
    carried = Line(desktop.path)
    yield carried
    carried.close()


@pytest.fixture
def page(chromium: Any, line: Line) -> Iterator[Any]:
    """The page of that desktop, its program running."""
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        opened = context.new_page()
        opened.complaints = []
        opened.on("console", lambda m: m.type == "error" and opened.complaints.append(m.text))
        opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.goto(line.url)
        opened.wait_for_selector("body[data-phase=running] #screen canvas")
        yield opened


@pytest.fixture
def holds(page: Any, wait_until: Callable[..., Any]) -> Callable[[str], None]:
    """Wait for a JavaScript condition; Playwright's own way needs eval, which the page forbids."""
    return lambda condition: wait_until(lambda: page.evaluate(condition), condition)
