"""The X server's frame clock follows the viewers' links (S10)."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from daas_desktop.picture.clock import CALM, QUICK, SPARING, frame_rate


@pytest.mark.parametrize(
    ("rtt_s", "bytes_per_s", "rate"),
    [
        pytest.param(None, 0, CALM, id="nobody looks"),
        pytest.param(0.002, 1e5, QUICK, id="in the house"),
        pytest.param(0.002, 2e7, CALM, id="a film in the house"),
        pytest.param(0.040, 1e5, CALM, id="from another country"),
        pytest.param(0.040, 1e6, SPARING, id="a film from another country"),
    ],
)
def test_the_clock_is_quick_where_it_is_felt(
    rtt_s: float | None, bytes_per_s: float, rate: int
) -> None:
    assert frame_rate(rtt_s, bytes_per_s) == rate


@pytest.mark.parametrize("rtt_s", [0.002, 0.040])
@pytest.mark.parametrize("bytes_of_a_frame", [1e3, 1e4, 2e4, 3e4, 1e5])
def test_a_film_does_not_make_the_clock_go_to_and_fro(
    rtt_s: float, bytes_of_a_frame: float
) -> None:
    rates = [CALM]
    for _ in range(4):
        rates.append(frame_rate(rtt_s, rates[-1] * bytes_of_a_frame, rates[-1]))
    assert len(set(rates[1:])) == 1


def read_on(viewer: Any) -> None:
    """Read as a browser does, which answers the server's questions about the way."""
    with contextlib.suppress(EOFError, ValueError, OSError):
        while True:
            viewer.read(1)


def test_the_x_server_is_told_while_it_runs(
    shown: Any,
    view: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    environment = shown.program_environment()

    def rate() -> str:
        asked = ["vncconfig", "-get", "FrameRate"]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert rate() == str(CALM)
    viewer = view(shown)
    viewer.handshake()
    reading = threading.Thread(target=read_on, args=(viewer,))
    reading.start()
    wait_until(lambda: rate() == str(QUICK), "a near viewer's clock", 15)
    viewer.socket.shutdown(socket.SHUT_RDWR)
    reading.join()
    wait_until(lambda: rate() == str(CALM), "the clock without a viewer", 10)
