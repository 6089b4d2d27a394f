"""What a viewer may send by mistake or malice, and how often it may come and go (S10)."""

import os
import random
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.conftest import memory

SEED = 7
MESSAGES, BATCH = 100_000, 1000
RECONNECTS = 100
KINDS = (0, 2, 3, 4, 5, 6, 150, 248, 250, 251, 255)


def fuzzed(chance: random.Random) -> bytes:
    """Give one message: a kind that exists and nonsense behind it, or nonsense altogether."""
    rest = chance.randbytes(chance.choice((0, 1, 3, 7, 19, 40, 400)))
    if chance.random() < 0.02:
        return rest
    kind = chance.choice(KINDS)
    if chance.random() < 0.1:
        # Lengths as large as they can be said.
        rest = {2: b"\0\xff\xff", 6: b"\0\0\0\x7f\xff\xff\xff", 251: b"\0\xff\xff\xff\xff\xff"}.get(
            kind, b"\xff" * 12
        ) + rest
    return bytes([kind]) + rest


@pytest.mark.timeout(120)
def test_nonsense_ends_one_viewer_and_nothing_else(
    shown: Any,
    view: Callable[..., Any],
    running: Callable[[int], bool],
    family: Callable[[int], list[int]],
) -> None:
    """100,000 malformed and oversized messages; the X server gets what has a valid shape."""
    before = family(shown.process.pid)
    chance = random.Random(SEED)
    sent = 0
    while sent < MESSAGES:
        viewer = view(shown)
        viewer.handshake()
        try:
            for _ in range(BATCH):
                sent += 1
                viewer.send(fuzzed(chance))
        except (BrokenPipeError, ConnectionResetError):
            pass
        viewer.close()
    assert [pid for pid in before if not running(pid)] == []
    assert shown.state()["phase"] == "running"
    viewer = view(shown)
    viewer.handshake()
    viewer.ask_for_pictures()
    assert viewer.read(1) == b"\0"


def test_a_message_of_a_gigabyte_is_not_kept(shown: Any, view: Callable[..., Any]) -> None:
    """Clipboard text is passed on as it comes; the X server throws away what is too long."""
    viewer = view(shown)
    viewer.handshake()
    viewer.send(struct.pack(">B3xi", 6, 1 << 30))
    before = memory(shown.process.pid)
    for _ in range(1000):
        viewer.send(bytes(60_000))
    assert memory(shown.process.pid) - before < 20 * 1024


def test_a_web_socket_message_is_no_longer_than_a_viewers(
    shown: Any, view: Callable[..., Any]
) -> None:
    viewer = view(shown)
    viewer.handshake()
    # Announced only: nobody waits for the rest.
    viewer.socket.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4))
    with pytest.raises(EOFError):
        viewer.read(1)


def test_a_viewer_may_come_and_go_a_hundred_times(
    shown: Any,
    view: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """Neither descriptors nor memory are left of it; half of them go away in the middle."""
    files = Path(f"/proc/{shown.process.pid}/fd")
    before, held = len(list(files.iterdir())), 0
    for number in range(RECONNECTS):
        viewer = view(shown)
        viewer.handshake()
        viewer.ask_for_pictures()
        if number % 2:
            viewer.read(1)
        viewer.close()
        held = held or (memory(shown.process.pid) if number == RECONNECTS // 5 else 0)
    wait_until(lambda: len(list(files.iterdir())) <= before, "all descriptors are closed", 10)
    assert memory(shown.process.pid) - held < 5 * 1024
    assert shown.state()["phase"] == "running"


def test_a_stalled_viewer_does_not_delay_another(
    start: Callable[..., Any], flood: tuple[str, ...], view: Callable[..., Any]
) -> None:
    desktop = start(*flood)
    desktop.reaches("running")
    stalled = view(desktop)
    stalled.handshake()
    for _ in range(20):
        stalled.ask_for_pictures()
    other = view(desktop)
    other.socket.settimeout(3)
    other.handshake()
    for _ in range(5):
        other.ask_for_pictures()
        other.read(1920 * 1080 * 4)


def test_viewers_lose_their_picture_with_the_x_server_and_are_told(
    shown: Any,
    view: Callable[..., Any],
    family: Callable[[int], list[int]],
) -> None:
    viewers = [view(shown), view(shown)]
    for viewer in viewers:
        viewer.handshake()
    (x,) = [
        pid
        for pid in family(shown.process.pid)
        if b"Xtigervnc" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(x, signal.SIGKILL)
    for viewer in viewers:
        with pytest.raises(EOFError):
            viewer.read(1)
    assert shown.process.wait(8) == 1
