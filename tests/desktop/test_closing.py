"""A session that ends at the person's wish: its program is asked first, and may ask back."""

import http.client
import json
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from daas_desktop.program.closing import KEPT_AFTER_S
from daas_desktop.program.windows import client_windows

RETURN, ESCAPE = 0xFF0D, 0xFF1B

# Closes at once where there is a file `clean`, else asks; says what it was asked by.
ASKS = """
    import os, signal, sys
    from PyQt5 import QtCore, QtWidgets
    signal.signal(signal.SIGTERM, lambda *_: (print("told to end", flush=True), os._exit(0)))
    app = QtWidgets.QApplication([])
    class Window(QtWidgets.QMainWindow):
        def closeEvent(self, event):
            print("asked to close", flush=True)
            if os.path.exists("clean"):
                return
            box = QtWidgets.QMessageBox
            wish = box.question(self, "Save?", "Save the fit before closing?",
                                box.Save | box.Discard | box.Cancel, box.Save)
            if wish == box.Cancel:
                event.ignore()
            print({box.Save: "saved", box.Discard: "discarded"}.get(wish, "kept"), flush=True)
    window = Window()
    window.resize(1920, 1080)
    window.show()
    timer = QtCore.QTimer()
    timer.timeout.connect(lambda: None)  # lets Python see its signals
    timer.start(50)
    app.exec_()
"""


class Ending:
    """What the page hears of the end, and what it says."""

    def __init__(self, desktop: Any) -> None:
        self.desktop = desktop
        page = desktop.ask("/")[2].decode()
        token = page.partition('name="xsrf" content="')[2].partition('"')[0]
        self.headers = {"X-XSRFToken": token}
        self._connection = http.client.HTTPConnection("session")
        self._connection.sock = socket.socket(socket.AF_UNIX)
        self._connection.sock.settimeout(15)
        self._connection.sock.connect(str(desktop.path))
        self._connection.request("GET", "/state", headers={"Accept": "text/event-stream"})
        self._answer = self._connection.getresponse()

    def wish(self, how: str = "ask") -> int:
        status: int = self.desktop.ask(f"/end?how={how}", "POST", self.headers)[0]
        return status

    def next(self) -> str:
        while line := self._answer.readline():
            if line == b"event: closing\n":
                phase: str = json.loads(self._answer.readline().partition(b":")[2])
                return phase
        raise EOFError

    def said(self) -> str:
        log = self.desktop.directory / ".cache" / "daas" / "test-program.log"
        text: str = log.read_text()
        return text

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def listen() -> Iterator[Callable[[Any], Ending]]:
    made: list[Ending] = []

    def begin(desktop: Any) -> Ending:
        made.append(Ending(desktop))
        return made[-1]

    yield begin
    for ending in made:
        ending.close()


@pytest.fixture
def ending(
    start: Callable[..., Any], program: Callable[..., Any], listen: Callable[[Any], Ending]
) -> Ending:
    desktop = start(*program(ASKS))
    desktop.reaches("running")
    return listen(desktop)


def windows(desktop: Any) -> int:
    """How many windows the window manager knows."""
    command = ("xprop", "-root", "_NET_CLIENT_LIST")
    environment = desktop.program_environment()
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return len(client_windows(said.stdout) or ())


def press(view: Callable[..., Any], desktop: Any, key: int) -> None:
    viewer = view(desktop)
    viewer.handshake()
    for down in (1, 0):
        viewer.send(struct.pack(">BBHI", 4, down, 0, key))
    viewer.ask_for_pictures()
    viewer.read(1)


def test_a_program_with_nothing_to_save_closes_and_the_session_ends_well(ending: Ending) -> None:
    (ending.desktop.directory / "clean").touch()
    assert ending.wish() == 200
    assert ending.next() == "asked"
    assert ending.next() == "over"
    assert ending.desktop.process.wait(5) == 0
    assert ending.said() == "asked to close\n"


def test_a_question_is_said_and_its_answer_ends_the_session(
    ending: Ending, view: Callable[..., Any]
) -> None:
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "question"]
    assert ending.wish() == 200  # a second click asks no second time
    press(view, ending.desktop, RETURN)
    assert ending.next() == "over"
    assert ending.desktop.process.wait(5) == 0
    assert ending.said() == "asked to close\nsaved\n"


