"""Containers of ours that nobody keeps any more, removed by what the engine's watch tells.

A session whose doorkeeper has ended cannot be reached by anybody: the engine was away when it
was stopped, a hub was killed during a start, or it ended by itself.
"""

import asyncio
import contextlib
import hashlib
import logging
import signal
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from daas_model.errors import EngineProblem
from daas_spawner.containers.engine import ContainerEngine, Listed
from daas_spawner.session.processes import Process, read_process

#: The labels of a session's container: which hub's it is, and which session's.
HUB, SESSION = "daas.hub", "daas.session"
#: States of a container in which nothing of it runs.
_OVER = frozenset({"exited", "dead", "stopped"})

_log = logging.getLogger("JupyterHub.daas.engine")


def _hub(run_folder: Path) -> str:
    return hashlib.sha256(str(run_folder).encode()).hexdigest()[:12]


def end_all(address: str, run_folder: Path) -> None:
    """Remove all containers of one hub, for whoever ends the whole installation. Blocks."""
    with (
        contextlib.suppress(DockerException, RequestException),
        closing(docker.APIClient(address, version="auto")) as client,
    ):
        for container in client.containers(
            all=True, filters={"label": f"{HUB}={_hub(run_folder)}"}
        ):
            with contextlib.suppress(APIError):
                client.remove_container(container["Id"], force=True, v=True)


class Leftovers:
    """What is left of one hub's sessions on one engine: see `of`."""

    _made: ClassVar[dict[tuple[str, Path], "Leftovers"]] = {}

    def __init__(self, engine: ContainerEngine, run_folder: Path) -> None:
        self._engine = engine
        self._run_folder = run_folder
        self.label = {HUB: _hub(run_folder)}
        #: Sessions that begin or end just now: whoever does that removes them.
        self.busy: set[str] = set()
        self._over: set[str] = set()

    @classmethod
    def of(cls, engine: ContainerEngine, run_folder: Path) -> "Leftovers":
        """Return the one for this engine and hub; its engine watches from now on."""
        key = (engine.engine.address, run_folder)
        if key not in cls._made or cls._made[key]._engine is not engine:
            cls._made[key] = cls(engine, run_folder)
        found = cls._made[key]
        engine.watch(f"{HUB}={found.label[HUB]}", found.look)
        return found

    async def look(self, containers: list[Listed]) -> None:
        """Remove those of *containers* that nobody keeps."""
        keys = {container["Id"]: container["Labels"].get(SESSION, "") for container in containers}
        over = {container["Id"] for container in containers if container["State"] in _OVER}
        running = {key for number, key in keys.items() if number not in over}
        for container in containers:
            key = keys[container["Id"]]
            if key in self.busy:
                continue
            doorkeeper = await asyncio.to_thread(self._doorkeeper, key)
            if doorkeeper is not None:
                # It learns of the end by itself, unless the session gave away what tells it.
                if container["Id"] in over & self._over and key not in running:
                    doorkeeper.signal(signal.SIGTERM)
                continue
            _log.info("Removing what is left of session %s.", key)
            with contextlib.suppress(APIError, EngineProblem):
                await self._engine.call("remove_container", container["Id"], force=True, v=True)
        self._over = over

    def _doorkeeper(self, key: str) -> Process | None:
        """Return who keeps the session, None when nobody does."""
        doorkeeper = read_process(self._run_folder / "sessions" / key / "pid")
        return doorkeeper if doorkeeper is not None and doorkeeper.alive else None
