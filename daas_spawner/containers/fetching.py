"""Images for sessions: there, or fetched once for everybody who asks. Used by the back end.

A fetch belongs to its engine and not to who asked: it goes on when she signs out, and whoever
asks next takes it up. It ends with the hub; the engine then drops what it had begun.
"""

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from docker.auth import encode_header
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from daas_model.apps import App
from daas_model.errors import DaasError, EngineProblem, ImageProblem
from daas_spawner.containers.engine import CALL_SECONDS, ContainerEngine
from daas_spawner.containers.fetch_problems import (
    BROKE_OFF,
    LATER,
    NOT_HERE,
    NOT_MADE_FOR_US,
    fetch_problem,
)
from daas_spawner.containers.images import ContainerImages, Image
from daas_spawner.containers.progress import FetchProgress, Layers
from daas_spawner.containers.pull_secret import Login, read_login

#: The label that `images/base/Dockerfile` sets: the image brings what the portal needs.
RUNTIME = ("daas.runtime", "1")

_log = logging.getLogger("JupyterHub.daas.images")


@dataclass(frozen=True, slots=True)
class _Fetch:
    task: asyncio.Task[None]
    layers: Layers


class Fetches:
    """All fetches of one engine: see `of`."""

    _made: ClassVar[dict[str, "Fetches"]] = {}

    def __init__(self, engine: ContainerEngine, images: ContainerImages) -> None:
        self._engine = engine
        self._images = images
        self._running: dict[str, _Fetch] = {}

    @classmethod
    def of(cls, engine: ContainerEngine, images: ContainerImages) -> "Fetches":
        """Return the one for this engine, in this process."""
        address = engine.engine.address
        if address not in cls._made or cls._made[address]._engine is not engine:
            cls._made[address] = cls(engine, images)
        return cls._made[address]

    async def ensure(self, app: App) -> str:
        """Return the name of the app's image once the engine has it; it is fetched if need be.

        One that is there costs one question to the engine. To cancel this stops the waiting and
        not the fetch. Raises `ImageProblem`, and `EngineProblem` when the engine is away.
        """
        image = self._images.image_of(app.name)
        if image.name not in self._running and await self._is_there(image):
            return image.name
        fetch = self._running.get(image.name) or self._begin(image)
        await asyncio.shield(fetch.task)
        return image.name

    def progress(self, app: App) -> FetchProgress | None:
        """Return how far the fetch of the app's image is, None when none runs."""
        fetch = self._running.get(self._images.image_of(app.name).name)
        return fetch.layers.progress if fetch else None

    def sentence(self, app: App) -> str:
        """Return how far the fetch is in words for a page, empty when none runs."""
        progress = self.progress(app)
        return progress.sentence(app.title) if progress else ""

    def _begin(self, image: Image) -> _Fetch:
        layers = Layers()
        task = asyncio.create_task(self._fetch(image, layers))
        self._running[image.name] = fetch = _Fetch(task, layers)
        task.add_done_callback(partial(self._ended, image.name, time.monotonic()))
        return fetch

    def _ended(self, name: str, began: float, task: asyncio.Task[None]) -> None:
        """Whoever asked may be gone, so that the log is where it is read."""
        del self._running[name]
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            _log.info("Image %s was fetched in %.0f s.", name, time.monotonic() - began)
        elif isinstance(error, DaasError):
            _log.warning("%s %s [%s]", error.message, error.detail or name, error.code)
        else:
            _log.error("Image %s was not fetched.", name, exc_info=error)

    async def _is_there(self, image: Image) -> bool:
        try:
            found = await self._engine.call("inspect_image", image.name)
        except NotFound:
            return False
        except APIError as error:
            raise fetch_problem(str(error.explanation or error), image.name) from None
        key, value = RUNTIME
        if ((found.get("Config") or {}).get("Labels") or {}).get(key) != value:
            raise ImageProblem(NOT_MADE_FOR_US, detail=f"{image.name} has no label {key}={value}")
        return True

    async def _fetch(self, image: Image, layers: Layers) -> None:
        if not image.registry:
            raise ImageProblem(
                NOT_HERE,
                detail=f"{image.name}: make it there (`make images IMAGES={image.last_part}`), "
                "or set ContainerImages.prefix to a registry",
            )
        login = await asyncio.to_thread(read_login, self._images.pull_secret_file, image)
        silence = self._images.silence_seconds
        pull = partial(_pull, self._engine, image, login, silence, layers.take)
        try:
            refusal = await _in_own_thread(pull)
        except (DockerException, RequestException, OSError) as error:
            await self._engine.call("ping")  # says so itself when the engine is away
            detail = f"{image.name}: {type(error).__name__}"
            raise ImageProblem(BROKE_OFF, LATER, detail=detail) from None
        if refusal:
            raise fetch_problem(refusal, image.name)
        await self._accept(image)

    async def _accept(self, image: Image) -> None:
        """What the portal cannot use is not kept, so that a corrected image can be fetched."""
        try:
            if not await self._is_there(image):
                raise ImageProblem(BROKE_OFF, LATER, detail=f"{image.name} is not there after all")
        except ImageProblem:
            with contextlib.suppress(APIError, EngineProblem):
                await self._engine.call("remove_image", image.name)
            raise


def _pull(
    engine: ContainerEngine,
    image: Image,
    login: Login,
    silence_seconds: int,
    tell: Callable[[Mapping[str, Any]], None],
) -> str:
    """Let the engine pull one image; return the words of its refusal. Blocks until the end.

    https://docs.docker.com/reference/api/engine/version/v1.41/#operation/ImageCreate. Not by
    docker-py's own `pull`, which waits without limit and takes logins from the hub's home.
    Raises what docker-py and requests raise when the engine is away or silent.
    """
    with contextlib.closing(engine.client) as client:
        answer = client.post(
            f"{client.base_url}/v{client.api_version}/images/create",
            params={"fromImage": image.repository, "tag": image.digest or image.tag},
            headers={"X-Registry-Auth": encode_header(login.as_auth())},
            stream=True,
            timeout=(CALL_SECONDS, silence_seconds),
        )
        with contextlib.closing(answer):
            for line in answer.iter_lines():
                event = _event(line)
                if words := event.get("error") or event.get("message"):
                    return str(words)
                tell(event)
            return "" if answer.ok else f"HTTP status: {answer.status_code}"


def _event(line: bytes) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict):
            return event
    return {}


def _in_own_thread(work: Callable[[], str]) -> asyncio.Future[str]:
    """Run what takes minutes beside the pools, which others need; it does not hold up an exit."""
    result: concurrent.futures.Future[str] = concurrent.futures.Future()

    def run() -> None:
        result.set_running_or_notify_cancel()
        try:
            result.set_result(work())
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=run, name="image", daemon=True).start()
    return asyncio.wrap_future(result)
