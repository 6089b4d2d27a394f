"""The hub's end of the small process that one session hangs on: start, watch and end it.

One file descriptor per session tells the event loop when the session ends; nothing is polled.

Conversation: one JSON document and a newline on its standard input, so that no secret stands on
a command line; `started` or `failed WHY` on its standard output; then `keep` on its standard
input. A hub that dies before it said `keep` has not written the session down, so it ends.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyterhub.httpclient import fetch

from daas_model.errors import EngineProblem, StorageProblem
from daas_spawner.backend import State
from daas_spawner.session import starting
from daas_spawner.session.home import NO_HOME
from daas_spawner.session.last_word import last_word
from daas_spawner.session.processes import Process, read_process

#: A session that does not answer by then is ended. Cold disks and full machines are slow.
READY_SECONDS = 60.0
#: A keeper gives the programs 4 s to end by themselves.
END_SECONDS = 8.0


def key_of(run_folder: Path, name: str) -> str:
    """Return the key of session *name*; two hubs of one machine have different ones."""
    return hashlib.sha256(f"{run_folder}\0{name}".encode()).hexdigest()[:12]


class Keeper:
    """One session's process beside it, run from *module* (its function `main`)."""

    def __init__(self, module: str, folder: Path, base_url: str) -> None:
        self.folder = folder
        self._module = module
        self._base_url = base_url
        self._running: starting.Started | None = None
        self._process: Process | None = None
        self._watched = -1
        #: Why it ended, as `last_word.py` has it; empty while it runs or when nothing was left.
        self.last_word = ""

    @property
    def url(self) -> str:
        """Where the hub and its proxy reach the session."""
        return f"http+unix://{quote(str(self.folder / 's'), safe='')}"

    @property
    def hub_folder(self) -> Path:
        """The folder that the session sees for the hub: its own socket to it, and nothing else."""
        return self.folder / "hub"

    async def start(self, order: Mapping[str, Any]) -> None:
        """Start the process with its *order*. Raises `EngineProblem` or `StorageProblem`."""
        try:
            await self._prepare()
            self._running = await starting.start(self._module, self.folder)
        except OSError as error:
            raise problem(error.strerror or str(error)) from error
        self._process = Process.of(self._running.pid)
        await self._say(json.dumps(order))
        answer = await self._line()
        if answer != "started":
            raise problem(answer.removeprefix("failed "))

    async def hear(self, word: str) -> bool:
        """Wait for the process's next word; False when it is another, or it has ended."""
        return await self._line() == word

    async def _line(self) -> str:
        assert self._running is not None
        assert self._running.stdout is not None
        return (await self._running.stdout.readline()).decode("utf-8", "replace").strip()

    async def ready(self) -> bool:
        """Wait until the session's server answers; False as soon as the session has ended."""
        assert self._running is not None
        answer = asyncio.ensure_future(
            fetch(f"{self.url}{self._base_url}api", raise_for_status=False, allow_redirects=False)
        )
        ended = asyncio.ensure_future(self._running.wait())
        try:
            await asyncio.wait(
                {answer, ended}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            return answer.done() and not answer.exception() and answer.result().status < 500
        finally:
            # Also when the start is called off meanwhile: nobody else would look at them.
            for task in (answer, ended):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def keep(self) -> None:
        """Let the session outlive the hub."""
        assert self._running is not None
        assert self._running.stdin is not None
        await self._say("keep")
        self._running.stdin.close()

    async def _say(self, words: str) -> None:
        assert self._running is not None
        assert self._running.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._running.stdin.write(words.encode() + b"\n")
            await self._running.stdin.drain()

    def is_running(self) -> bool:
        """Return whether the process runs and has its socket: two small looks."""
        alive = self._process is not None and self._process.alive
        return alive and (self.folder / "s").exists()

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* when the process ends; see `daas_spawner.backend.Backend`."""
        assert self._process is not None
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except ProcessLookupError:
            loop.call_soon(ended)
            return

        def gone() -> None:
            self._unwatch()
            self._hear_last_word()
            ended()

        self._watched = descriptor
        loop.add_reader(descriptor, gone)

    def _unwatch(self) -> None:
        if self._watched >= 0:
            asyncio.get_running_loop().remove_reader(self._watched)
            os.close(self._watched)
            self._watched = -1

    async def stop(self) -> None:
        """End the process and what hangs on it. Ending one that is gone is no error."""
        self._unwatch()
        if self._process is not None:
            await end(self._process)
            await self._let_go()
            await asyncio.to_thread(self._clear)

    async def _let_go(self) -> None:
        """Let the loop see that the process has ended, so that it keeps nothing of it."""
        if self._running is not None:
            assert self._running.stdout is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._running.wait()
                    await self._running.stdout.read()
            self._running = None

    def _hear_last_word(self) -> None:
        with contextlib.suppress(OSError):
            self.last_word = last_word(self.folder).read_text("ascii")

    def _clear(self) -> None:
        self._hear_last_word()
        last_word(self.folder).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def state(self) -> State:
        """Return the process's number and start time."""
        return dataclasses.asdict(self._process) if self._process else {}

    def restore(self, state: State) -> None:
        """Find the process again; a state that is not ours counts as ended."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            self._process = Process(int(state["pid"]), int(state["started"]))

    async def _prepare(self) -> None:
        """End what a hub that forgot it has left under this name, and make an empty folder."""
        left = await asyncio.to_thread(read_process, self.folder / "pid")
        if left is not None:
            await end(left)
        await asyncio.to_thread(self._make_folders)

    def _make_folders(self) -> None:
        self._clear()
        self.last_word = ""
        self.folder.mkdir(parents=True, mode=0o700)
        self.hub_folder.mkdir()
        self.hub_folder.chmod(0o755)


def problem(reason: str) -> EngineProblem | StorageProblem:
    """Return what a person reads when a session could not be started for *reason*."""
    if "No space left" in reason:
        return EngineProblem(
            "The machine's disk is full, so nothing was started.",
            detail=reason,
        )
    if NO_HOME in reason:
        return StorageProblem(
            "Your home folder is missing, is not yours, or cannot be written.", detail=reason
        )
    return EngineProblem("This machine could not start the session.", detail=reason)


async def end(process: Process) -> None:
    """End a keeper, and so its session; return when it is gone."""
    process.signal(signal.SIGTERM)
    if not await _gone(process, END_SECONDS):
        # bubblewrap dies with its supervisor, and everything inside with bubblewrap.
        process.signal(signal.SIGKILL)
        await _gone(process, END_SECONDS)


async def _gone(process: Process, seconds: float) -> bool:
    for _ in range(int(seconds / 0.05)):
        if not process.alive:
            return True
        await asyncio.sleep(0.05)
    return False
