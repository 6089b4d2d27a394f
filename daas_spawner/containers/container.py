"""One container, by the stock DockerSpawner with its own section of the configuration.

`c.DockerSpawner…` means here what it means everywhere; what keeps sessions apart is set after
it and wins. Used by `backend.py` only, never by the hub itself.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from logging import Logger
from types import SimpleNamespace
from typing import Any

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import NotFound
from dockerspawner import DockerSpawner
from traitlets.config import Config

from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.leftovers import SESSION
from daas_spawner.containers.rendering import ContainerSettings


class Container(DockerSpawner):
    """The stock spawner for one session's container."""

    extra_create_kwargs: Any
    extra_host_config: Any

    def __init__(
        self, engine: ContainerEngine, person: str, session: str, config: Config, log: Logger | None
    ) -> None:
        self.engine = engine
        self._session = session
        super().__init__(config=config, user=SimpleNamespace(name=person))
        if log is not None:
            self.log = log
        self.remove = True
        self.pull_policy = "skip"

    @property
    def name(self) -> str:
        """The session's name; the stock spawner puts it into the container's."""
        return self._session

    @property
    def client(self) -> Any:
        """A client that puts settings together. It asks nothing: that would hold up the hub."""
        return docker.APIClient(self.engine.engine.address, DEFAULT_DOCKER_API_VERSION)

    def docker(self, method: str, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Ask our engine, in its threads and within its time."""
        return asyncio.ensure_future(self.engine.call(method, *args, **kwargs))

    def wear(self, image: str, settings: ContainerSettings) -> None:
        """Take what is to be created."""
        self.image = image  # the stock spawner names the container anew with it
        # Two hubs on one engine may have a session of the same name.
        self.object_name = f"{self._object_name_default()}-{settings.create['labels'][SESSION]}"
        self.cmd = list(settings.argv)
        self._environment = settings.environment
        configured: dict[str, Any] = self._eval_if_callable(self.extra_create_kwargs)
        self.extra_create_kwargs = {
            **configured,
            **settings.create,
            "labels": {**configured.get("labels", {}), **settings.create["labels"]},
        }
        self.extra_host_config = {
            **self._eval_if_callable(self.extra_host_config),
            **settings.host,
            "mounts": [*self.mount_binds, *settings.host["mounts"]],
        }

    async def remove_object(self) -> None:
        """Remove the container even while it runs: a hub that forgot it may have left it."""
        with contextlib.suppress(NotFound):
            await self.docker("remove_container", self.object_id, v=True, force=True)

    def get_env(self) -> dict[str, str]:
        """Return the facility's own variables and the session's."""
        own = {name: str(value) for name, value in self.environment.items()}
        return {**own, **self._environment}

    def get_args(self) -> list[str]:
        """Return nothing: the plan's command is whole."""
        return []

    async def get_ip_and_port(self) -> tuple[str, int]:
        """Return nothing: a session is reached by its socket."""
        return "", 0
