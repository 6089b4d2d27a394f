"""The calls to one cluster's API, each within a time; for one namespace.

Used by `cluster.py`, and through it by sessions and by `daas check`.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client import ApiException
from kubernetes_asyncio.client.rest import RESTResponse
from yaml import YAMLError

from daas_model.engines import Engine
from daas_model.errors import EngineProblem
from daas_spawner.kubernetes.rendering import STOP_SECONDS

CALL_SECONDS = 15.0
#: What the API answers, or the way to it, when it gives no answer.
AWAY = (aiohttp.ClientError, OSError, TimeoutError)


class Api:
    """The API of *engine*, with a login that is read at the first call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.calls = 0
        self._client: client.ApiClient | None = None

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return what *method* of the core API returns for our namespace.

        Raises `ApiException` for what the cluster refuses, `EngineProblem` when it gives no answer.
        """
        self.calls += 1
        kwargs.setdefault("_request_timeout", CALL_SECONDS)
        kwargs["namespace"] = self.engine.namespace
        return await self.ask(lambda api: getattr(client.CoreV1Api(api), method)(*args, **kwargs))

    async def ask(self, question: Callable[[client.ApiClient], Awaitable[Any]]) -> Any:
        """Return the answer to any *question* to the API. Raises as `call` does."""
        try:
            return await question(await self._api())
        except (*AWAY, config.ConfigException) as error:
            raise self._unreachable(error) from None

    async def plain(self, thing: Any) -> Any:
        """Return one of kubernetes_asyncio's objects as the API's own JSON."""
        return (await self._api()).sanitize_for_serialization(thing)

    async def _api(self) -> client.ApiClient:
        if self._client is None:
            settings = client.Configuration()
            try:
                if self.engine.address:
                    await config.load_kube_config(
                        self.engine.address, client_configuration=settings, persist_config=False
                    )
                else:
                    config.load_incluster_config(client_configuration=settings)
            except (AttributeError, KeyError, TypeError, YAMLError):
                raise config.ConfigException("it is no kubeconfig file") from None
            self._client = client.ApiClient(settings)
        return self._client

    def _unreachable(self, error: Exception) -> EngineProblem:
        return EngineProblem(
            f"The machines of “{self.engine.title}” do not answer, so nothing was started or ended "
            "there.",
            "Choose another machine, or try again in a few minutes. Your data is not affected.",
            detail=f"the cluster's API: {type(error).__name__}",
        )

    async def raw(self, method: str, *args: Any, **kwargs: Any) -> aiohttp.ClientResponse:
        """Return the answer of *method* as it comes, unread. Raises as `call` does.

        The client's own objects refuse a pod that lacks what it takes for required.
        """
        answer: aiohttp.ClientResponse = await self.call(
            method, *args, _preload_content=False, **kwargs
        )
        if not 200 <= answer.status < 300:
            raise ApiException(http_resp=RESTResponse(answer, await self._read(answer)))
        return answer

    async def json(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the JSON that *method* answers. Raises as `call` does."""
        return json.loads(await self._read(await self.raw(method, *args, **kwargs)))

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        try:
            return await answer.read()
        except AWAY as error:
            raise self._unreachable(error) from None

    async def delete_pod(self, name: str, uid: str) -> None:
        """Delete the pod *name* if it is still the one with *uid*. Raises as `call` does."""
        only = client.V1Preconditions(uid=uid)
        options = client.V1DeleteOptions(preconditions=only, grace_period_seconds=STOP_SECONDS)
        await self.json("delete_namespaced_pod", name, body=options)

    async def pod_log(self, name: str, container: str, lines: int, most_bytes: int) -> bytes:
        """Return what a container said last, as it said it. Raises as `call` does."""
        answer = await self.raw(
            "read_namespaced_pod_log",
            name,
            container=container,
            tail_lines=lines,
            limit_bytes=most_bytes,  # a line may be as long as the log
        )
        return await self._read(answer)

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.close()
