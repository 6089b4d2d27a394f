"""Ends the session at the person's wish: the program is asked to close first, as by its own ×.

Made by the server, told by the page's "End session". A program may ask "Save?" in its window; what
is answered there decides. Force is the person's second word, never ours.
"""

import asyncio
import sys
from collections.abc import Callable, Collection
from typing import Literal

from daas_desktop.program.process import Program
from daas_desktop.program.windows import open_windows, run_tool

LOOK_EVERY_S = 0.25
LOOK_AT_A_QUESTION_EVERY_S = 1.0
# Without a new window, which is one at once.
QUESTION_AFTER_S = 2.5
# A program without windows has nothing to ask any more.
WINDOWLESS_S = 3.0
# Between two questions, and while a file is written, no question is seen.
KEPT_AFTER_S = 5.0

#: "" when she has thought better of it.
Phase = Literal["", "asked", "question", "over"]


class Closing:
    """The end of one session; `changed` is called after each change, `over` to end it."""

    def __init__(self, program: Program, changed: Callable[[], None]) -> None:
        self._program = program
        self._changed = changed
        self._asking: asyncio.Task[None] | None = None
        self.phase: Phase | None = None
        self.over = asyncio.Event()

    def ask(self) -> None:
        """Ask the program to close; the session ends when it has. Harmless while it is asked."""
        if self._asking is None or self._asking.done():
            self._become("asked")
            self._asking = asyncio.create_task(self._ask())

    def keep(self) -> None:
        """The person wants to go on working."""
        self.cancel()
        if self.phase != "over":
            self._become("")

    def force(self) -> None:
        """End it now; the program gets what a signal gives it."""
        self.cancel()
        self._end()

    def cancel(self) -> None:
        """Wait for the program no longer."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            asked = self._runs() and await self._asked_windows()
            if asked and not await self._closes():
                self._become("")
                return
        except OSError:
            pass  # nothing can be asked: the signal is all there is
        self._end()

    def _runs(self) -> bool:
        return self._program.state.phase in ("starting", "running")

    async def _asked_windows(self) -> bool:
        """Ask the main windows, or dialogs where there is nothing else; say if any listens."""
        windows = await self._windows()
        self._before = frozenset(windows)
        wanted = [w for w, kind in windows.items() if kind == "NORMAL"] or [
            w for w, kind in windows.items() if kind == "DIALOG"
        ]
        return await self._tell("ask", wanted) not in ("", "0")

    async def _tell(self, what: str, windows: Collection[str]) -> str:
        tool = (sys.executable, "-m", "daas_desktop.program.ask_windows", what, *windows)
        said = await run_tool(*tool, environment=self._program.environment) if windows else ""
        return said.strip()

    async def _windows(self) -> dict[str, str]:
        # A desktop's background and panel stay until the desktop is told to end.
        found = await open_windows(self._program.environment)
        return {window: kind for window, kind in found.items() if kind in ("NORMAL", "DIALOG")}

    async def _closes(self) -> bool:
        """Return True when the program has closed, False when the person has decided against it."""
        clock = asyncio.get_running_loop().time
        begin = seen_window = quiet = clock()
        questioned = False
        seen: frozenset[str] = frozenset()
        while self._runs():
            every = LOOK_AT_A_QUESTION_EVERY_S if self.phase == "question" else LOOK_EVERY_S
            await asyncio.sleep(every)
            windows = frozenset(await self._windows())
            now = clock()
            if windows:
                seen_window = now
            if questions := windows - self._before:
                questioned, quiet = True, now
                if windows != seen:
                    # One may stand behind another window, where nobody would answer it.
                    await self._tell("show", questions)
            seen = windows
            if now - seen_window > WINDOWLESS_S:
                return True
            if questioned and now - quiet > KEPT_AFTER_S:
                return False
            waits = questioned or (windows and now - begin > QUESTION_AFTER_S)
            if self.phase == "asked" and waits:
                self._become("question")
        return True

    def _end(self) -> None:
        self._become("over")
        self.over.set()

    def _become(self, phase: Phase) -> None:
        self.phase = phase
        self._changed()
