"""Containers as sessions get them, in which a check tries things: `trials`.

The spawner's own code makes them, with the facility's `c.DockerSpawner`, so that what is shown
here holds for sessions. They end by themselves, whatever happens to the check.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from docker.errors import APIError
from traitlets.config import Config

from daas_command.checks import inside
from daas_command.checks.finding import Finding, wrong
from daas_model.apps import App
from daas_model.engines import Engine
from daas_model.errors import DaasError, EngineProblem
from daas_model.people import Account
from daas_spawner.containers.container import Container
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.leftovers import SESSION
from daas_spawner.containers.refusals import refusal_of
from daas_spawner.containers.rendering import render
from daas_spawner.plan import IMAGE_PROGRAMS, Limits, Mount, SessionPlan
from daas_spawner.session.etc import people_files

LABEL = "daas.check"
#: A trial that is older was left by a check that was killed.
OLD_SECONDS = 300
_TRIAL_SECONDS = 50
#: A socket's path may have 107 characters.
_LONGEST_FOLDER = 107 - len("/check-01234567/home/way")
#: Nobody's number: an image must work with whatever number a person has.
UID = 61234
HOME = PurePosixPath("/home/daas-check")
LIMITS = Limits(cpus=0.5, memory_bytes=128 * 2**20, processes=64)
PATH = f"{IMAGE_PROGRAMS}/bin:/usr/local/bin:/usr/bin:/bin"


class TrialFailed(Exception):
    """The container did not do what was asked; the message says why, in the engine's words."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One container that is about to be tried: *image*, *network*, and how much it may use."""

    image: str
    network: str = "none"
    writable_root: bool = False
    limits: Limits = LIMITS
    #: What is bound in beside the home, read-only.
    mounts: tuple[Mount, ...] = ()


@dataclass(slots=True)
class Trials:
    """Trials on one engine; *folder* is a folder of this machine that they see."""

    engine: ContainerEngine
    config: Config
    folder: Path
    _account: Account = field(default=Account("daas-check", UID, UID, {}, HOME))

    async def ask(self, trial: Trial, do: str, **order: object) -> dict[str, Any]:
        """Return what `inside` answers to *order*. Raises `TrialFailed`."""
        async with self.started(trial, *_inside(do, order)) as container:
            await self._ended(container)
            facts, said = read_words(await self._words(container))
        if not facts:
            raise TrialFailed(said or "it said nothing")
        return facts

    async def run(self, trial: Trial, *argv: str) -> tuple[int, str]:
        """Return the status and the last words of a program. Raises `TrialFailed`."""
        async with self.started(trial, *argv) as container:
            status = await self._ended(container)
            return status, (await self._words(container)).strip()

    @contextlib.asynccontextmanager
    async def started(self, trial: Trial, *argv: str) -> AsyncIterator[Container]:
        """Give a container that runs *argv*, and remove it. Raises `TrialFailed`."""
        container = Container(
            self.engine, "daas-check", secrets.token_hex(4), self.config, log=None
        )
        container.wear(trial.image, self._settings(trial, argv))
        try:
            try:
                await container.start()
            except APIError as error:
                refusal = refusal_of(error)
                raise TrialFailed(f"{refusal.message} ({refusal.detail})") from None
            yield container
        finally:
            if container.object_id:
                with contextlib.suppress(APIError, DaasError):
                    await asyncio.shield(_remove(self.engine, container.object_id))

    def served(self, trial: Trial, port: int) -> contextlib.AbstractAsyncContextManager[Any]:
        """Start another session's container that listens on *port*. Raises `TrialFailed`."""
        order = {"port": port, "seconds": _TRIAL_SECONDS}
        return self.started(trial, *_inside("serve", order))

    async def first_words(self, container: Container) -> dict[str, Any]:
        """Return what a container says as soon as it says something. Raises `TrialFailed`."""
        for _ in range(100):
            facts, said = read_words(await self._words(container))
            if facts:
                return facts
            found = await self.engine.call("inspect_container", container.object_id)
            if not found["State"]["Running"]:
                raise TrialFailed(said or "it ended at once")
            await asyncio.sleep(0.1)
        raise TrialFailed("it did not begin within 10 s")

    def _settings(self, trial: Trial, argv: tuple[str, ...]) -> Any:
        plan = SessionPlan(
            app=replace(NO_APP, writable_root=trial.writable_root),
            argv=argv[1:],
            environment={"HOME": str(HOME), "PATH": PATH, "LANG": "C.UTF-8", "USER": "daas-check"},
            folder=HOME,
            mounts=(
                Mount(PurePosixPath(self.folder / "home"), HOME, read_only=False),
                *trial.mounts,
            ),
            account=self._account,
            limits=trial.limits,
        )
        etc = self.folder / "etc"
        labels = {LABEL: str(int(time.time())), SESSION: secrets.token_hex(6)}
        settings = render(plan, "daas-check", etc, trial.network, labels)
        return replace(settings, create={**settings.create, "entrypoint": [argv[0]]})

    async def _ended(self, container: Container) -> int:
        while True:  # whoever asks has a time limit, and what runs has one too
            found = await self.engine.call("inspect_container", container.object_id)
            if not found["State"]["Running"]:
                return int(found["State"]["ExitCode"])
            await asyncio.sleep(0.2)

    async def _words(self, container: Container) -> str:
        said = await self.engine.call("logs", container.object_id)
        return str(said.decode("utf-8", "replace"))


