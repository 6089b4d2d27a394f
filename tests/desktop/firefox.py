"""A real Firefox, driven by WebDriver BiDi, which it speaks itself: no driver stands between.

Playwright wants a Firefox of its own making; this is Debian's. Source: the W3C's WebDriver BiDi.
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

READY_WITHIN_S = 60
ANSWER_WITHIN_S = 30
_ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class Firefox:
    """One tab of a running Firefox."""

    def __init__(self, runner: asyncio.Runner, socket: WebSocketClientConnection) -> None:
        self._runner, self._socket = runner, socket
        self._number = 0
        self.call("session.new", capabilities={})
        # The first one has no focus while no window is on a screen: Enter presses no button there.
        self.tab = self.call("browsingContext.create", type="tab")["context"]
        self.call("browsingContext.activate", context=self.tab)

    def call(self, method: str, **parameters: Any) -> Any:
        """Give the result of one command; events that come in between are not for us."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        return self._runner.run(asyncio.wait_for(self._answer(command), ANSWER_WITHIN_S))

    async def _answer(self, command: dict[str, Any]) -> Any:
        await self._socket.write_message(json.dumps(command))
        while (message := await self._socket.read_message()) is not None:
            answer = json.loads(message)
            if answer.get("id") == command["id"]:
                assert answer["type"] == "success", answer
                return answer["result"]
        raise AssertionError("Firefox has gone")

    def open(self, url: str) -> None:
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.call("browsingContext.setViewport", context=self.tab, viewport=size)

    def evaluate(self, expression: str) -> Any:
        """Give a JavaScript expression's value, if it is none that has parts."""
        answer = self.call(
            "script.evaluate",
            expression=expression,
            target={"context": self.tab},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"never happened: {condition}"
            time.sleep(0.05)

    def _act(self, **source: Any) -> None:
        self.call("input.performActions", context=self.tab, actions=[source])

    def press(self, *keys: str) -> None:
        """Press keys one after the other; the standard's private signs stand for special ones."""
        actions = [{"type": way, "value": key} for key in keys for way in ("keyDown", "keyUp")]
        self._act(type="key", id="keyboard", actions=actions)

    def click(self, selector: str) -> None:
        at = {"type": "pointerMove", "x": 0, "y": 0, "origin": self._element(selector)}
        click = [{"type": way, "button": 0} for way in ("pointerDown", "pointerUp")]
        self._act(type="pointer", id="mouse", actions=[at, *click])

    def choose_files(self, selector: str, *files: Path) -> None:
        element = self._element(selector)["element"]
        names = [str(file) for file in files]
        self.call("input.setFiles", context=self.tab, element=element, files=names)

    def _element(self, selector: str) -> dict[str, Any]:
        found = self.call(
            "browsingContext.locateNodes",
            context=self.tab,
            locator={"type": "css", "value": selector},
        )["nodes"]
        assert found, selector
        return {"type": "element", "element": {"sharedId": found[0]["sharedId"]}}

    def screenshot(self) -> bytes:
        """Give the tab as a PNG."""
        taken = self.call("browsingContext.captureScreenshot", context=self.tab)
        return base64.b64decode(taken["data"])


@contextmanager
def running_firefox() -> Iterator[Firefox]:
    program = shutil.which("firefox-esr")
    if program is None:
        pytest.skip("firefox-esr is missing: run `make test-packages`")
    # A profile and a home of its own: nothing of the machine's user is read or left behind.
    with tempfile.TemporaryDirectory(prefix="ff-", ignore_cleanup_errors=True) as home:
        log = Path(home, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(program, "--headless", "--no-remote", "--profile", home),
                    *("--remote-debugging-port", "0", "about:blank"),
                ],
                env={**os.environ, "HOME": home, "MOZ_HEADLESS": "1"},
                stdout=output,
                stderr=output,
            )
        try:
            with asyncio.Runner() as runner:
                socket = runner.run(_connect(_address(process, log)))
                yield Firefox(runner, socket)
                runner.run(_disconnect(socket))
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


async def _connect(address: str) -> WebSocketClientConnection:
    return await websocket_connect(f"{address}/session")


async def _disconnect(socket: WebSocketClientConnection) -> None:
    socket.close()
    while await socket.read_message() is not None:
        pass


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        if found := _ADDRESS.search(said):
            return found[1]
        assert process.poll() is None, said
        time.sleep(0.05)
    raise AssertionError(f"Firefox did not start: {log.read_text(errors='replace')}")
