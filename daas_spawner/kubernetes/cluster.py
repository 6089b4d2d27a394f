"""One cluster and namespace: the one watch of all its sessions.

Two requests stay open, one for our pods and one for events of pods, however many sessions there
are. While the cluster's API is away what was seen last counts: sessions run on without it.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from kubernetes_asyncio.client import ApiException

from daas_model.engines import Engine
from daas_model.errors import EngineProblem
from daas_spawner.kubernetes.api import AWAY, CALL_SECONDS, Api
from daas_spawner.kubernetes.leftovers import left_over
from daas_spawner.kubernetes.seen import HUB, UNREADABLE, EventSeen, PodSeen, Raw

#: The API ends a watch after this time; a connection on which nothing came for longer is dead.
WATCH_SECONDS = 240
TIDY_SECONDS = 10.0
#: Between two tries while the API is away.
AGAIN_SECONDS = (0.2, 5.0)
GONE = 410
#: The cluster puts it there for each pod with a login.
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
#: So many events are kept of a pod; the latest tell what it waits for.
EVENTS_KEPT = 20

_log = logging.getLogger("JupyterHub.daas.engine")

#: A pod that changed, None when it is no longer there.
Told = Callable[[PodSeen | None], None]
Seen = TypeVar("Seen", PodSeen, EventSeen)


class Cluster(Api):
    """One engine of kind `kubernetes`, shared by all sessions on it: see `of`."""

    _made: ClassVar[dict[tuple[str, Path], "Cluster"]] = {}

    def __init__(self, engine: Engine, run_folder: Path) -> None:
        super().__init__(engine)
        #: What tells this hub's pods from another's: two in containers have the same folder.
        words = (str(run_folder), engine.hub_url, *([] if engine.address else [_own_namespace()]))
        self.hub = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
        self._run_folder = run_folder
        #: Why nothing can be started there, in a sentence; empty while it answers.
        self.problem = ""
        #: Set once that is known.
        self.looked = asyncio.Event()
        #: Our pods by name, as they were seen last.
        self.pods: dict[str, PodSeen] = {}
        #: Pods that could not be removed when their sessions were ended, by their numbers.
        self.condemned: set[str] = set()
        self._began = time.time()
        self._events: dict[str, list[EventSeen]] = defaultdict(list)
        self._told: dict[str, list[Told]] = defaultdict(list)
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, engine: Engine, run_folder: Path) -> "Cluster":
        """Return the one for this engine and the hub with this *run_folder*; it watches now."""
        key = (engine.name, run_folder)
        if key not in cls._made:
            cls._made[key] = cls(engine, run_folder)
        found = cls._made[key]
        if found._watch is None:
            found._watch = asyncio.ensure_future(found._keep_watching())
        return found

    @classmethod
    def made(cls) -> list["Cluster"]:
        """Return all of this process."""
        return list(cls._made.values())

    def tell(self, pod: str, told: Told) -> Callable[[], None]:
        """Call *told* whenever *pod* changes, until the function that is returned is called."""
        self._told[pod].append(told)

        def no_more() -> None:
            with contextlib.suppress(ValueError):
                self._told[pod].remove(told)
            if not self._told[pod]:
                del self._told[pod]
                self._events.pop(pod, None)

        return no_more

    async def changed(self, pod: str, seconds: float) -> None:
        """Return when *pod* has changed, or after *seconds*."""
        change = asyncio.Event()
        no_more = self.tell(pod, lambda _: change.set())
        try:
            async with asyncio.timeout(seconds):
                await change.wait()
        except TimeoutError:
            pass
        finally:
            no_more()

    def events_of(self, pod: PodSeen) -> list[EventSeen]:
        """Return what happened to *pod*, the latest last, if somebody wants to know of it."""
        return [event for event in self._events.get(pod.name, ()) if event.pod_uid == pod.uid]

    async def _keep_watching(self) -> None:
        ours = f"{HUB}={self.hub}"
        await asyncio.gather(
            self._follow("list_namespaced_pod", self._take_pods, label_selector=ours),
            self._follow(
                "list_namespaced_event",
                self._take_events,
                says_whether_away=False,
                field_selector="involvedObject.kind=Pod",
            ),
            self._keep_tidy(),
        )

    async def _keep_tidy(self) -> None:
        """Remove pods that nobody keeps; looks at what the watch has seen only."""
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            now = time.time()
            kept = self._told.__contains__
            for pod in left_over(self.pods.values(), kept, self.condemned, now - self._began, now):
                _log.info("Removing the pod %s, which is left of a session.", pod.name)
                with contextlib.suppress(ApiException, EngineProblem):
                    await self.delete_pod(pod.name, pod.uid)

    async def _follow(
        self,
        method: str,
        take: Callable[[list[tuple[str, Raw]], bool], None],
        says_whether_away: bool = True,
        **which: str,
    ) -> None:
        """List what there is, then take every change; for good."""
        answers = self._answers if says_whether_away else lambda *_: None
        version, pause = "", AGAIN_SECONDS[0]
        while True:
            try:
                if not version:
                    found = await self.json(method, resource_version="0", **which)
                    take([("ADDED", item) for item in found["items"]], True)
                    version = found["metadata"]["resourceVersion"]
                    answers("")
                async for kind, item in self._changes(method, version, which):
                    pause = AGAIN_SECONDS[0]
                    answers("")
                    version = item["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        take([(kind, item)], False)
                pause = AGAIN_SECONDS[0]
            except (EngineProblem, ApiException, *AWAY, *UNREADABLE) as error:
                version = ""
                if getattr(error, "status", None) != GONE:
                    answers(f"“{self.engine.title}” does not answer.", error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, AGAIN_SECONDS[1])

    async def _changes(
        self, method: str, version: str, which: Mapping[str, str]
    ) -> AsyncIterator[tuple[str, Raw]]:
        """Yield every change since *version*. Raises `ApiException` when that is too long ago."""
        answer = await self.raw(
            method,
            watch=True,
            allow_watch_bookmarks=True,
            resource_version=version,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=(CALL_SECONDS, WATCH_SECONDS + CALL_SECONDS),
            **which,
        )
        async with answer:
            # Not by the client's lines: those have a largest length, and pods do not.
            rest = b""
            async for block in answer.content.iter_any():
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    change = json.loads(line)
                    if change["type"] == "ERROR":
                        raise ApiException(status=change["object"].get("code"))
                    yield change["type"], change["object"]

    def _take_pods(self, changes: list[tuple[str, Raw]], all_there_is: bool) -> None:
        now: dict[str, PodSeen | None] = {}
        for kind, pod in _read(PodSeen.parse, changes):
            now[pod.name] = None if kind == "DELETED" else pod
            if kind == "DELETED":  # its last words, for who wants to know why it ended
                self._tell(pod.name, pod)
                self.condemned.discard(pod.uid)
        if all_there_is:
            self.condemned &= {pod.uid for pod in now.values() if pod}
            now.update(dict.fromkeys(self.pods.keys() - now.keys()))
            now.update(dict.fromkeys(self._told.keys() - now.keys()))
        for name, seen in now.items():
            known = self.pods.pop(name, None)
            if seen is not None:
                self.pods[name] = seen
            if known != seen or all_there_is:
                self._tell(name, seen)

    def _take_events(self, changes: list[tuple[str, Raw]], all_there_is: bool) -> None:
        if all_there_is:
            self._events.clear()
        for kind, event in _read(EventSeen.parse, changes):
            if kind != "DELETED" and event.pod in self._told:
                self._events[event.pod] = [*self._events[event.pod], event][-EVENTS_KEPT:]
                if event.pod in self.pods:
                    self._tell(event.pod, self.pods[event.pod])

    def _tell(self, pod: str, seen: PodSeen | None) -> None:
        for told in list(self._told.get(pod, ())):
            told(seen)

    def _answers(self, problem: str, error: BaseException | None = None) -> None:
        if problem != self.problem:
            detail = f" {type(error).__name__} {getattr(error, 'status', '')}" if error else ""
            _log.warning(
                "Engine %s: %s%s", self.engine.name, problem or "it answers again.", detail
            )
        self.problem = problem
        self.looked.set()

    async def close(self) -> None:
        """End the watch. For tests; a hub has its engines for life."""
        self._made.pop((self.engine.name, self._run_folder), None)
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await super().close()


def _read(
    parse: Callable[[Raw], Seen], changes: list[tuple[str, Raw]]
) -> Iterator[tuple[str, Seen]]:
    """Yield the changes that can be read: what cannot must not hide the others."""
    for kind, item in changes:
        try:
            seen = parse(item)
        except UNREADABLE as error:
            _log.warning("Something in the cluster cannot be read: %s", type(error).__name__)
        else:
            yield kind, seen


def _own_namespace() -> str:
    """Return the namespace of this hub's own pod; empty where it is in none."""
    try:
        return OWN_NAMESPACE.read_text("utf-8").strip()
    except OSError:
        return ""
