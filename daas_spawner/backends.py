"""Which back end runs a session: chosen by the kind of its machine's engine."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Protocol

from traitlets.config import Config

from daas_model.engines import Engine
from daas_spawner.backend import Backend
from daas_spawner.local.backend import LocalBackend

#: An engine that has not been looked at yet is waited for so long, once.
FIRST_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """What every back end of one session is told: whose it is, and where its files go.

    *person* and *session* are the hub's names, *base_url* the path under which it is served.
    """

    person: str
    session: str
    run_folder: Path
    log_folder: Path
    base_url: str

    @property
    def name(self) -> str:
        """Its name in this hub."""
        return f"{self.person}/{self.session}"


def make_backend(engine: Engine, place: Place, config: Config, log: Logger) -> Backend:
    """Return the back end of the session at *place* on *engine*."""
    return _MAKERS[engine.kind](engine, place, config, log)


def _local(_engine: Engine, place: Place, _config: Config, _log: Logger) -> Backend:
    return LocalBackend(place.name, place.run_folder, place.log_folder, place.base_url)


# The engines' clients are large; a hub that has no such engine needs none of them.


def _containers(engine: Engine, place: Place, config: Config, log: Logger) -> Backend:
    from daas_spawner.containers.backend import ContainerBackend  # noqa: PLC0415
    from daas_spawner.containers.container import Container  # noqa: PLC0415
    from daas_spawner.containers.engine import ContainerEngine  # noqa: PLC0415
    from daas_spawner.containers.fetching import Fetches  # noqa: PLC0415
    from daas_spawner.containers.images import ContainerImages  # noqa: PLC0415

    shared = ContainerEngine.of(engine)
    fetches = Fetches.of(shared, ContainerImages(config=config))
    return ContainerBackend(
        place.name,
        place.run_folder,
        place.log_folder,
        place.base_url,
        container=Container(shared, place.person, place.session, config, log),
        fetch=fetches.ensure,
        progress=fetches.sentence,
    )


def _pods(engine: Engine, place: Place, config: Config, log: Logger) -> Backend:
    from daas_spawner.containers.images import ContainerImages  # noqa: PLC0415
    from daas_spawner.kubernetes.backend import PodBackend  # noqa: PLC0415
    from daas_spawner.kubernetes.cluster import Cluster  # noqa: PLC0415
    from daas_spawner.kubernetes.pod import Pod  # noqa: PLC0415
    from daas_spawner.kubernetes.settings import ClusterSessions  # noqa: PLC0415

    return PodBackend(
        place,
        Cluster.of(engine, place.run_folder),
        Pod(engine.namespace, place.person, place.session, config, log),
        ContainerImages(config=config),
        ClusterSessions(config=config),
    )


_MAKERS = {"local": _local, "docker": _containers, "kubernetes": _pods}


class Watched(Protocol):
    """What an engine away from this machine's sandboxes tells of itself."""

    engine: Engine
    problem: str
    looked: asyncio.Event


async def problems_of(engines: Iterable[Engine], run_folder: Path) -> dict[str, str]:
    """Return why nothing can be started on an engine just now, by its name; from memory.

    Those that answer are left out. The first question begins the watch of each engine.
    """
    watched = [_watched(engine, run_folder) for engine in engines if engine.kind != "local"]
    if not watched:
        return {}
    looks = [asyncio.ensure_future(engine.looked.wait()) for engine in watched]
    _, waiting = await asyncio.wait(looks, timeout=FIRST_LOOK_SECONDS)
    for look in waiting:
        look.cancel()
    return {engine.engine.name: engine.problem for engine in watched if engine.problem}


def _watched(engine: Engine, run_folder: Path) -> Watched:
    if engine.kind == "kubernetes":
        from daas_spawner.kubernetes.cluster import Cluster  # noqa: PLC0415  as above

        return Cluster.of(engine, run_folder)
    from daas_spawner.containers.engine import ContainerEngine  # noqa: PLC0415  as above
    from daas_spawner.containers.leftovers import Leftovers  # noqa: PLC0415

    shared = ContainerEngine.of(engine)
    Leftovers.of(shared, run_folder)
    return shared
