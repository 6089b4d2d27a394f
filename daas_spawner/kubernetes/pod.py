"""One session's pod, by the stock KubeSpawner with its own section of the configuration.

`c.KubeSpawner…` means here what it means everywhere; `rendering.py` sets what keeps sessions
apart after it, and wins. Used by `backend.py` only, never by the hub itself.
"""

from logging import Logger
from types import SimpleNamespace
from typing import Any

from jupyterhub.utils import maybe_future
from kubespawner import KubeSpawner
from traitlets.config import Config


class Pod(KubeSpawner):
    """The stock spawner for the manifest of one session's pod."""

    def __init__(
        self, namespace: str, person: str, session: str, config: Config, log: Logger | None
    ) -> None:
        self._session = session
        self._variables: dict[str, str] = {}
        # Not by its own constructor: that looks for a cluster by itself, and the hub waits.
        super(KubeSpawner, self).__init__(
            config=config, user=SimpleNamespace(name=person, id=0, url="")
        )
        if log is not None:
            self.log = log
        self.namespace = namespace
        self.pod_name = self._expand_user_properties(self.pod_name_template)
        self.pvc_name = self.secret_name = ""

    @property
    def name(self) -> str:
        """The session's name; the stock spawner puts it into the pod's."""
        return self._session

    async def manifest(self, image: str, port: int, variables: dict[str, str]) -> Any:
        """Return the pod that the facility's settings make, as kubernetes_asyncio's object."""
        self.image, self.port, self._variables = image, port, variables
        pod = await self.get_pod_manifest()
        if self.modify_pod_hook:
            pod = await maybe_future(self.modify_pod_hook(self, pod))
        return pod

    def get_env(self) -> dict[str, str]:
        """Return the facility's own variables and the session's."""
        own = {name: str(value) for name, value in self._expand_env(self.environment).items()}
        return {**own, **self._variables}

    def get_args(self) -> list[str]:
        """Return nothing: the plan's command is whole."""
        return []
