"""The list of engines that the suite runs on.

The next engine adds itself to `ENGINES`; nothing else in the suite knows an engine by name.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest
from _pytest.mark import ParameterSet

import daas_model
from daas_model.engines import Engine
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.leftovers import SESSION
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.seen import SESSION as SESSION_OF_POD
from daas_spawner.local.limits import hierarchies
from daas_spawner.plan import IMAGE_PROGRAMS
from tests.engines.daemons import NotHere
from tests.engines.docker_here import docker_here
from tests.engines.engine_here import EngineHere
from tests.engines.kubernetes.images import full
from tests.engines.kubernetes_here import KubernetesHere, kubernetes_here
from tests.engines.namespace import MACHINE, NAMESPACE, prepare_sessions
from tests.engines.podman_here import podman_here

#: The image of tests/spawner/apps/probe.
PROBE = f"daas/probe:{daas_model.__version__}"


#: What a kind has started; None for this machine's own sandboxes.
Here = EngineHere | KubernetesHere | None


class Kind:
    """One engine of the list, which is this machine's sandbox unless a subclass says otherwise."""

    name = "local"
    mark = pytest.mark.local
    #: Where a session finds its programs: the probe needs nothing but Debian's Python.
    environment = PurePosixPath("/usr")
    #: Whether a session has no network at all, rather than one that is closed.
    sealed = True
    #: What the hub's configuration says of such engines.
    settings: ClassVar[dict[str, dict[str, object]]] = {}

    @contextlib.contextmanager
    def here(self) -> Iterator[Here]:
        """Run the engine, if it is one that runs. Raises `NotHere`."""
        yield None

    def engine(self, _here: Here) -> Engine:
        """Return the engine as a facility configures it."""
        return Engine(self.name, self.name, "local", "", "none")

    def left(self, _here: Here, folders: list[Path]) -> list[str]:
        """Return what the engine still has of the sessions with these *folders*."""
        groups = (
            place.folder / f"daas-{folder.name}" for place in hierarchies() for folder in folders
        )
        return [str(group) for group in groups if group.exists()]

    async def close(self, _here: Here) -> None:
        """Let go of what back ends share, at the end of a test."""


class Containers(Kind):
    """Docker Engine, or Podman by Docker's interface."""

    mark = pytest.mark.engines
    environment = IMAGE_PROGRAMS

    def __init__(self, start: Callable[[], AbstractContextManager[EngineHere]]) -> None:
        self._start = start
        self.name = start.__name__.removesuffix("_here")

    @contextlib.contextmanager
    def here(self) -> Iterator[Here]:
        """Run the engine, with the probe's image in it. Raises `NotHere`."""
        with self._start() as engine:
            if not engine.image_id(PROBE):
                raise NotHere(f"it has no image {PROBE}; `make test-engines` makes it")
            yield engine

    def engine(self, here: Here) -> Engine:
        """Return the engine as a facility configures it."""
        assert isinstance(here, EngineHere)
        return Engine(self.name, self.name, "docker", here.address, "none")

    def left(self, here: Here, folders: list[Path]) -> list[str]:
        """Return the containers of the sessions with these *folders*."""
        assert isinstance(here, EngineHere)
        keys = {folder.name for folder in folders}
        return [
            f"{found['Names']} {found['Status']}"
            for found in here.containers()
            if found["Labels"].get(SESSION) in keys
        ]

    async def close(self, here: Here) -> None:
        """End the engine's watch: it belongs to the test's loop."""
        await ContainerEngine.of(self.engine(here)).close()


class Pods(Kind):
    """Kubernetes, with the chart's own network policies in the namespace of the sessions."""

    name = "kubernetes"
    mark = pytest.mark.engines
    environment = IMAGE_PROGRAMS
    sealed = False
    settings: ClassVar[dict[str, dict[str, object]]] = {
        "ContainerImages": {"prefix": "docker.io/daas/"},
        "KubeSpawner": {"image_pull_policy": "Never"},
    }

    @contextlib.contextmanager
    def here(self) -> Iterator[Here]:
        """Run a cluster, with a namespace for sessions in it. Raises `NotHere`."""
        with kubernetes_here() as cluster:
            if full(PROBE) not in cluster.images.identities():
                raise NotHere(f"it has no image {PROBE}; `make test-engines` makes it")
            prepare_sessions(cluster)
            yield cluster

    def engine(self, here: Here) -> Engine:
        """Return the engine as a facility configures it."""
        assert isinstance(here, KubernetesHere)
        return Engine(
            self.name,
            self.name,
            "kubernetes",
            str(here.kubeconfig),
            "none",
            namespace=NAMESPACE,
            hub_url=f"http://{here.host}:8082",
            # Our folders are everywhere on this machine: one claim has all of it.
            volumes={MACHINE: PurePosixPath("/")},
        )

    def left(self, here: Here, folders: list[Path]) -> list[str]:
        """Return the pods of the sessions with these *folders*."""
        assert isinstance(here, KubernetesHere)
        keys = ",".join(folder.name for folder in folders)
        which = f"{SESSION_OF_POD} in ({keys})"
        return here.kubectl("get", "pods", "-n", NAMESPACE, "-l", which, "-o", "name").split()

    async def close(self, here: Here) -> None:
        """End the watches: they belong to the test's loop."""
        for cluster in Cluster.made():
            await cluster.close()


CLUSTER = Pods()
ENGINES = (Kind(), Containers(docker_here), Containers(podman_here), CLUSTER)


def each_of(kinds: Iterable[Kind]) -> list[ParameterSet]:
    """Return the parameters of a test that runs on each of *kinds*."""
    return [pytest.param(kind, id=kind.name, marks=kind.mark) for kind in kinds]


EVERY = each_of(ENGINES)
#: Where a session has no network at all.
SEALED = each_of(kind for kind in ENGINES if kind.sealed)
PODS = each_of(kind for kind in ENGINES if isinstance(kind, Pods))
CONTAINERS = each_of(kind for kind in ENGINES if isinstance(kind, Containers))
#: Each engine with its neighbour in the list.
PAIRS = [
    pytest.param((one, other), id=f"{one.name}-{other.name}", marks=(one.mark, other.mark))
    for one, other in zip(ENGINES, (*ENGINES[1:], ENGINES[0]), strict=True)
    if one is not other
]
