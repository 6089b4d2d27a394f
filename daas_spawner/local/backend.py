"""The local back end: a session in a bubblewrap sandbox, hanging on its supervisor."""

import asyncio
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daas_model.errors import EngineProblem
from daas_spawner.backend import OUT_OF_MEMORY, State
from daas_spawner.local.limits import Group, hierarchies
from daas_spawner.local.sandbox import render
from daas_spawner.local.supervisor import FILES
from daas_spawner.plan import SessionPlan
from daas_spawner.session.graphics import graphics_devices
from daas_spawner.session.keeper import Keeper, key_of
from daas_spawner.session.last_word import MEMORY


class LocalBackend:
    """One session in a sandbox of this machine."""

    def __init__(self, name: str, run_folder: Path, log_folder: Path, base_url: str) -> None:
        self._name = name
        self._hub = run_folder / "hub" / "hub.sock"
        self._log_file = log_folder / f"{name}.log"
        folder = run_folder / "sessions" / key_of(run_folder, name)
        self._supervisor = Keeper("daas_spawner.local.supervisor", folder, base_url)

    async def start(self, plan: SessionPlan) -> str:
        """Start the session; see `daas_spawner.backend.Backend`."""
        try:
            await self._supervisor.start(self._order(plan))
            if not await self._supervisor.ready():
                raise EngineProblem(
                    "The app did not start.",
                    detail=f"its last words are in {self._log_file}",
                )
            await self._supervisor.keep()
        except BaseException:
            await self.stop()
            raise
        return self._supervisor.url

    def is_running(self) -> bool:
        """Return whether the supervisor runs and has its socket."""
        return self._supervisor.is_running()

    def progress(self) -> str:
        """Return nothing: a sandbox waits for nothing that is worth words."""
        return ""

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* when the supervisor ends; see `daas_spawner.backend.Backend`."""
        self._supervisor.watch(ended)

    async def stop(self) -> None:
        """End the session; see `daas_spawner.backend.Backend`."""
        await self._supervisor.stop()
        # What a supervisor that was killed could not remove.
        await asyncio.to_thread(Group(self._supervisor.folder.name, hierarchies()).remove)

    def notice(self, _title: str) -> str:
        """Return nothing: nobody else ends sessions of this machine."""
        return ""

    def ending(self) -> str:
        """Return why the session ended; see `daas_spawner.backend.Backend`."""
        return OUT_OF_MEMORY if self._supervisor.last_word == MEMORY else ""

    def state(self) -> State:
        """Return the supervisor's number and start time."""
        return self._supervisor.state()

    def restore(self, state: State) -> None:
        """Find the supervisor again; a state that is not ours counts as ended."""
        self._supervisor.restore(state)

    @property
    def hub_folder(self) -> Path:
        """The folder that the session sees for the hub: its own socket to it, and nothing else."""
        return self._supervisor.hub_folder

    def _order(self, plan: SessionPlan) -> dict[str, Any]:
        as_root = os.geteuid() == 0
        if not as_root:
            plan = _as_caller(plan)
        devices = graphics_devices() if plan.app.gpu else ()
        sandbox = render(plan, self._name.rpartition("/")[2], as_root, FILES, devices)
        return {
            "argv": sandbox.argv,
            "files": dict(sandbox.files),
            "environment": dict(plan.environment),
            "limits": dataclasses.asdict(plan.limits),
            "account": {"uid": plan.account.uid, "gid": plan.account.gid},
            "home": str(plan.mounts[0].source),
            "hub": str(self._hub),
            "log": str(self._log_file),
        }


def _as_caller(plan: SessionPlan) -> SessionPlan:
    """In a user namespace every session keeps the caller's UID: people differ by mounts only."""
    account = dataclasses.replace(plan.account, uid=os.getuid(), gid=os.getgid(), groups={})
    return dataclasses.replace(plan, account=account)
