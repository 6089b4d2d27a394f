"""The list of engines that the suite runs on.

The next engine adds itself to `ENGINES`; nothing else in the suite knows an engine by name.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

import pytest

import daas_model
from daas_model.engines import Engine
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.leftovers import SESSION
from daas_spawner.local.limits import hierarchies
from daas_spawner.plan import IMAGE_PROGRAMS
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

    def engine(self, _here: EngineHere | None) -> Engine:
        """Return the engine as a facility configures it."""
        return Engine(self.name, self.name, "local", "", "none")

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
    environment = IMAGE_PROGRAMS

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

    def engine(self, here: EngineHere | None) -> Engine:
        """Return the engine as a facility configures it."""
        assert here is not None
        return Engine(self.name, self.name, "docker", here.address, "none")

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
        await ContainerEngine.of(self.engine(here)).close()


ENGINES = (Kind(), Containers(docker_here), Containers(podman_here))

EVERY = [pytest.param(kind, id=kind.name, marks=kind.mark) for kind in ENGINES]
#: Each engine with its neighbour in the list.
PAIRS = [
    pytest.param((one, other), id=f"{one.name}-{other.name}", marks=(one.mark, other.mark))
    for one, other in zip(ENGINES, (*ENGINES[1:], ENGINES[0]), strict=True)
    if one is not other
]
