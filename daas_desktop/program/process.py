"""The application: starts it, keeps the end of what it says, knows how it ended.

Called by `__main__` (first start, before tornado is there) and by the server, which reads its
output, tells it of ended children and starts it again when the person asks.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from daas_desktop.picture.display import dies_with_us
from daas_desktop.program.opening import NO_FILES, Opens

if TYPE_CHECKING:
    # Imported later, by tornado, while the program starts already.
    from asyncio import AbstractEventLoop

KEEP_OUTPUT_BYTES = 64 * 1024
END_WITHIN_S = 3.0
Phase = Literal["starting", "running", "ended", "missing"]


@dataclass(frozen=True, slots=True)
class State:
    """Where the program is; `status` is its exit status once it has ended."""

    phase: Phase
    status: int | None = None


class Program:
    """One application that can be started again; `changed` is called after each change."""

    def __init__(
        self,
        title: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        opens: Opens = NO_FILES,
    ) -> None:
        self.title = title
        self.opens = opens
        self.environment = environment
        self.state = State("ended")
        self.changed: Callable[[], None] = lambda: None
        self._output_fd: int | None = None
        self._loop: AbstractEventLoop | None = None
        self._command = list(command)
        self._output = bytearray()
        self._process: subprocess.Popen[bytes] | None = None
        self._others: list[subprocess.Popen[bytes]] = []

    def start(self, more: Sequence[str] = ()) -> None:
        """Start the program, unless it runs; a missing program is a state, not an error.

        *more* follows its command this time.
        """
        if self.state.phase in ("starting", "running"):
            return
        self._kill_group(signal.SIGKILL)
        self._close_output()
        self._output.clear()
        if shutil.which(self._command[0], path=self.environment.get("PATH")) is None:
            self._become(State("missing"))
            return
        self._output_fd, theirs = os.pipe()
        os.set_blocking(self._output_fd, False)
        self._listen()
        try:
            self._process = self._run(more, theirs)
        finally:
            os.close(theirs)
        self._become(State("starting"))

    def open(self, path: str) -> None:
        """Start it with the file at *path*, once more if it runs.

        A program that wants to run once hands over to itself, as when a file manager opens it.
        """
        more = self.opens.arguments_for(path)
        if self.state.phase in ("starting", "running"):
            self._others.append(self._run(more, subprocess.DEVNULL))
        else:
            self.start(more)

    def _run(self, more: Sequence[str], output: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            dies_with_us([*self._command, *more]),
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def attach(self, loop: "AbstractEventLoop") -> None:
        """Let `loop` take what the program writes, from now on."""
        self._loop = loop
        self._listen()

    def window_seen(self) -> None:
        """Note that the main window is there."""
        if self.state.phase == "starting":
            self._become(State("running"))

    def reap(self) -> None:
        """Notice that the program has ended; called whenever a child of ours did."""
        if self._process is None or self.state.phase not in ("starting", "running"):
            return
        self._others = [other for other in self._others if other.poll() is None]
        status = self._process.poll()
        if status is not None and self._others:
            # It goes on in a window that was opened for a file.
            self._process = self._others.pop(0)
        elif status is not None:
            self._read_output()
            self._save_output()
            self._become(State("ended", status))

    def _listen(self) -> None:
        if self._loop is not None and self._output_fd is not None:
            self._loop.add_reader(self._output_fd, self._read_output)

    def _read_output(self) -> None:
        """Take what there is, keeping the last part; a program may write without end."""
        if self._output_fd is None:
            return
        try:
            data = os.read(self._output_fd, KEEP_OUTPUT_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close_output()
        self._output += data
        del self._output[:-KEEP_OUTPUT_BYTES]

    def _close_output(self) -> None:
        if self._output_fd is None:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._output_fd)
        os.close(self._output_fd)
        self._output_fd = None

    def output(self) -> str:
        """Give the last lines that the program wrote."""
        return self._output.decode(errors="replace")

    @property
    def log_path(self) -> Path:
        """The file that keeps the last lines after the program has ended."""
        name = "".join(c if c.isalnum() else "-" for c in self.title.lower()) or "program"
        return Path(self.environment.get("HOME", "/"), ".cache", "daas", f"{name}.log")

    def _save_output(self) -> None:
        try:
            self.log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.log_path.touch(mode=0o600)
            self.log_path.write_bytes(self._output)
        except OSError:
            # A full or read-only home must not take the desktop along; the page has the lines.
            return

    def close(self) -> None:
        """End the program and all of its process group, within a few seconds."""
        started = [*([self._process] if self._process is not None else []), *self._others]
        self._kill_group(signal.SIGTERM)
        deadline = time.monotonic() + END_WITHIN_S
        while time.monotonic() < deadline and any(one.poll() is None for one in started):
            time.sleep(0.02)
        self._kill_group(signal.SIGKILL)
        for one in started:
            one.wait()
        self._close_output()

    def _kill_group(self, how: signal.Signals) -> None:
        for process in (self._process, *self._others):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, how)

    def _become(self, state: State) -> None:
        self.state = state
        self.changed()
