"""Sessions on any engine of the list, opened as the spawner opens them."""

import asyncio
import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

from jupyterhub.httpclient import fetch
from traitlets.config import Config

from daas_model.errors import DaasError
from daas_spawner.backend import Backend
from daas_spawner.backends import Place, make_backend
from daas_spawner.plan import SessionPlan
from daas_spawner.session.keeper import key_of
from tests.engines.engines import Here, Kind
from tests.engines.world import World

#: An end is seen by the hub within this time, whatever the engine.
SEEN_SECONDS = 10.0


_LOG = logging.getLogger("daas.test")


@dataclass(frozen=True, slots=True)
class Session:
    """A running session: try things in it, and end it."""

    backend: Backend
    url: str

    async def run(self, command: str) -> tuple[int, str]:
        """Run a command inside and return its exit status and what it said."""
        answer = await fetch(self.url, method="POST", data=command.encode())
        status, _, output = (await answer.text()).partition("\n")
        return int(status), output

    async def stop(self) -> None:
        """End the session."""
        await self.backend.stop()

    async def seen_to_end(self, seconds: float = SEEN_SECONDS) -> None:
        """Return when the back end says that the session has ended; `watch` must say it."""
        ended = asyncio.Event()
        self.backend.watch(ended.set)
        async with asyncio.timeout(seconds):
            await ended.wait()


class Sessions:
    """Opens sessions of a world on one engine, and ends them after the test."""

    def __init__(self, kind: Kind, here: Here, world: World) -> None:
        self.kind = kind
        self.here = here
        self.world = world
        self._opened: list[Backend] = []
        self._folders: list[Path] = []

    async def open(self, person: str, *proposals: str) -> Session:
        """Open the probe for *person*, as the spawner does."""
        backend = self.backend(person)
        return Session(backend, await self.start(backend, person, *proposals))

    async def start(self, backend: Backend, person: str, *proposals: str) -> str:
        """Start a session on a back end; return its URL.

        A failure has the session's last words in its notes, for whoever reads the test.
        """
        try:
            return await backend.start(self.plan(backend, person, *proposals))
        except DaasError as error:
            error.add_note(error.detail)
            for log in sorted((self.world.top / "logs").glob("*/*.log")):
                error.add_note(log.read_text("utf-8", "replace")[-2000:])
            raise

    def plan(
        self, backend: Backend, person: str, *proposals: str, command: str = ""
    ) -> SessionPlan:
        """Return the plan of a session of *person*; it runs the probe, or *command* instead."""
        plan = self.world.plan(
            person, *proposals, hub=backend.hub_folder, environment=self.kind.environment
        )
        return dataclasses.replace(plan, argv=(command,)) if command else plan

    def backend(self, person: str, run: str = "run", config: Config | None = None) -> Backend:
        """Return a back end of the session of *person*; each is one more object for it.

        *run* is the hub's run folder, *config* its configuration.
        """
        top = self.world.top
        place = Place(person, "probe-ours", top / run, top / "logs", "/")
        engine = self.kind.engine(self.here)
        settings = Config(self.kind.settings)
        settings.merge(config or {})
        backend = make_backend(engine, place, settings, _LOG)
        self._opened.append(backend)
        self._folders.append(place.run_folder / "sessions" / key_of(place.run_folder, place.name))
        return backend

    def left(self) -> list[str]:
        """Return what there still is of the sessions: folders, and what the engine has."""
        left = [str(folder) for folder in self._folders if folder.exists()]
        return left + self.kind.left(self.here, self._folders)

    @property
    def keys(self) -> list[str]:
        """The keys of the sessions, in the order in which they were opened."""
        return [folder.name for folder in self._folders]

    async def close(self) -> None:
        """End every session."""
        for backend in self._opened:
            await backend.stop()
        await self.kind.close(self.here)
