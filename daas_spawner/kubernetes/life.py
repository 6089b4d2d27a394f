"""The life of one pod, as the cluster's watch tells it: made, seen, gone.

Used by `backend.py`. The API is asked to make the pod and to delete it, and now and then while
the watch has no such pod: a list may be a moment old.
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
from daas_spawner.kubernetes.seen import CONTAINER, HUB, UNREADABLE, EventSeen, PodSeen

#: What was ended is gone within this time, or the cluster has lost its node.
GONE_SECONDS = 30.0
LOOK_SECONDS = 2.0
#: So often a pod is asked after that the watch does not have: a label may be gone from it.
ASK_SECONDS = 5.0
#: Of its last lines so much is kept.
MOST_BYTES = 256 * 1024


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
        """Make the pod; one of that name, which this hub forgot, is ended first.

        Raises `ApiException`, and `EngineProblem` when somebody else has that name.
        """
        self._follow(name)
        try:
            made = await self._cluster.json("create_namespaced_pod", body=manifest)
        except ApiException as error:
            if error.status != ALREADY_THERE:
                raise
            if forgotten := await self._ours():
                await self._delete(forgotten)
            made = await self._cluster.json("create_namespaced_pod", body=manifest)
        self.uid = made["metadata"]["uid"]
        self._take(self._cluster.pods.get(name))

    def find(self, name: str, uid: str) -> None:
        """Take a pod that there is already."""
        self._follow(name)
        self.uid = uid
        if self._cluster.looked.is_set():
            self._take(self._cluster.pods.get(name))

    def _follow(self, name: str) -> None:
        self._no_more()
        self._ask_no_more()
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
        self._ask_no_more()
        self._see(seen)

    def _see(self, seen: PodSeen) -> None:
        self.seen = seen
        self._changed.set()
        if seen.over:
            self._is_over()

    async def _ask(self) -> None:
        """Look after a pod that the watch does not have, until it is over."""
        while not self.over:
            try:
                found = PodSeen.parse(await self._cluster.json("read_namespaced_pod", self.name))
            except ApiException as error:
                if error.status == NOT_THERE:
                    self._is_over()
            except (EngineProblem, *UNREADABLE):
                pass
            else:
                if found.uid == self.uid:
                    self._see(found)
                else:
                    self._is_over()
            await asyncio.sleep(ASK_SECONDS)

    def _ask_no_more(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

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
            return await self._cluster.pod_log(self.name, CONTAINER, number, MOST_BYTES)
        except (ApiException, EngineProblem):
            return b""

    async def end(self) -> None:
        """Delete it, and return when it is gone. One that is gone already is no error."""
        self.ended = lambda: None
        with contextlib.suppress(ApiException, EngineProblem):
            # A start that was cut short may have made one, and not heard of it.
            uid = self.uid or (await self._ours() if self.name else "")
            if uid:
                # A cluster that is away, or does not let us: it is removed when it does.
                self._cluster.condemned.add(uid)
                await self._delete(uid)
                self._cluster.condemned.discard(uid)
        self.over = True
        self._no_more()
        self._ask_no_more()

    def leave(self) -> None:
        """Let the cluster's tidying remove it, which has ended by itself."""
        there = self._cluster.pods.get(self.name)
        if there is not None and there.uid == self.uid:
            self._cluster.condemned.add(self.uid)
        self._no_more()

    async def _ours(self) -> str:
        """Return the number of the pod that has its name now; empty when there is none.

        Raises `EngineProblem` when that is no session's of this hub.
        """
        try:
            found = await self._cluster.json("read_namespaced_pod", self.name)
        except ApiException as error:
            if error.status != NOT_THERE:
                raise
            return ""
        if (found["metadata"].get("labels") or {}).get(HUB) != self._cluster.hub:
            raise EngineProblem(
                "The cluster has something else by the name of this session, so nothing was "
                "started.",
                detail=f"the pod {self.name} is none of this hub",
            )
        return str(found["metadata"]["uid"])

    async def _delete(self, uid: str) -> None:
        until = time.monotonic() + GONE_SECONDS
        try:
            await self._cluster.delete_pod(self.name, uid)
            while time.monotonic() < until:
                await self._cluster.changed(self.name, LOOK_SECONDS)
                seen = self._cluster.pods.get(self.name)
                if seen is None or seen.uid != uid:
                    found = await self._cluster.json("read_namespaced_pod", self.name)
                    if found["metadata"]["uid"] != uid:
                        return
        except ApiException as error:
            # Another has its name now.
            if error.status not in (NOT_THERE, ALREADY_THERE):
                raise
