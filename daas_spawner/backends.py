"""Which back end runs a session: chosen by the kind of its machine's engine."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from logging import Logger
from pathlib import Path

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
    paths = (place.name, place.run_folder, place.log_folder, place.base_url)
    if engine.kind == "local":
        return LocalBackend(*paths)
    # docker-py is large; a hub that runs sessions on its own machine only needs none of it.
    from daas_spawner.containers.backend import ContainerBackend  # noqa: PLC0415
    from daas_spawner.containers.container import Container  # noqa: PLC0415
    from daas_spawner.containers.engine import ContainerEngine  # noqa: PLC0415
    from daas_spawner.containers.fetching import Fetches  # noqa: PLC0415
    from daas_spawner.containers.images import ContainerImages  # noqa: PLC0415

    shared = ContainerEngine.of(engine)
    fetches = Fetches.of(shared, ContainerImages(config=config))
    container = Container(shared, place.person, place.session, config, log)
    return ContainerBackend(
        *paths, container=container, fetch=fetches.ensure, progress=fetches.sentence
    )


async def problems_of(engines: Iterable[Engine], run_folder: Path) -> dict[str, str]:
    """Return why nothing can be started on an engine just now, by its name; from memory.

    Those that answer are left out. The first question begins the watch of each engine.
    """
    away = [engine for engine in engines if engine.kind != "local"]
    if not away:
        return {}
    from daas_spawner.containers.engine import ContainerEngine  # noqa: PLC0415  as above
    from daas_spawner.containers.leftovers import Leftovers  # noqa: PLC0415

    watched = [ContainerEngine.of(engine) for engine in away]
    for engine in watched:
        Leftovers.of(engine, run_folder)
    looks = [asyncio.ensure_future(engine.looked.wait()) for engine in watched]
    _, waiting = await asyncio.wait(looks, timeout=FIRST_LOOK_SECONDS)
    for look in waiting:
        look.cancel()
    return {engine.engine.name: engine.problem for engine in watched if engine.problem}
