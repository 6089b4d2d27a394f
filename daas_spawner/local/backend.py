"""The hub's end of a session on its own machine: start, watch and end its supervisor.

One file descriptor per session tells the event loop when the session ends; nothing is polled.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from jupyterhub.httpclient import fetch

from daas_model.errors import EngineProblem, StorageProblem
from daas_spawner.backend import State
from daas_spawner.local.limits import Group, hierarchies
from daas_spawner.local.processes import Process, read_process
from daas_spawner.local.sandbox import render
from daas_spawner.local.supervisor import FILES, IN_THE_WAY, NO_HOME
from daas_spawner.plan import SessionPlan

#: A session that does not answer by then is ended. Cold disks and full machines are slow.
READY_SECONDS = 60.0
#: The supervisor gives the programs 4 s to end by themselves.
END_SECONDS = 8.0


class LocalBackend:
    """One session in a sandbox of this machine."""

    def __init__(self, name: str, run_folder: Path, log_folder: Path, base_url: str) -> None:
        self._name = name
        # The run folder is part of it: two hubs of one machine share its control groups.
        key = hashlib.sha256(f"{run_folder}\0{name}".encode()).hexdigest()[:12]
        self._folder = run_folder / "sessions" / key
        self._hub = run_folder / "hub" / "hub.sock"
        self._log_file = log_folder / f"{name}.log"
        self._base_url = base_url
        self._process: Process | None = None
        self._watched = -1

    async def start(self, plan: SessionPlan) -> str:
        """Start the session; see `daas_spawner.backend.Backend`."""
        try:
            await self._prepare()
            supervisor = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-c",
                _BOOT,
                _source_folder(),
                str(self._folder),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", **_run_mark()},
            )
        except OSError as error:
            raise _engine_problem(error.strerror or str(error)) from error
        self._process = Process.of(supervisor.pid)
        try:
            await self._hand_over(plan, supervisor)
            await self._ready(supervisor)
        except BaseException:
            await self.stop()
            raise
        return self._url

    async def _hand_over(self, plan: SessionPlan, supervisor: asyncio.subprocess.Process) -> None:
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        with contextlib.suppress(ConnectionError):
            supervisor.stdin.write(self._order(plan).encode() + b"\n")
            await supervisor.stdin.drain()
        answer = (await supervisor.stdout.readline()).decode("utf-8", "replace").strip()
        if answer != "started":
            raise _engine_problem(answer.removeprefix("failed "))

    async def _ready(self, supervisor: asyncio.subprocess.Process) -> None:
        """Wait until the session's server answers, or fail as soon as the session has ended."""
        assert supervisor.stdin is not None
        answer = asyncio.ensure_future(
            fetch(f"{self._url}{self._base_url}api", raise_for_status=False, allow_redirects=False)
        )
        ended = asyncio.ensure_future(supervisor.wait())
        await asyncio.wait(
            {answer, ended}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        ready = answer.done() and not answer.exception() and answer.result().status < 500
        for task in (answer, ended):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if not ready:
            raise EngineProblem(
                "The app did not start.",
                detail=f"its last words are in {self._log_file}",
            )
        supervisor.stdin.write(b"keep\n")
        await supervisor.stdin.drain()
        supervisor.stdin.close()

    def is_running(self) -> bool:
        """Return whether the supervisor runs and has its socket: two small looks."""
        alive = self._process is not None and self._process.alive
        return alive and (self._folder / "s").exists()

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* when the supervisor ends; see `daas_spawner.backend.Backend`."""
        assert self._process is not None
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except ProcessLookupError:
            loop.call_soon(ended)
            return

        def gone() -> None:
            self._unwatch()
            ended()

        self._watched = descriptor
        loop.add_reader(descriptor, gone)

    def _unwatch(self) -> None:
        if self._watched >= 0:
            asyncio.get_running_loop().remove_reader(self._watched)
            os.close(self._watched)
            self._watched = -1

    async def stop(self) -> None:
        """End the session; see `daas_spawner.backend.Backend`."""
        self._unwatch()
        if self._process is not None:
            await end(self._process)
            await asyncio.to_thread(clear, self._folder)

    def state(self) -> State:
        """Return the supervisor's number and start time."""
        return dataclasses.asdict(self._process) if self._process else {}

    def restore(self, state: State) -> None:
        """Find the supervisor again; a state that is not ours counts as ended."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            self._process = Process(int(state["pid"]), int(state["started"]))

    @property
    def hub_folder(self) -> Path:
        """The folder that the session sees for the hub: its own socket to it, and nothing else."""
        return self._folder / "hub"

    @property
    def _url(self) -> str:
        return f"http+unix://{quote(str(self._folder / 's'), safe='')}"

    async def _prepare(self) -> None:
        """End what a hub that forgot it has left under this name, and make an empty folder."""
        left = await asyncio.to_thread(read_process, self._folder / "pid")
        if left is not None:
            await end(left)
        await asyncio.to_thread(self._make_folders)

    def _make_folders(self) -> None:
        clear(self._folder)
        self._folder.mkdir(parents=True, mode=0o700)
        self.hub_folder.mkdir()
        self.hub_folder.chmod(0o755)
        self._log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _order(self, plan: SessionPlan) -> str:
        """What the supervisor reads on its standard input: no secret on a command line."""
        as_root = os.geteuid() == 0
        if not as_root:
            plan = _as_caller(plan)
        sandbox = render(plan, self._name.rpartition("/")[2], as_root, FILES)
        return json.dumps(
            {
                "argv": sandbox.argv,
                "files": dict(sandbox.files),
                "own_folders": sandbox.own_folders,
                "environment": dict(plan.environment),
                "limits": dataclasses.asdict(plan.limits),
                "account": {"uid": plan.account.uid, "gid": plan.account.gid},
                "home": str(plan.mounts[0].source),
                "hub": str(self._hub),
                "log": str(self._log_file),
            }
        )


#: Started isolated (`-I`) so that nothing in the hub's folder or environment is imported.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    "from daas_spawner.local.supervisor import main; raise SystemExit(main())"
)


def _source_folder() -> str:
    return str(Path(__file__).resolve().parents[2])


def _run_mark() -> dict[str, str]:
    """The mark by which whoever started the hub finds all its processes again."""
    return {name: os.environ[name] for name in ("DAAS_RUN",) if name in os.environ}


def _as_caller(plan: SessionPlan) -> SessionPlan:
    """In a user namespace every session keeps the caller's UID: people differ by mounts only."""
    account = dataclasses.replace(plan.account, uid=os.getuid(), gid=os.getgid(), groups={})
    return dataclasses.replace(plan, account=account)


def _engine_problem(reason: str) -> EngineProblem | StorageProblem:
    if "No space left" in reason:
        return EngineProblem(
            "The machine's disk is full, so nothing was started.",
            detail=reason,
        )
    if NO_HOME in reason:
        return StorageProblem(
            "Your home folder is missing, is not yours, or cannot be written.", detail=reason
        )
    if IN_THE_WAY in reason:
        return StorageProblem(
            "A file in your home folder has the name of a folder that the portal needs.",
            "Rename “Proposals” or “Examples” in your home folder, then open the app again.",
        )
    return EngineProblem("This machine could not start the session.", detail=reason)


async def end(process: Process) -> None:
    """End a supervisor, and so its session; return when it is gone."""
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


def clear(folder: Path) -> None:
    """Remove what a supervisor that was killed could not: its folder and its cgroup. Blocks."""
    shutil.rmtree(folder, ignore_errors=True)
    Group(folder.name, hierarchies()).remove()