def test_who_cancels_the_question_goes_on_working(ending: Ending, view: Callable[..., Any]) -> None:
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "question"]
    press(view, ending.desktop, ESCAPE)
    begun = time.monotonic()
    assert ending.next() == ""
    assert time.monotonic() - begun < KEPT_AFTER_S + 3
    assert ending.desktop.state()["phase"] == "running"
    # And it can be ended later all the same.
    (ending.desktop.directory / "clean").touch()
    ending.wish()
    assert ending.desktop.process.wait(8) == 0


def test_a_question_behind_another_window_comes_to_the_front(
    start: Callable[..., Any],
    program: Callable[..., Any],
    listen: Callable[[Any], Ending],
    view: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """As of a program that was opened once more for a file."""
    second = "sys.argv[1:] or __import__('subprocess').Popen([sys.executable, sys.argv[0], '2'])"
    desktop = start(*program(ASKS.replace("    app =", f"    {second}\n    app =")))
    desktop.reaches("running")
    ending = listen(desktop)
    wait_until(lambda: windows(desktop) == 2, "both windows are there")
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "question"]
    wait_until(lambda: windows(desktop) == 4, "both ask")
    press(view, desktop, ESCAPE)
    wait_until(lambda: b"kept" in desktop.ask("/log")[2], "the one in front goes on")
    wait_until(lambda: windows(desktop) == 3, "one question is left")

    def answered() -> bool:
        press(view, desktop, RETURN)
        return b"saved" in desktop.ask("/log")[2]

    wait_until(answered, "the other is answered")


def test_keep_working_takes_the_wish_back(ending: Ending, view: Callable[..., Any]) -> None:
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "question"]
    assert ending.wish("keep") == 200
    assert ending.next() == ""
    press(view, ending.desktop, RETURN)
    # The program closes as asked, but the session stays, and offers to open it again.
    assert ending.desktop.reaches("ended")["status"] == 0
    assert ending.desktop.process.poll() is None


def test_force_does_not_wait_for_the_answer(ending: Ending) -> None:
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "question"]
    ending.wish("force")
    assert ending.next() == "over"
    assert ending.desktop.process.wait(8) == 0


@pytest.mark.parametrize("command", [("sleep", "100"), ("true",)], ids=["no window", "ended"])
def test_what_has_no_window_is_not_waited_for(
    start: Callable[..., Any], listen: Callable[[Any], Ending], command: tuple[str, ...]
) -> None:
    desktop = start(*command)
    desktop.reaches("ended" if command == ("true",) else "starting")
    listen(desktop).wish()
    assert desktop.process.wait(5) == 0


def test_a_program_that_stays_without_its_window_is_ended(
    start: Callable[..., Any], program: Callable[..., Any], listen: Callable[[Any], Ending]
) -> None:
    """As a desktop does, whose background and panel no window manager closes."""
    stays = ASKS.replace(
        "app = ", "QtWidgets.QApplication.setQuitOnLastWindowClosed(False); app = "
    )
    desktop = start(*program(stays))
    desktop.reaches("running")
    (desktop.directory / "clean").touch()
    ending = listen(desktop)
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "over"]
    assert desktop.process.wait(8) == 0


def test_a_program_that_dies_when_asked_ends_the_session_as_well(
    start: Callable[..., Any], program: Callable[..., Any], listen: Callable[[Any], Ending]
) -> None:
    desktop = start(*program(ASKS.replace('print("asked to close", flush=True)', "os._exit(3)")))
    desktop.reaches("running")
    listen(desktop).wish()
    assert desktop.process.wait(5) == 0


def test_a_signal_ends_the_session_while_the_program_still_asks(ending: Ending) -> None:
    ending.wish()
    assert [ending.next(), ending.next()] == ["asked", "question"]
    ending.desktop.process.terminate()
    assert ending.desktop.process.wait(8) == 0


def test_nobody_can_wish_anything_else(ending: Ending) -> None:
    assert ending.wish("nothing") == 404
    assert ending.desktop.ask("/end")[0] == 405
