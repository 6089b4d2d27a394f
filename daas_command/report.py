"""How `daas check` prints what it finds, and its exit code. Used by `check` and `check_parts`."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from daas_command.checks.finding import (
    PATIENCE_SECONDS,
    Finding,
    Findings,
    State,
    examined,
    shown,
)

_CLEARING_SECONDS = 10
_SHORTEST_SECRET = 5  # what is shorter is a part of our own words


@dataclass(frozen=True, slots=True)
class Subject:
    """A heading, what is examined under it, and for how long at most."""

    title: str
    findings: Findings
    seconds: float = PATIENCE_SECONDS


def on_a_loop(work: Coroutine[Any, Any, int]) -> int:
    """Return what *work* returns; `asyncio.run` would wait for threads, and some may hang."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        # What was begun is cleared away, also when somebody presses Ctrl-C.
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_CLEARING_SECONDS))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def examine(subjects: Iterable[Subject], printer: "Printer", at_once: bool = True) -> int:
    """Examine all *subjects*, print each when those before it are printed."""
    begun = ((subject.title, _begin(subject)) for subject in subjects)
    found: list[Finding] = []
    for title, task in list(begun) if at_once else begun:
        findings = await task
        found += findings
        printer.tell(title, findings)
    print(summary(found))
    return 1 if any(finding.state is State.WRONG for finding in found) else 0


def _begin(subject: Subject) -> asyncio.Future[list[Finding]]:
    return asyncio.ensure_future(examined(subject.findings, subject.seconds))


class Printer:
    """Prints findings, each on one line, and no secret of the configuration."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._hidden: set[str] = set()

    def hide(self, secrets: Iterable[str]) -> None:
        """Never print one of *secrets*."""
        self._hidden |= {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}

    def safe(self, text: str) -> str:
        """Return *text* on one line, without secrets."""
        for secret in self._hidden:
            text = text.replace(secret, "…")
        return shown(text)

    def tell(self, title: str, findings: Iterable[Finding]) -> None:
        """Print *findings* below *title*."""
        told = [f for f in findings if not self._quiet or f.state is not State.OK]
        if told:
            print("\n".join([shown(title), *map(self.line, told)]), flush=True)

    def line(self, finding: Finding) -> str:
        """Return *finding* as one line."""
        what, said, mend = map(self.safe, (finding.what, finding.said, finding.mend))
        return f"  {finding.state:<7}  {what}: {said.rstrip('.')}" + (f". → {mend}" if mend else "")


def summary(found: list[Finding]) -> str:
    """Return the last line."""
    well, odd, bad = (
        sum(f.state is state for f in found) for state in (State.OK, State.WARNING, State.WRONG)
    )
    return f"{well} ok, {odd} to look at, {bad} wrong." if odd or bad else f"All is well ({well})."
