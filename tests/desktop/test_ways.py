"""The same conversation over our bridge and over websockify, which `daas-desktop try` uses (S1)."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.desktop.conftest import EXTENDED_SIZE, ROOT, Viewer, session_environment
from tests.desktop.plain_hub import free_ports


@dataclass(frozen=True)
class Way:
    """A running program: `view` connects to its picture, `said` is what it has printed."""

    view: Callable[[], Viewer]
    said: Callable[[], str]


@pytest.fixture(params=["bridge", "websockify"])
def way(request: pytest.FixtureRequest, window: tuple[str, ...], directory: Path) -> Iterator[Way]:
    with contextlib.ExitStack() as stack:
        if request.param == "bridge":
            desktop = request.getfixturevalue("start")(*window)
            desktop.reaches("running")
            connect, said = (desktop.path,), lambda: str(desktop.ask("/log")[2], "utf-8")
        else:
            port, log = stack.enter_context(tried(directory, *window))
            connect, said = (("127.0.0.1", port), None, "/websockify"), log.read_text
        yield Way(lambda: closing(stack, Viewer(*connect)), said)


def closing(stack: contextlib.ExitStack, viewer: Viewer) -> Viewer:
    stack.callback(viewer.close)
    return viewer


@contextlib.contextmanager
def tried(directory: Path, *command: str) -> Iterator[tuple[int, Path]]:
    """Run `daas-desktop try`; give its port, and the file with what the program prints."""
    (port,) = free_ports(1)
    log = directory / "try.log"
    argv = [sys.executable, "-m", "daas_desktop", "try", "--port", str(port), "--", *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env=session_environment(directory), cwd=directory, stdout=output, stderr=output
        )
    try:
        until(lambda: {"window shown", "is at http"} <= said_in(log), process, log)
        yield port, log
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def said_in(log: Path) -> set[str]:
    text = log.read_text()
    return {words for words in ("window shown", "is at http") if words in text}


def until(true: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def waits(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_the_picture_comes(way: Way) -> None:
    viewer = way.view()
    width, height = viewer.handshake()
    viewer.ask_for_pictures()
    kind, rectangles = struct.unpack(">BxH", viewer.read(4))
    assert (kind, rectangles > 0) == (0, True)
    assert len(viewer.read(12 + 4 * 100)) == 412
    assert (width, height) == (1920, 1080)


def test_keys_arrive_in_their_order(way: Way) -> None:
    viewer = way.view()
    viewer.look()
    for letter in b"daas":
        viewer.send(struct.pack(">BBHI", 4, 1, 0, letter) + struct.pack(">BBHI", 4, 0, 0, letter))
    waits(lambda: "key d\nkey a\nkey a\nkey s\n" in way.said(), "the keys arrive")


def test_messages_in_pieces_are_whole_again(way: Way) -> None:
    viewer = way.view()
    viewer.look()
    for byte in struct.pack(">BBHI", 4, 1, 0, 0x78) + struct.pack(">BBHI", 4, 0, 0, 0x78):
        viewer.send(bytes([byte]))
    waits(lambda: "key x\n" in way.said(), "the key arrives")


def test_text_arrives_in_the_clipboard(way: Way) -> None:
    viewer = way.view()
    viewer.handshake()
    viewer.ask_for_pictures()
    text = "µ-XRF"
    viewer.send(struct.pack(">B3xi", 6, len(text)) + text.encode("latin-1"))
    waits(lambda: f"clipboard {text} " in way.said(), "the text arrives")


def test_the_screen_takes_the_viewers_size(way: Way) -> None:
    screen = struct.pack(">IHHHHI", 0, 0, 0, 1000, 700, 0)

    def has_changed() -> bool:
        viewer = way.view()
        if viewer.handshake() == (1000, 700):
            return True
        # The newest viewer's size counts, so each one asks.
        viewer.ask_for_pictures((0, EXTENDED_SIZE))
        viewer.send(struct.pack(">BxHHBx", 251, 1000, 700, 1) + screen)
        return False

    waits(has_changed, "the screen changes")


def test_a_second_viewer_sees_the_same(way: Way) -> None:
    for viewer in (way.view(), way.view()):
        viewer.handshake()
        viewer.ask_for_pictures()
        assert viewer.read(1) == b"\0"


def test_trying_serves_a_page_of_its_own_on_loopback_only(
    window: tuple[str, ...], directory: Path
) -> None:
    with tried(directory, *window) as (port, log):
        for file, part in (("", b"try.js"), ("try.js", b"novnc.js"), ("novnc.js", b"RFB")):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{file}", timeout=10) as answer:
                assert part in answer.read()
        assert "There is no sign-in" in log.read_text()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--", "no-such-program"], "no-such-program is not installed here."),
        (["images/nothere"], "There is no images/nothere."),
        (["tests"], "tests has no app.yaml."),
        (["--image", "no/such:image", "--", "true"], "The image shows no picture"),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_sentence(
    arguments: list[str], sentence: str, directory: Path, session_python: Path
) -> None:
    del session_python
    (port,) = free_ports(1)
    done = subprocess.run(
        [sys.executable, "-m", "daas_desktop", "try", "--port", str(port), *arguments],
        env={**os.environ, **session_environment(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_apps_folder_names_its_command_and_its_variables(
    directory: Path, session_python: Path
) -> None:
    del session_python
    app = directory / "app"
    app.mkdir()
    (app / "app.yaml").write_text(
        "title: T\nsummary: T\nkind: desktop\ncommand: [sh, -c, 'exit $HOW']\n"
        "desktop: {environment: {HOW: '3'}}\n"
    )
    (port,) = free_ports(1)
    done = subprocess.run(
        [sys.executable, "-m", "daas_desktop", "try", "--port", str(port), str(app)],
        env={**os.environ, **session_environment(directory), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3, done.stderr
    assert f"http://127.0.0.1:{port}/" in done.stdout
