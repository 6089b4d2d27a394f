"""The back end for a cluster: one session is one pod.

What its pod does is told by the cluster's one watch; this session asks the API only to begin and
to end. A hub that was restarted finds the pod again by its name and number.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyterhub.httpclient import fetch
from kubernetes_asyncio.client import ApiException

from daas_model.errors import DaasError, EngineProblem, StorageProblem
from daas_spawner.backend import State
from daas_spawner.containers.images import ContainerImages
from daas_spawner.kubernetes import reasons
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.pod import Pod
from daas_spawner.kubernetes.refusals import ALREADY_THERE, NOT_THERE, refusal_of
from daas_spawner.kubernetes.rendering import PORT, STOP_SECONDS, PodPlace, shut_in, variables
from daas_spawner.kubernetes.seen import CONTAINER, PodSeen
from daas_spawner.kubernetes.settings import ClusterSessions
from daas_spawner.plan import APPS, SessionPlan
from daas_spawner.session.keeper import READY_SECONDS, key_of
from daas_spawner.session.last_lines import LAST_LINES, keep_lines

if TYPE_CHECKING:
    from daas_spawner.backends import Place

#: What was ended is gone within this time, or the cluster has lost its node.
GONE_SECONDS = 30.0
#: A first program makes its socket within a moment; until then there is nobody to answer.
DOOR_SECONDS = 0.03


class PodBackend:
    """One session in a pod of *cluster*."""

    #: A session reaches the hub by the network.
    hub_folder = None

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
        self._name, self._uid = "", ""
        self._seen: PodSeen | None = None
        self._title = ""
        self._gone = False
        self._changed = asyncio.Event()
        self._ended: Callable[[], None] = lambda: None
        self._no_more: Callable[[], None] = lambda: None
        self._asking: asyncio.Task[None] | None = None

    async def start(self, plan: SessionPlan) -> str:
        """Start the session; see `daas_spawner.backend.Backend`."""
        self._title = plan.app.title
        manifest = await self._manifest(plan)
        self._follow(f"{self._pod.pod_name}-{self._key}")
        try:
            await self._create(manifest)
            address = await self._running()
            await self._answers(address)
        except BaseException as error:
            await self._end(keep_words=True)
            if isinstance(error, ApiException):
                raise refusal_of(error) from None
            raise
        return f"http://{_host(address)}:{PORT}"

    async def _manifest(self, plan: SessionPlan) -> dict[str, object]:
        image = self._images.image_of(plan.app.name)
        await asyncio.to_thread(_check_home, plan)
        engine = self._cluster.engine
        hub_name = urlsplit(engine.hub_url).hostname or ""
        place = PodPlace(
            name=f"{self._pod.pod_name}-{self._key}",
            hub=self._cluster.hub,
            key=self._key,
            session=self._place.session,
            network=engine.network,
            volumes=engine.volumes,
            hub_name=hub_name,
            hub_address=await _address_of(hub_name),
            icon=await asyncio.to_thread(_icon, plan),
            notice_seconds=self._settings.notice_seconds,
            scratch_gib=self._settings.scratch_gib,
        )
        made = await self._pod.manifest(image.name, PORT, variables(plan))
        return shut_in(await self._cluster.plain(made), plan, place)

    def _follow(self, name: str) -> None:
        self._no_more()
        self._name, self._uid, self._seen, self._gone = name, "", None, False
        self._no_more = self._cluster.tell(name, self._take)

    async def _create(self, manifest: dict[str, object]) -> None:
        try:
            made = await self._cluster.call("create_namespaced_pod", body=manifest)
        except ApiException as error:
            if error.status != ALREADY_THERE:
                raise
            # A hub that forgot it has left it.
            await self._delete(self._name)
            made = await self._cluster.call("create_namespaced_pod", body=manifest)
        self._uid = made.metadata.uid
        self._take(self._cluster.pods.get(self._name))

    def _take(self, seen: PodSeen | None) -> None:
        """Take what the watch tells of the pod of our name; None when there is none."""
        if seen is None or (self._uid and seen.uid != self._uid):
            # What is watched may be a moment behind.
            if self._uid and not self._gone and self._asking is None:
                self._asking = asyncio.ensure_future(self._ask())
            return
        if not self._uid:
            return
        self._seen = seen
        if seen.over:
            self._over()
        self._changed.set()

    async def _ask(self) -> None:
        try:
            found = await self._cluster.call("read_namespaced_pod", self._name)
            gone = found.metadata.uid != self._uid
        except ApiException as error:
            gone = error.status == NOT_THERE
        except EngineProblem:
            gone = False
        self._asking = None
        if gone:
            self._over()

    def _over(self) -> None:
        if not self._gone:
            self._gone = True
            self._changed.set()
            asyncio.get_running_loop().call_soon(self._ended)

    async def _running(self) -> str:
        """Return the pod's address once its container runs. Raises `DaasError` if it will not."""
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            seen = self._seen
            if seen is not None:
                if seen.running and seen.ip and not seen.ends_at:
                    return seen.ip
                events = self._cluster.events_of(seen)
                patience = self._settings.patience_seconds
                problem = reasons.failure(seen, events, waited, patience)
                if problem is not None:
                    raise problem
            if self._gone or (seen is None and waited > READY_SECONDS):
                raise EngineProblem("The app did not start: its pod is gone from the cluster.")
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._changed.wait()

    async def _answers(self, address: str) -> None:
        """Return once the session's server answers. Raises `DaasError` if it does not."""
        url = f"http://{_host(address)}:{PORT}{self._place.base_url}api"
        asking = asyncio.ensure_future(_first_answer(address, url))
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not asking.done():
                    if self._gone:
                        break
                    self._changed.clear()
                    change = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait({asking, change}, return_when=asyncio.FIRST_COMPLETED)
                    change.cancel()
        except TimeoutError:
            pass
        if asking.done() and not asking.exception() and asking.result() < 500:
            return
        asking.cancel()
        raise self._failed()

    def _failed(self) -> DaasError:
        problem = None
        if self._seen is not None and (self._seen.over or self._seen.ends_at):
            problem = reasons.failure(self._seen, (), 0, 0)
        return problem or EngineProblem(
            "The app did not start.", detail=f"its last words are in {self._log_file}"
        )

    @property
    def _log_file(self) -> Path:
        return self._place.log_folder / f"{self._place.name}.log"

    def is_running(self) -> bool:
        """Return whether the session runs, as far as the watch knows."""
        return bool(self._uid) and not self._gone

    def progress(self) -> str:
        """Return what the start waits for."""
        if self._seen is None or self._seen.running:
            return ""
        events = self._cluster.events_of(self._seen)
        return reasons.waits_for(self._seen, events, self._title, time.time())

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* when the session ends; see `daas_spawner.backend.Backend`."""
        told = False

        def once() -> None:
            nonlocal told
            if not told:
                told = True
                self._learning = asyncio.ensure_future(self._keep_last_lines())
                ended()

        self._ended = once
        if self._gone:
            asyncio.get_running_loop().call_soon(once)

    def ending(self) -> str:
        """Return why the session ended; see `daas_spawner.backend.Backend`."""
        return reasons.ending(self._seen) if self._seen is not None and self._gone else ""

    def notice(self, title: str) -> str:
        """Return a sentence while the cluster ends this session."""
        if self._seen is None or self._gone or not self._seen.ends_at:
            return ""
        clock = time.strftime("%H:%M UTC", time.gmtime(self._seen.ends_at))
        return reasons.notice(self._seen, title, clock)

    async def stop(self) -> None:
        """End the session; see `daas_spawner.backend.Backend`."""
        self._ended = lambda: None
        await self._end()

    async def _end(self, keep_words: bool = False) -> None:
        if self._name:
            # A cluster that is away: what is left is removed when it is back.
            self._cluster.condemned.add(self._name)
            with contextlib.suppress(ApiException, EngineProblem):
                if keep_words:
                    await self._keep_last_lines()
                await self._delete(self._name)
                self._cluster.condemned.discard(self._name)
        self._gone = True
        self._no_more()

    async def _delete(self, name: str) -> None:
        """Delete a pod, and return when it is gone."""
        until = time.monotonic() + GONE_SECONDS
        options = {"grace_period_seconds": STOP_SECONDS}
        try:
            await self._cluster.call("delete_namespaced_pod", name, **options)
            while time.monotonic() < until:
                await self._cluster.changed(name, 2.0)
                if name not in self._cluster.pods:
                    await self._cluster.call("read_namespaced_pod", name)
        except ApiException as error:
            if error.status != NOT_THERE:
                raise

    async def _keep_last_lines(self) -> None:
        if not self._uid:
            return
        with contextlib.suppress(ApiException, EngineProblem, OSError):
            words = await self._cluster.call(
                "read_namespaced_pod_log", self._name, container=CONTAINER, tail_lines=LAST_LINES
            )
            await asyncio.to_thread(keep_lines, self._log_file, words.encode())

    def state(self) -> State:
        """Return the pod's name and number."""
        return {"pod": self._name, "uid": self._uid}

    def restore(self, state: State) -> None:
        """Find the session again; a state that is not ours counts as ended."""
        name, uid = state.get("pod"), state.get("uid")
        if not (isinstance(name, str) and isinstance(uid, str) and name and uid):
            return
        self._follow(name)
        self._uid = uid
        if self._cluster.looked.is_set():
            self._take(self._cluster.pods.get(name))


