"""What a back end must do: render one plan for its engine, and watch it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from daas_spawner.plan import SessionPlan

#: What a back end needs to find its session again after the hub was restarted. JSON, and
#: without UID, paths of data or secrets: it is kept in the hub's database.
State = dict[str, Any]

#: The only reason of an end that an engine knows and a person can do something about.
OUT_OF_MEMORY = "It needed more memory than its machine has. Open it on a larger machine."


class Backend(Protocol):
    """Runs one session."""

    @property
    def hub_folder(self) -> Path | None:
        """The folder on this machine with the session's socket to the hub; None for a network."""
        ...

    async def start(self, plan: SessionPlan) -> str:
        """Start the session and return its URL once its server answers.

        Raises `EngineProblem` or `StorageProblem`, with nothing left running.
        """
        ...

    def is_running(self) -> bool:
        """Return whether the session runs, from memory: no question to the engine."""
        ...

    async def stop(self) -> None:
        """End the session and everything in it. Ending one that is gone is no error."""
        ...

    def progress(self) -> str:
        """Return what a start waits for, in words for a page; empty when there is nothing."""
        ...

    def watch(self, ended: Callable[[], None]) -> None:
        """Call *ended* once when the session ends by whatever means."""
        ...

    def ending(self) -> str:
        """Return why a session that has ended did so, in sentences; empty when nobody knows."""
        ...

    def notice(self, title: str) -> str:
        """Return a sentence while somebody else ends this running session, called *title*."""
        ...

    def state(self) -> State:
        """Return what `restore` needs."""
        ...

    def restore(self, state: State) -> None:
        """Find the session again that `state` was taken from."""
        ...
