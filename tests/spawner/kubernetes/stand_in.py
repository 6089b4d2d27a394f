"""The part of a cluster's API that sessions use, for answers that no cluster gives to order.

A real one stands in tests/engines. https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from daas_model.engines import Engine
from daas_spawner.kubernetes.cluster import Cluster

Thing = dict[str, Any]
NAMESPACE = "sessions"
#: What makes a container run, or end; see `StandIn.becomes`.
RUNNING = {"running": {"startedAt": "2026-11-23T10:00:01Z"}}
ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}


class StandIn:
    """Pods that are words only: they run and end when a test says so."""

    def __init__(self) -> None:
        self.pods: dict[str, Thing] = {}
        self.events: list[Thing] = []
        #: What is answered to a method for a pod, in place of what it asks for.
        self.refuse: dict[str, int] = {}
        self.log = b""
        self._numbers = itertools.count(1)
        self._watchers: dict[str, list[asyncio.Queue[Thing]]] = {"pods": [], "events": []}
        self.application = web.Application()
        top = f"/api/v1/namespaces/{NAMESPACE}"
        self.application.add_routes(
            [
                web.get(f"{top}/{{kind:pods|events}}", self._list),
                web.post(f"{top}/pods", self._create),
                web.get(f"{top}/pods/{{name}}", self._read),
                web.delete(f"{top}/pods/{{name}}", self._delete),
                web.get(f"{top}/pods/{{name}}/log", self._log),
            ]
        )

    def make(self, name: str, **labels: str) -> Thing:
        """Make a pod that is not yet placed; return it."""
        made = {
            "metadata": {
                "name": name,
                "uid": f"uid-{next(self._numbers)}",
                "labels": labels,
                "creationTimestamp": "2026-11-23T10:00:00Z",
                "resourceVersion": str(next(self._numbers)),
            },
            "status": {"phase": "Pending"},
        }
        self.pods[name] = made
        self.tell("pods", "ADDED", made)
        return made

    def becomes(self, name: str, state: Thing, phase: str) -> None:
        """Let the session's container in the pod *name* have this *state*."""
        container = {"name": "notebook", "state": state}
        status = {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": [container]}
        self.pods[name] = {**self.pods[name], "status": status}
        self.tell("pods", "MODIFIED", self.pods[name])

    def remove(self, name: str) -> None:
        """Take the pod away."""
        self.tell("pods", "DELETED", self.pods.pop(name))

    def tell(self, kind: str, what: str, thing: Thing) -> None:
        """Tell every watch of *kind* that *thing* was ADDED, MODIFIED or DELETED."""
        for queue in self._watchers[kind]:
            queue.put_nowait({"type": what, "object": thing})

    def end_watches(self) -> None:
        """Let every watch end, as the API does from time to time."""
        for queue in itertools.chain(*self._watchers.values()):
            queue.put_nowait({})

    async def watched(self) -> None:
        """Return once both watches are open."""
        async with asyncio.timeout(5):
            while not all(self._watchers.values()):
                await asyncio.sleep(0.01)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        if "watch" not in request.query:
            items = list(self.pods.values()) if kind == "pods" else self.events
            version = {"resourceVersion": str(next(self._numbers))}
            return web.json_response({"metadata": version, "items": items})
        answer = web.StreamResponse()
        await answer.prepare(request)
        queue: asyncio.Queue[Thing] = asyncio.Queue()
        self._watchers[kind].append(queue)
        try:
            while change := await queue.get():
                await answer.write(json.dumps(change).encode() + b"\n")
        finally:
            self._watchers[kind].remove(queue)
        return answer

    async def _create(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["metadata"]
        if (refused := self._refusal("POST")) is not None:
            return refused
        if wanted["name"] in self.pods:
            return _failure(409)
        return web.json_response(self.make(wanted["name"], **wanted["labels"]), status=201)

    async def _read(self, request: web.Request) -> web.Response:
        found = self.pods.get(request.match_info["name"])
        return self._refusal("GET") or (web.json_response(found) if found else _failure(404))

    async def _delete(self, request: web.Request) -> web.Response:
        found = self.pods.get(request.match_info["name"])
        if (refused := self._refusal("DELETE")) is not None:
            return refused
        if found is None:
            return _failure(404)
        asked = (await request.json()) if request.can_read_body else {}
        if (
            asked.get("preconditions", {}).get("uid", found["metadata"]["uid"])
            != (found["metadata"]["uid"])
        ):
            return _failure(409)
        self.remove(found["metadata"]["name"])
        return web.json_response(found)

    async def _log(self, request: web.Request) -> web.Response:
        words = self.log[: int(request.query.get("limitBytes", len(self.log)))]
        return self._refusal("LOG") or web.Response(body=words, content_type="text/plain")

    def _refusal(self, method: str) -> web.Response | None:
        return _failure(self.refuse[method]) if method in self.refuse else None


def _failure(status: int) -> web.Response:
    return web.json_response({"kind": "Status", "code": status}, status=status)


@asynccontextmanager
async def cluster_of(
    stand_in: StandIn, folder: Path, volumes: Mapping[str, PurePosixPath] = MappingProxyType({})
) -> AsyncIterator[Cluster]:
    """Give a cluster that watches *stand_in*."""
    server = TestServer(stand_in.application)
    await server.start_server()
    config = folder / "kubeconfig"
    config.write_text(
        json.dumps(
            {
                "clusters": [{"name": "it", "cluster": {"server": str(server.make_url(""))}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "users": [{"name": "it", "user": {"token": "t"}}],
                "current-context": "it",
            }
        )
    )
    engine = Engine(
        "it",
        "It",
        "kubernetes",
        str(config),
        "none",
        namespace=NAMESPACE,
        hub_url="http://127.0.0.1:8082",
        volumes=dict(volumes),
    )
    cluster = Cluster.of(engine, folder)
    try:
        await cluster.looked.wait()
        await stand_in.watched()
        yield cluster
    finally:
        await cluster.close()
        stand_in.end_watches()
        await server.close()
