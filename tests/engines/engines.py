"""The list of engines that the suite runs on.

The next engine adds itself to `ENGINES`; nothing else in the suite knows an engine by name.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

import pytest
from traitlets.config import Config

import daas_model
from daas_model.apps import App
from daas_model.engines import Engine
from daas_spawner.backend import Backend
from daas_spawner.containers.backend import ContainerBackend
from daas_spawner.containers.container import Container
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.leftovers import SESSION
from daas_spawner.containers.rendering import PROGRAMS
from daas_spawner.local.backend import LocalBackend
from daas_spawner.local.limits import hierarchies
from tests.engines.daemons import NotHere
from tests.engines.docker_here import docker_here
from tests.engines.engine_here import EngineHere
from tests.engines.podman_here import podman_here

#: The image of tests/spawner/apps/probe.
PROBE = f"daas/probe:{daas_model.__version__}"


class Kind:
    """One engine of the list, which is this machine's sandbox unless a subclass says otherwise."""

    name = "local"
    mark = pytest.mark.local
    #: Where a session finds its programs: the probe needs nothing but Debian's Python.
    environment = PurePosixPath("/usr")

    @contextlib.contextmanager
    def here(self) -> Iterator[EngineHere | None]:
        """Run the engine, if it is one that runs. Raises `NotHere`."""
        yield None

    def backend(self, _here: EngineHere | None, name: str, top: Path) -> Backend:
        """Return the back end of session *name*, with run and log folders below *top*."""
        return LocalBackend(name, top / "run", top / "logs", "/")

    def left(self, _here: EngineHere | None, folders: list[Path]) -> list[str]:
        """Return what the engine still has of the sessions with these *folders*."""
        groups = (
            place.folder / f"daas-{folder.name}" for place in hierarchies() for folder in folders
        )
        return [str(group) for group in groups if group.exists()]

    async def close(self, _here: EngineHere | None) -> None:
        """Let go of what back ends share, at the end of a test."""


class Containers(Kind):
    """Docker Engine, or Podman by Docker's interface."""

    mark = pytest.mark.engines
    environment = PROGRAMS

    def __init__(self, start: Callable[[], AbstractContextManager[EngineHere]]) -> None:
        self._start = start
        self.name = start.__name__.removesuffix("_here")

    @contextlib.contextmanager
    def here(self) -> Iterator[EngineHere | None]:
        """Run the engine, with the probe's image in it. Raises `NotHere`."""
        with self._start() as engine:
            if not engine.image_id(PROBE):
                raise NotHere(f"it has no image {PROBE}; `make test-engines` makes it")
            yield engine

    def backend(self, here: EngineHere | None, name: str, top: Path) -> Backend:
        """Return the back end of session *name*, with run and log folders below *top*."""
        container = Container(_engine(here), *name.split("/"), Config(), None)
        return ContainerBackend(
            name, top / "run", top / "logs", "/", container=container, fetch=_probe
        )

    def left(self, here: EngineHere | None, folders: list[Path]) -> list[str]:
        """Return the containers of the sessions with these *folders*."""
        assert here is not None
        keys = {folder.name for folder in folders}
        return [
            f"{found['Names']} {found['Status']}"
            for found in here.containers()
            if found["Labels"].get(SESSION) in keys
        ]

    async def close(self, here: EngineHere | None) -> None:
        """End the engine's watch: it belongs to the test's loop."""
        await _engine(here).close()


def _engine(here: EngineHere | None) -> ContainerEngine:
    assert here is not None
    return ContainerEngine.of(Engine(here.name, here.name, "docker", here.address, "none"))


async def _probe(_app: App) -> str:
    return PROBE


ENGINES = (Kind(), Containers(docker_here), Containers(podman_here))

EVERY = [pytest.param(kind, id=kind.name, marks=kind.mark) for kind in ENGINES]
#: Each engine with its neighbour in the list.
PAIRS = [
    pytest.param((one, other), id=f"{one.name}-{other.name}", marks=(one.mark, other.mark))
    for one, other in zip(ENGINES, (*ENGINES[1:], ENGINES[0]), strict=True)
    if one is not other
]
