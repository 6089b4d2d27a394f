"""The list of engines that the suite runs on, and a session on any of them.

The next engine adds itself to `ENGINES`; nothing else in the suite knows an engine by name.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from jupyterhub.httpclient import fetch

from daas_spawner.backend import Backend
from daas_spawner.local.backend import LocalBackend
from daas_spawner.local.limits import hierarchies
from tests.engines.engine_here import EngineHere
from tests.engines.world import World

#: An end is seen by the hub within this time, whatever the engine (issue 5, "State is true").
SEEN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One engine of the list.

    *here* runs it and raises `NotHere`; *backend* makes a session's back end, of a name and with
    run and log folders below a top folder; *left* says what the engine still has of the sessions
    with these folders.
    """

    name: str
    mark: pytest.MarkDecorator
    here: Callable[[], AbstractContextManager[EngineHere | None]]
    backend: Callable[[EngineHere | None, str, Path], Backend]
    left: Callable[[EngineHere | None, list[Path]], list[str]]


@contextlib.contextmanager
def nothing_to_start() -> Iterator[None]:
    """This machine's own sandbox needs no engine."""
    yield


def local_backend(_here: EngineHere | None, name: str, top: Path) -> Backend:
    """Return a back end in this machine's sandbox."""
    return LocalBackend(name, top / "run", top / "logs", "/")


def local_left(_here: EngineHere | None, folders: list[Path]) -> list[str]:
    """Return the control groups of sessions that have these folders."""
    groups = (
        place.folder / f"daas-{folder.name}" for place in hierarchies() for folder in folders
    )
    return [str(group) for group in groups if group.exists()]


ENGINES = (Kind("local", pytest.mark.local, nothing_to_start, local_backend, local_left),)

EVERY = [pytest.param(kind, id=kind.name, marks=kind.mark) for kind in ENGINES]
#: Each engine with its neighbour in the list.
PAIRS = [
    pytest.param((one, other), id=f"{one.name}-{other.name}", marks=(one.mark, other.mark))
    for one, other in zip(ENGINES, (*ENGINES[1:], ENGINES[0]), strict=True)
    if one is not other
]


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

    async def seen_to_end(self) -> None:
        """Return when the back end says that the session has ended; `watch` must say it."""
        ended = asyncio.Event()
        self.backend.watch(ended.set)
        async with asyncio.timeout(SEEN_SECONDS):
            await ended.wait()


class Sessions:
    """Opens sessions of a world on one engine, and ends them after the test."""

    def __init__(self, kind: Kind, here: EngineHere | None, world: World) -> None:
        self.kind = kind
        self.here = here
        self.world = world
        self._opened: list[Backend] = []

    async def open(self, person: str, *proposals: str) -> Session:
        """Open the probe for *person*, as the spawner does."""
        backend = self.backend(person)
        return Session(backend, await self.start(backend, person, *proposals))

    async def start(self, backend: Backend, person: str, *proposals: str) -> str:
        """Start a session on a back end; return its URL."""
        return await backend.start(
            self.world.plan(person, *proposals, hub=backend.hub_folder)
        )

    def backend(self, person: str) -> Backend:
        """Return a back end of the session of *person*; each is one more object for it."""
        backend = self.kind.backend(self.here, f"{person}/probe-ours", self.world.top)
        self._opened.append(backend)
        return backend

    def left(self) -> list[str]:
        """Return what there still is of the sessions: folders, and what the engine has."""
        folders = [backend.hub_folder.parent for backend in self._opened]
        left = [str(folder) for folder in folders if folder.exists()]
        return left + self.kind.left(self.here, folders)

    async def close(self) -> None:
        """End every session."""
        for backend in self._opened:
            await backend.stop()
