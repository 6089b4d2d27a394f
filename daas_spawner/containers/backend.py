"""The back end for container engines: one session is a container and the doorkeeper beside it.

The doorkeeper tells the end of a session at once, by a descriptor. The engine is asked by its one
watch only, which also lets `leftovers.py` remove what nobody keeps any more.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from docker.errors import APIError

from daas_model.apps import App
from daas_model.errors import EngineProblem
from daas_spawner.backend import OUT_OF_MEMORY, State
from daas_spawner.containers.container import Container
from daas_spawner.containers.leftovers import SESSION, Leftovers
from daas_spawner.containers.refusals import refusal_of
from daas_spawner.containers.rendering import STOP_SECONDS, ContainerSettings, render
from daas_spawner.plan import SessionPlan
from daas_spawner.session.doorkeeper import ETC
from daas_spawner.session.etc import people_files
from daas_spawner.session.graphics import graphics_devices
from daas_spawner.session.keeper import READY_SECONDS, Keeper, key_of
from daas_spawner.session.last_lines import LAST_LINES, keep_lines
from daas_spawner.session.last_word import MEMORY

#: So long the engine is asked why a session has ended, before the hub is told that it has.
LEARN_SECONDS = 3.0
#: What a first process returns for a program that was killed.
KILLED = 128 + signal.SIGKILL

#: Returns the image to run an app from, once the engine has it. Raises `DaasError`.
Fetch = Callable[[App], Awaitable[str]]
#: Returns how far that is, in words for a page; empty when nothing is being fetched.
Progress = Callable[[App], str]


class ContainerBackend:
    """One session in *container*."""

    def __init__(
        self,
        name: str,
        run_folder: Path,
        log_folder: Path,
        base_url: str,
        *,
        container: Container,
        fetch: Fetch,
        progress: Progress = lambda _: "",
    ) -> None:
        self._key = key_of(run_folder, name)
        self._ending = ""
        self._container = container
        self._engine = container.engine
        self._fetch = fetch
        self._progress = progress
        self._fetching: App | None = None
        self._leftovers = Leftovers.of(container.engine, run_folder)
        self._hub = run_folder / "hub" / "hub.sock"
        self._log_file = log_folder / f"{name}.log"
        folder = run_folder / "sessions" / self._key
        self._doorkeeper = Keeper("daas_spawner.session.doorkeeper", folder, base_url)

    async def start(self, plan: SessionPlan) -> str:
        """Start the session; see `daas_spawner.backend.Backend`."""
        image = await self._image(plan.app)
        settings = render(
            plan,
            self._container.name,
            self._doorkeeper.folder / ETC,
            self._engine.engine.network,
            {**self._leftovers.label, SESSION: self._key},
            graphics_devices() if plan.app.gpu else (),
        )
        self._leftovers.busy.add(self._key)
        try:
            await self._doorkeeper.start(self._order(plan))
            await self._begin(image, settings)
            if not await self._doorkeeper.ready():
                raise self._failed()
            await self._doorkeeper.keep()
        except BaseException as error:
            await self._end(keep_words=True)
            if isinstance(error, APIError):
                raise refusal_of(error) from None
            raise
        finally:
            self._leftovers.busy.discard(self._key)
        return self._doorkeeper.url

    async def _image(self, app: App) -> str:
        self._fetching = app
        try:
            return await self._fetch(app)
        finally:
            self._fetching = None

    async def _begin(self, image: str, settings: ContainerSettings) -> None:
        """Start the container; return once its first process has taken the door."""
        self._container.wear(image, settings)
        await self._container.start()
        taken = asyncio.ensure_future(self._doorkeeper.hear("taken"))
        until = time.monotonic() + READY_SECONDS
        try:
            while not taken.done():
                await asyncio.wait({taken}, timeout=0.5)
                if not taken.done() and (
                    time.monotonic() > until or not await self._engine_runs_it()
                ):
                    raise self._failed()
            if not taken.result():
                raise self._failed()
        finally:
            taken.cancel()

    async def _engine_runs_it(self) -> bool:
        found = await self._engine.call("inspect_container", self._container.object_id)
        return bool(found["State"]["Running"])

    def _failed(self) -> EngineProblem:
        return EngineProblem(
            "The app did not start.", detail=f"its last words are in {self._log_file}"
        )

    async def _keep_last_words(self) -> None:
        if not self._container.object_id:
            return
        with contextlib.suppress(APIError, EngineProblem, OSError):
            words = await self._engine.call("logs", self._container.object_id, tail=LAST_LINES)
            await asyncio.to_thread(keep_lines, self._log_file, words)

    def is_running(self) -> bool:
        """Return whether the doorkeeper, and so the session, runs."""
        return self._doorkeeper.is_running()

    def progress(self) -> str:
        """Return how far the image is."""
        return self._progress(self._fetching) if self._fetching else ""

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* when the session ends; see `daas_spawner.backend.Backend`."""

        def gone() -> None:
            # Before what is left of it is removed.
            self._leftovers.busy.add(self._key)
            self._learning = asyncio.ensure_future(self._learn_why(ended))

        self._doorkeeper.watch(gone)

    async def _learn_why(self, ended: Callable[[], None]) -> None:
        """Ask the engine why the session has ended, and keep its last words."""
        try:
            with contextlib.suppress(APIError, EngineProblem, TimeoutError):
                async with asyncio.timeout(LEARN_SECONDS):
                    # With a time of its own: docker-py would keep the thread until it has ended.
                    await self._engine.call(
                        "wait", self._container.object_id, timeout=LEARN_SECONDS
                    )
                    found = await self._engine.call("inspect_container", self._container.object_id)
                    # What was killed must be the session's own program, not one that it ran.
                    # Podman 4 does not tell why; the doorkeeper has looked, which it cannot do
                    # from a container of its own.
                    if found["State"]["ExitCode"] == KILLED:
                        told = bool(found["State"].get("OOMKilled"))
                        memory = told or self._doorkeeper.last_word == MEMORY
                        self._ending = OUT_OF_MEMORY if memory else ""
                    await self._keep_last_words()
        finally:
            self._leftovers.busy.discard(self._key)
            ended()

    def notice(self, _title: str) -> str:
        """Return nothing: an engine tells of an end when it has come."""
        return ""

    def ending(self) -> str:
        """Return why the session ended; see `daas_spawner.backend.Backend`."""
        return self._ending

    async def stop(self) -> None:
        """End the session; see `daas_spawner.backend.Backend`."""
        self._leftovers.busy.add(self._key)
        try:
            await self._end()
        finally:
            self._leftovers.busy.discard(self._key)

    async def _end(self, keep_words: bool = False) -> None:
        if self._container.object_id:
            # An engine that is away, or has lost it: what is left is removed when it is back.
            with contextlib.suppress(APIError, EngineProblem):
                await self._engine.call("stop", self._container.object_id, timeout=STOP_SECONDS)
                if keep_words:  # only now they are all there
                    await self._keep_last_words()
                await self._container.remove_object()
            self._container.object_id = ""
        await self._doorkeeper.stop()

    def state(self) -> State:
        """Return the doorkeeper's number and start time, and the container's id."""
        return {**self._doorkeeper.state(), "container": self._container.object_id}

    def restore(self, state: State) -> None:
        """Find the session again; a state that is not ours counts as ended."""
        self._doorkeeper.restore(state)
        self._container.object_id = str(state.get("container") or "")

    @property
    def hub_folder(self) -> Path:
        """The folder that the session sees for the hub: its own socket to it, and its door."""
        return self._doorkeeper.hub_folder

    def _order(self, plan: SessionPlan) -> dict[str, object]:
        home = plan.mounts[0]
        files = people_files(plan.account, home.target, with_root=True)
        return {
            "files": {os.path.basename(path): text for path, text in files.items()},
            "account": {"uid": plan.account.uid, "gid": plan.account.gid},
            "home": str(home.source),
            "hub": str(self._hub),
        }
