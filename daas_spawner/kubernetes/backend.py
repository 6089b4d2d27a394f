"""The back end for a cluster: one session is one pod.

What the pod does is told by the cluster's one watch; a session asks the API only to begin and to
end. A hub that was restarted finds the pod again by its name and number.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubernetes_asyncio.client import ApiException

from daas_model.errors import DaasError, EngineProblem
from daas_spawner.backend import State
from daas_spawner.containers.images import ContainerImages
from daas_spawner.kubernetes import outside, reasons
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.life import PodLife
from daas_spawner.kubernetes.pod import Pod
from daas_spawner.kubernetes.refusals import refusal_of
from daas_spawner.kubernetes.rendering import PORT, PodPlace, shut_in, variables
from daas_spawner.kubernetes.settings import ClusterSessions
from daas_spawner.plan import SessionPlan
from daas_spawner.session.keeper import READY_SECONDS, key_of
from daas_spawner.session.last_lines import LAST_LINES, keep_lines

if TYPE_CHECKING:
    from daas_spawner.backends import Place

#: A first program makes its socket within a moment; until then there is nobody to answer.
DOOR_SECONDS = 0.03
CONNECT_SECONDS = 1.0


class PodBackend:
    """One session in a pod of *cluster*."""

    #: A session reaches the hub by the network.
    hub_folder: Path | None = None

    def __init__(
        self,
        place: "Place",
        cluster: Cluster,
        pod: Pod,
        images: ContainerImages,
        settings: ClusterSessions,
    ) -> None:
        self._place = place
        self._cluster = cluster
        self._pod = pod
        self._images = images
        self._settings = settings
        self._key = key_of(place.run_folder, place.name)
        self._life = PodLife(cluster)
        self._title = ""
        self._log_file = place.log_folder / f"{place.name}.log"

    async def start(self, plan: SessionPlan) -> str:
        """Start the session; see `daas_spawner.backend.Backend`."""
        self._title = plan.app.title
        # Another hub's session of the same person and name has another.
        name = f"{self._pod.pod_name}-{key_of(Path(self._cluster.hub), self._place.name)}"
        manifest = await self._manifest(plan, name)
        try:
            await self._life.begin(name, manifest)
            address = await self._running()
            await self._answers(address)
        except BaseException as error:
            try:
                await self._keep_last_lines()
            finally:
                await self._life.end()
            if isinstance(error, ApiException):
                raise refusal_of(error) from None
            raise
        return f"http://{_host(address)}:{PORT}"

    async def _manifest(self, plan: SessionPlan, name: str) -> dict[str, Any]:
        await asyncio.to_thread(outside.check_home, plan)
        engine = self._cluster.engine
        hub_name = urlsplit(engine.hub_url).hostname or ""
        place = PodPlace(
            name=name,
            hub=self._cluster.hub,
            key=self._key,
            session=self._place.session,
            network=engine.network,
            volumes=engine.volumes,
            hub_name=hub_name,
            hub_address=await outside.address_of(hub_name),
            icon=await asyncio.to_thread(outside.icon, plan),
            notice_seconds=self._settings.notice_seconds,
            scratch_gib=self._settings.scratch_gib,
        )
        image = self._images.image_of(plan.app.name)
        made = await self._pod.manifest(image.name, PORT, variables(plan))
        return shut_in(await self._cluster.plain(made), plan, place)

    async def _running(self) -> str:
        """Return the pod's address once its container runs. Raises `DaasError` if it will not."""
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            seen = self._life.seen
            if seen is not None:
                if seen.running and seen.ip and not seen.ends_at:
                    return seen.ip
                patience = self._settings.patience_seconds
                problem = reasons.failure(seen, self._life.events, waited, patience)
                if problem is not None:
                    raise problem
            if self._life.over or (seen is None and waited > READY_SECONDS):
                raise EngineProblem("The app did not start: its pod is gone from the cluster.")
            await self._life.change(1)

    async def _answers(self, address: str) -> None:
        """Return once the session's server answers. Raises `DaasError` if it does not."""
        asking = asyncio.ensure_future(_first_answer(address, f"{self._place.base_url}api"))
        until = time.monotonic() + READY_SECONDS
        try:
            while not asking.done() and not self._life.over and time.monotonic() < until:
                change = asyncio.ensure_future(self._life.change(1))
                await asyncio.wait({asking, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
            if not asking.done() or asking.exception() or asking.result() >= 500:
                raise self._failed()
        finally:
            asking.cancel()

    def _failed(self) -> DaasError:
        seen = self._life.seen
        problem = reasons.failure(seen, (), 0, READY_SECONDS) if seen is not None else None
        words = f"its last words are in {self._log_file}"
        return problem or EngineProblem("The app did not start.", detail=words)

    def is_running(self) -> bool:
        """Return whether the session runs, as far as the watch knows."""
        return self._life.running

    def progress(self) -> str:
        """Return what the start waits for."""
        seen = self._life.seen
        if seen is None or seen.running:
            return ""
        return reasons.waits_for(seen, self._life.events, self._title, time.time())

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* when the session ends; see `daas_spawner.backend.Backend`."""
        told = False

        def once() -> None:
            nonlocal told
            if not told:
                told = True
                self._telling = asyncio.ensure_future(self._tell(ended))

        self._life.ended = once
        if self._life.over:
            once()

    async def _tell(self, ended: Callable[[], None]) -> None:
        try:
            await self._keep_last_lines()
        finally:
            self._life.leave()
            ended()

    def ending(self) -> str:
        """Return why the session ended; see `daas_spawner.backend.Backend`."""
        seen = self._life.seen
        return reasons.ending(seen) if seen is not None and self._life.over else ""

    def notice(self, title: str) -> str:
        """Return a sentence while the cluster ends this session."""
        seen = self._life.seen
        if seen is None or self._life.over or not seen.ends_at:
            return ""
        clock = time.strftime("%H:%M UTC", time.gmtime(seen.ends_at))
        return reasons.notice(seen, title, clock)

    async def stop(self) -> None:
        """End the session; see `daas_spawner.backend.Backend`."""
        await self._life.end()

    async def _keep_last_lines(self) -> None:
        if self._life.uid:
            lines = await self._life.last_lines(LAST_LINES)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(keep_lines, self._log_file, lines)

    def state(self) -> State:
        """Return the pod's name and number."""
        return {"pod": self._life.name, "uid": self._life.uid}

    def restore(self, state: State) -> None:
        """Find the session again; a state that is not ours counts as ended."""
        name, uid = state.get("pod"), state.get("uid")
        if isinstance(name, str) and isinstance(uid, str) and name and uid:
            self._life.find(name, uid)
            if self._life.over:  # nobody will watch it
                self.watch(lambda: None)


async def _first_answer(address: str, path: str) -> int:
    """Return the status of the session's first answer, however long it takes to have a door.

    On a connection of its own: a client that keeps connections may have one to an earlier pod with
    the same address.
    """
    asked = f"GET {path} HTTP/1.0\r\nHost: {_host(address)}:{PORT}\r\n\r\n".encode()
    while True:
        with contextlib.suppress(OSError, TimeoutError, IndexError, ValueError):
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(address, PORT)
            try:
                writer.write(asked)
                return int((await reader.readline()).split()[1])
            finally:
                writer.close()
        await asyncio.sleep(DOOR_SECONDS)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