async def _first_answer(address: str, url: str) -> int:
    """Return the status of the session's first answer, however long it takes to have a door."""
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(address, PORT)
            writer.close()
            answer = await fetch(url, raise_for_status=False, allow_redirects=False)
            return int(answer.status)
        await asyncio.sleep(DOOR_SECONDS)


async def _address_of(name: str) -> str:
    """Return the address of a host; empty when it is one already, or is not known."""
    if not name or name.replace(".", "").isdigit() or ":" in name:
        return ""
    with contextlib.suppress(OSError):
        found = await asyncio.get_running_loop().getaddrinfo(name, None)
        return str(found[0][4][0])
    return ""


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _check_home(plan: SessionPlan) -> None:
    """Look at the home where the hub sees it; a cluster makes a missing one, as root.

    Raises `StorageProblem`.
    """
    home = plan.mounts[0].source
    try:
        found = os.lstat(home)
    except FileNotFoundError as error:
        if not os.path.isdir(home.parent):
            return  # the hub has no such volume
        raise StorageProblem("Your home folder is missing.", detail=str(home)) from error
    except OSError:
        return  # only its owner may look, and the session does
    if found.st_uid != plan.account.uid or not os.path.isdir(home) or os.path.islink(home):
        raise StorageProblem(
            "Your home folder is missing, is not yours, or cannot be written.", detail=str(home)
        )


def _icon(plan: SessionPlan) -> str:
    """Return the app's picture if it is a text; empty when there is none that can be read."""
    folder = next((mount.source for mount in plan.mounts if mount.target == APPS), None)
    if folder is None:
        return ""
    try:
        return Path(folder / plan.app.name / plan.app.icon).read_text("utf-8")
    except (OSError, ValueError):
        return ""
