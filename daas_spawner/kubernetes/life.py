"""The life of one pod, as the cluster's watch tells it: made, seen, gone.

Used by `backend.py`. The API is asked to make the pod and to delete it, and once more when the
watch has no such pod: a list may be a moment old.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from kubernetes_asyncio.client import ApiException

from daas_model.errors import EngineProblem
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.refusals import ALREADY_THERE, NOT_THERE
from daas_spawner.kubernetes.rendering import STOP_SECONDS
from daas_spawner.kubernetes.seen import CONTAINER, EventSeen, PodSeen

#: What was ended is gone within this time, or the cluster has lost its node.
GONE_SECONDS = 30.0
LOOK_SECONDS = 2.0


class PodLife:
    """One pod of *cluster*; nothing until `begin` or `find`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.name, self.uid = "", ""
        #: As it was seen last; None before it was.
        self.seen: PodSeen | None = None
        self.over = False
        #: Called once it is over, unless that was asked for.
        self.ended: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()
        self._no_more: Callable[[], None] = lambda: None
        self._asking: asyncio.Task[None] | None = None

    async def begin(self, name: str, manifest: Any) -> None:
        """Make the pod; one of that name, which a hub forgot, is ended first.

        Raises `ApiException` and `EngineProblem`.
        """
        self._follow(name)
        try:
            made = await self._cluster.call("create_namespaced_pod", body=manifest)
        except ApiException as error:
            if error.status != ALREADY_THERE:
                raise
            await self._delete()
            made = await self._cluster.call("create_namespaced_pod", body=manifest)
        self.uid = made.metadata.uid
        self._take(self._cluster.pods.get(name))

    def find(self, name: str, uid: str) -> None:
        """Take a pod that there is already."""
        self._follow(name)
        self.uid = uid
        if self._cluster.looked.is_set():
            self._take(self._cluster.pods.get(name))

    def _follow(self, name: str) -> None:
        self._no_more()
        self.name, self.uid, self.seen, self.over = name, "", None, False
        self._no_more = self._cluster.tell(name, self._take)

    @property
    def running(self) -> bool:
        """Whether it is there and not over, as far as anybody knows."""
        return bool(self.uid) and not self.over

    @property
    def events(self) -> list[EventSeen]:
        """What happened to it, the latest last."""
        return self._cluster.events_of(self.seen) if self.seen else []

    def _take(self, seen: PodSeen | None) -> None:
        if not self.uid:
            return  # another of that name, before ours is made
        if seen is None or seen.uid != self.uid:
            if not self.over and self._asking is None:
                self._asking = asyncio.ensure_future(self._ask())
            return
        self.seen = seen
        self._changed.set()
        if seen.over:
            self._is_over()

    async def _ask(self) -> None:
        uid = self.uid
        try:
            found = await self._cluster.call("read_namespaced_pod", self.name)
            gone = found.metadata.uid != uid
        except ApiException as error:
            gone = error.status == NOT_THERE
        except EngineProblem:
            gone = False
        self._asking = None
        if gone and uid == self.uid:
            self._is_over()

    def _is_over(self) -> None:
        if not self.over:
            self.over = True
            self._changed.set()
            asyncio.get_running_loop().call_soon(self.ended)

    async def change(self, seconds: float) -> None:
        """Return when something has changed, or after *seconds*."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def last_lines(self, number: int) -> bytes:
        """Return what it said last; nothing when the cluster does not know."""
        try:
            words = await self._cluster.call(
                "read_namespaced_pod_log", self.name, container=CONTAINER, tail_lines=number
            )
        except (ApiException, EngineProblem):
            return b""
        return str(words).encode()

    async def end(self) -> None:
        """Delete it, and return when it is gone. One that is gone already is no error."""
        self.ended = lambda: None
        if self.name:
            # A cluster that is away: it is removed when it is back.
            self._cluster.condemned.add(self.name)
            with contextlib.suppress(ApiException, EngineProblem):
                await self._delete()
                self._cluster.condemned.discard(self.name)
        self.over = True
        self._no_more()

    async def _delete(self) -> None:
        until = time.monotonic() + GONE_SECONDS
        try:
            await self._cluster.call(
                "delete_namespaced_pod", self.name, grace_period_seconds=STOP_SECONDS
            )
            while time.monotonic() < until:
                await self._cluster.changed(self.name, LOOK_SECONDS)
                if self.name not in self._cluster.pods:
                    await self._cluster.call("read_namespaced_pod", self.name)
        except ApiException as error:
            if error.status != NOT_THERE:
                raise
