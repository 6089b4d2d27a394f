"""How the process beside a session is started: as a child of the hub, or by the starter.

Used by `keeper.py`. Either way there is a line to talk on, and a way to wait for its end.
"""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Protocol

from daas_spawner.session.processes import Process

#: The starter's socket, in the run folder. `starter.py` is the other side.
SOCKET = "starter.sock"
ANSWER_SECONDS = 10.0

#: Started isolated (`-I`) so that nothing in the hub's folder or environment is imported.
_BOOT = (
    "import importlib, sys; sys.path.insert(0, sys.argv.pop(1));"
    "raise SystemExit(importlib.import_module(sys.argv.pop(1)).main())"
)


class Started(Protocol):
    """A process that was started, and the line to it; asyncio's own is one."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def stdin(self) -> asyncio.StreamWriter | None:
        """What it reads."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it writes."""

    async def wait(self) -> object:
        """Return when it has ended."""


def argv(module: str, folder: Path) -> list[str]:
    """Return the command that runs *module* for the session in *folder*."""
    source = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-I", "-c", _BOOT, source, module, str(folder)]


def environment() -> dict[str, str]:
    """Return its environment, with the mark by which whoever started the hub finds it again."""
    mark = {name: os.environ[name] for name in ("DAAS_RUN",) if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", **mark}


async def start(module: str, folder: Path) -> Started:
    """Start *module* for the session in *folder*. Raises `OSError`.

    `DAAS_STARTER` names the socket of a starter; without it the process is the hub's child.
    """
    if starter := os.environ.get("DAAS_STARTER"):
        return await _by_starter(starter, module, folder)
    return await asyncio.create_subprocess_exec(
        *argv(module, folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=environment(),
    )


async def _by_starter(starter: str, module: str, folder: Path) -> "Elsewhere":
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            pid = await asyncio.to_thread(_ask, starter, module, folder, theirs.fileno())
        except BaseException:
            ours.close()
            raise
    reader, writer = await asyncio.open_connection(sock=ours)
    return Elsewhere(pid, writer, reader)


def _ask(starter: str, module: str, folder: Path, line: int) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(ANSWER_SECONDS)
        asking.connect(starter)
        question = json.dumps({"module": module, "folder": str(folder)})
        socket.send_fds(asking, [question.encode()], [line])
        answer = json.loads(asking.recv(4096) or "{}")
    if "pid" not in answer:
        raise OSError(0, f"the starter said: {answer.get('failed', 'nothing')}")
    pid = int(answer["pid"])
    if Process.of(pid) is None:
        raise OSError(0, "the starter's processes are not seen from here (pid: host)")
    return pid


class Elsewhere:
    """A process that somebody else has started: what asyncio's own has, as far as needed."""

    def __init__(self, pid: int, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout

    async def wait(self) -> None:
        """Return when it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
