"""The hub's end of a session on its own machine: start, watch and end its supervisor.

One file descriptor per session tells the event loop when the session ends; nothing is polled.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from jupyterhub.httpclient import fetch

from daas_model.errors import EngineProblem, StorageProblem
from daas_spawner.backend import State
from daas_spawner.local.processes import Process
from daas_spawner.local.sandbox import render
from daas_spawner.local.supervisor import FILES
from daas_spawner.plan import SessionPlan

#: A session that does not answer by then is ended. Cold disks and full machines are slow.
READY_SECONDS = 60.0
#: The supervisor gives the programs 4 s to end by themselves.
END_SECONDS = 8.0


class LocalBackend:
    """One session in a sandbox of this machine."""

    def __init__(self, name: str, run_folder: Path, log_folder: Path, base_url: str) -> None:
        self._name = name
        key = hashlib.sha256(name.encode()).hexdigest()[:12]
        self._folder = run_folder / "sessions" / key
        self._log_file = log_folder / (name.replace("/", "-") + ".log")
        self._base_url = base_url
        self._process: Process | None = None

    async def start(self, plan: SessionPlan) -> str:
        """Start the session; see `daas_spawner.backend.Backend`."""
        try:
            await asyncio.to_thread(self._prepare)
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
                "The app did not start. Your data is not affected.",
                detail=f"see {self._log_file}: {_last_lines(self._log_file)}",
            )
        supervisor.stdin.write(b"keep\n")
        await supervisor.stdin.drain()
        supervisor.stdin.close()

    def is_running(self) -> bool:
        """Return whether the supervisor runs: one small read of /proc."""
        return self._process is not None and self._process.alive

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
            loop.remove_reader(descriptor)
            os.close(descriptor)
            ended()

        loop.add_reader(descriptor, gone)

    async def stop(self) -> None:
        """End the session; see `daas_spawner.backend.Backend`."""
        if self._process is None:
            return
        self._process.signal(signal.SIGTERM)
        for _ in range(int(END_SECONDS / 0.05)):
            if not self._process.alive:
                return
            await asyncio.sleep(0.05)
        # bubblewrap dies with its supervisor, and everything inside with bubblewrap.
        self._process.signal(signal.SIGKILL)

    def state(self) -> State:
        """Return the supervisor's number and start time."""
        return dataclasses.asdict(self._process) if self._process else {}

    def restore(self, state: State) -> None:
        """Find the supervisor again; a state that is not ours counts as ended."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            self._process = Process(int(state["pid"]), int(state["started"]))

    @property
    def _url(self) -> str:
        return f"http+unix://{quote(str(self._folder / 's'), safe='')}"

    def _prepare(self) -> None:
        """End what an earlier hub left under this name, and make an empty folder."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.iterdir():
            left.unlink()

    def _order(self, plan: SessionPlan) -> str:
        """What the supervisor reads: no secret and no number of a person on a command line."""
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
            "The machine's disk is full, so nothing was started. Your data is not affected.",
            "Tell your facility's support the code.",
            detail=reason,
        )
    if "is in the way" in reason:
        return StorageProblem(
            "A file in your home folder has the name of a folder that the portal needs.",
            "Rename “Proposals” or “Examples” in your home folder, then open the app again.",
        )
    return EngineProblem(
        "This machine could not start the session. Your data is not affected.", detail=reason
    )


def _last_lines(file: Path, lines: int = 20) -> str:
    with contextlib.suppress(OSError):
        return " | ".join(file.read_text("utf-8", "replace").splitlines()[-lines:])
    return "no output"