NO_APP = App("daas-check", "Check", "A trial.", "web", ("python3",), "icon.svg", True)


def _inside(do: str, order: Mapping[str, object]) -> tuple[str, ...]:
    source = Path(inside.__file__).read_text("utf-8")
    return ("python3", "-c", source, json.dumps({"do": do, **order}))


def read_words(words: str) -> tuple[dict[str, Any], str]:
    """Return what was told, and what else was said last."""
    facts: dict[str, Any] = {}
    said = ""
    for line in words.splitlines():
        try:
            facts |= json.loads(line)
        except (ValueError, TypeError):
            said = line.strip() or said
    return facts, said


async def _remove(engine: ContainerEngine, container: str) -> None:
    await engine.call("remove_container", container, force=True, v=True)


@contextlib.asynccontextmanager
async def trials(engine: Engine, config: Config, run_folder: Path) -> AsyncIterator[Trials]:
    """Give what trials on *engine* need: a client, and a folder with a socket in it."""
    client = ContainerEngine(engine)
    short = len(os.fsencode(run_folder)) < _LONGEST_FOLDER
    usable = short and run_folder.is_absolute() and os.access(run_folder, os.W_OK)
    folder = Path(tempfile.mkdtemp(prefix="check-", dir=run_folder if usable else None))
    found = Trials(client, config, folder)
    try:
        with socket.socket(socket.AF_UNIX) as way:
            _furnish(found, way)
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        await client.close()


def _furnish(trials_: Trials, way: socket.socket) -> None:
    home, etc = trials_.folder / "home", trials_.folder / "etc"
    for place in (home, etc):
        place.mkdir()
    home.chmod(0o777)
    for path, text in people_files(trials_._account, HOME, with_root=True).items():
        (etc / PurePosixPath(path).name).write_text(text)
        (etc / PurePosixPath(path).name).chmod(0o644)
    way.bind(str(home / "way"))
    (home / "way").chmod(0o666)
    way.listen()


async def remove_old(engine: ContainerEngine) -> None:
    """Remove what a check that was killed has left."""
    for container in await engine.call("containers", all=True, filters={"label": LABEL}):
        began = container["Labels"].get(LABEL, "")
        if not began.isdigit() or time.time() - int(began) > OLD_SECONDS:
            with contextlib.suppress(APIError, EngineProblem):
                await _remove(engine, container["Id"])


def failed(what: str, error: TrialFailed, mend: str) -> Finding:
    """Return that *what* could not be tried."""
    return wrong(what, str(error), mend)
