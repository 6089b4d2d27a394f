"""One container engine: calls within a time, in threads, and the one watch of all its sessions.

docker-py waits for answers, and an engine may hang; the hub's loop never waits with it.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from daas_model.engines import Engine
from daas_model.errors import EngineProblem

CALL_SECONDS = 60.0
#: The watch asks once per interval, however many sessions there are.
WATCH_SECONDS = 5.0
#: An engine that takes longer to answer the watch counts as away.
LOOK_SECONDS = 5.0
THREADS = 8

_log = logging.getLogger("JupyterHub.daas.engine")

#: A container as the engine's list gives it.
Listed = Mapping[str, Any]


class ContainerEngine:
    """One engine of the configuration, shared by all sessions on it: see `of`."""

    _made: ClassVar[dict[str, "ContainerEngine"]] = {}

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        #: Why nothing can be started there, in a sentence; empty while it answers.
        self.problem = ""
        #: Set once that is known.
        self.looked = asyncio.Event()
        self.calls = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"engine-{engine.name}")
        # Its own: many slow starts and stops do not make an engine look as if it were away.
        self._watching = ThreadPoolExecutor(1, thread_name_prefix=f"watch-{engine.name}")
        self._own = threading.local()
        self._watch: asyncio.Task[None] | None = None
        self._told: dict[str, Callable[[list[Listed]], Awaitable[None]]] = {}
        self._asked: dict[str, asyncio.Future[list[Listed]]] = {}

    @classmethod
    def of(cls, engine: Engine) -> "ContainerEngine":
        """Return the one for this engine, in this process."""
        if engine.address not in cls._made:
            cls._made[engine.address] = cls(engine)
        return cls._made[engine.address]

    @property
    def client(self) -> docker.APIClient:
        """The calling thread's own client."""
        if not hasattr(self._own, "client"):
            self._own.client = docker.APIClient(
                self.engine.address, version="auto", timeout=CALL_SECONDS
            )
        client: docker.APIClient = self._own.client
        return client

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return what docker-py's *method* returns.

        Raises docker-py's `APIError` for what the engine refuses, `EngineProblem` when it does
        not answer.
        """
        return await self._call(self._threads, partial(self._ask, method, *args, **kwargs))

    async def _call(self, threads: ThreadPoolExecutor, ask: Callable[[], Any]) -> Any:
        self.calls += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await loop.run_in_executor(threads, ask)
        except APIError:
            raise
        except (DockerException, RequestException, OSError, TimeoutError) as error:
            raise self._unreachable(error) from None

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        client = self.client
        try:
            return getattr(client, method)(*args, **kwargs)
        finally:
            # It can be used again. docker-py keeps a connection for every address that it asked.
            client.close()

    def _unreachable(self, error: Exception) -> EngineProblem:
        return EngineProblem(
            f"The machines of “{self.engine.title}” do not answer, so nothing was started or ended "
            "there.",
            "Choose another machine, or try again in a few minutes. Your data is not affected.",
            detail=f"{self.engine.address}: {type(error).__name__}",
        )

    def watch(self, label: str, tell: Callable[[list[Listed]], Awaitable[None]]) -> None:
        """Call *tell* with all containers that have *label*, once per interval, for good.

        For whoever asks first, and again for each: must be called with a running loop.
        """
        self._told[label] = tell
        if self._watch is None or self._watch.done():
            self._watch = asyncio.ensure_future(self._keep_watching())

    async def _keep_watching(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(WATCH_SECONDS)

    async def look(self) -> None:
        """Ask once, and note whether the engine answers."""
        try:
            for label, tell in list(self._told.items()):
                await tell(await self._listed(label))
            problem = ""
        except (EngineProblem, APIError, TimeoutError):
            problem = f"“{self.engine.title}” does not answer."
        if problem != self.problem:
            _log.warning("Engine %s: %s", self.engine.name, problem or "it answers again.")
        self.problem = problem
        self.looked.set()

    async def _listed(self, label: str) -> list[Listed]:
        """Return the containers with *label*. An engine that hangs is asked once, not again."""
        ask = partial(self._ask, "containers", all=True, filters={"label": label})
        question = self._asked.pop(label, None) or asyncio.ensure_future(
            self._call(self._watching, ask)
        )
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await asyncio.shield(question)
        except TimeoutError:
            self._asked[label] = question
            raise

    async def close(self) -> None:
        """End the watch. For tests; a hub has its engines for life."""
        self._made.pop(self.engine.address, None)
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        for threads in (self._threads, self._watching):
            threads.shutdown(wait=False, cancel_futures=True)
