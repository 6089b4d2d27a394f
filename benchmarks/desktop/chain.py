"""A session with the painter behind a hub and its proxy, and the direct way to its X server.

`running` gives it to everything that measures; both ways lead to the same X server, so that what
they differ in is the chain's.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.desktop.processes import find, follow
from benchmarks.desktop.viewer import Viewer
from benchmarks.desktop.wire import Plain, Web, Wire
from tests.conftest import REPOSITORY
from tests.desktop.plain_hub import PlainHub, api, cookies_for, plain_hub, signed_in

PYTHON = REPOSITORY / ".session-env" / "bin" / "python"
PAINTER = Path(__file__).with_name("painter.py")


@dataclass(frozen=True, slots=True)
class Chain:
    """One session behind the hub."""

    hub: PlainHub
    cookies: str
    pids: dict[str, int]

    def at(self, port: int | None = None) -> str:
        """Return where a browser finds the session, by another port if one is given."""
        own = self.hub.url.rpartition(":")[2]
        return f"http://127.0.0.1:{port or own}/user/pi/desk/"

    @property
    def rfb_path(self) -> str:
        """The X server's own socket."""
        (path,) = self.hub.folder.glob("daas-*/rfb")
        return str(path)

    def direct(self) -> Wire:
        """Connect to the X server."""
        return Plain.unix(self.rfb_path)

    def through(self, port: int | None = None) -> Wire:
        """Connect through proxy and server, by another port if one is given."""
        return Web(f"{self.at(port)}rfb", {"Cookie": self.cookies})


@contextlib.contextmanager
def running(frame_clock: int | None = None, frames_per_s: float = 0) -> Iterator[Chain]:
    """Run the chain; `frame_clock` is the X server's, its own default without."""
    command = (str(PYTHON), str(PAINTER), str(frames_per_s))
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(plain_hub(PYTHON, {"DAAS_BENCH": "1"}, command))
        if frame_clock is not None:
            _own_clock(hub.folder, frame_clock)
        _until(hub.answers)
        for path in ("users/pi", "users/pi/servers/desk"):
            answer = api(hub, "POST", path)
            if answer.status_code != 201:
                raise RuntimeError(hub.log.read_text())
        browser = stack.enter_context(signed_in(hub, "pi"))
        page = f"{hub.url}/user/pi/desk/"
        browser.get(page, timeout=30)
        home = str(hub.folder)
        pids = {
            "our server": find(r"\S+ -m daas_desktop serve", home),
            "hub's proxy": find(r"\S*node\S* .*configurable-http-proxy", home),
            "X server": find(r"\S*Xtigervnc ", home),
            "windows": find(r"matchbox-window-manager", home),
            "painter": find(r"\S+ \S+painter.py", home),
        }
        follow(pids.values())
        chain = Chain(hub, cookies_for(browser, f"{page}rfb"), pids)
        wait_for_painter(chain.direct())
        yield chain


def _own_clock(folder: Path, frames_per_s: int) -> None:
    """Put an X server in front of the other that is told its frame clock last, and for good."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "Xtigervnc"
    script.write_text(
        f'#!/bin/sh\nexec /usr/bin/Xtigervnc "$@" -FrameRate {frames_per_s} -AllowOverride x\n'
    )
    script.chmod(0o755)


def wait_for_painter(wire: Wire) -> None:
    """Return once a key changes the painter's square."""
    viewer = Viewer(wire)
    try:
        began = time.monotonic()
        while time.monotonic() < began + 30:
            viewer.key(ord("k"))
            update = viewer.next(0.2)
            if update and any(fill[2:4] == (64, 64) for fill in update.fills):
                return
        raise TimeoutError("the painter does not paint")
    finally:
        viewer.wire.close()


def _until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
