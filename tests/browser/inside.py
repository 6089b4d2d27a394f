"""Looks into a running session from the machine: its processes and its X server's windows."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Demo


@dataclass(frozen=True)
class Inside:
    """One session of *who*, seen from the machine that runs it."""

    demo: Demo
    who: str
    session: str

    def sandboxes(self) -> list[int]:
        """The outer bubblewrap of the session; more than one would be a second session."""
        home = str(self.demo.folder / "homes" / self.who)
        found = []
        for pid in _pids():
            argv = _words(pid, "cmdline")
            named = argv[:1] == ["bwrap"] and self.session in argv and home in argv
            if named and _words(_parent(pid), "cmdline")[:1] != ["bwrap"]:
                found.append(pid)
        return found

    def kill_supervisor(self) -> None:
        (sandbox,) = self.sandboxes()
        os.kill(_parent(sandbox), signal.SIGKILL)

    def windows(self) -> list[str]:
        """The titles of the windows that are on the screen, as X knows them."""
        script = (
            "for w in $(xdotool search --onlyvisible --name .); do xdotool getwindowname $w; done"
        )
        return self.run("sh", "-c", script).splitlines()

    def run(self, *argv: str) -> str:
        """Run a command of this machine in the session's namespaces, on its X server."""
        program = self._program()
        environment = dict(word.split("=", 1) for word in _words(program, "environ") if "=" in word)
        done = subprocess.run(
            ["nsenter", f"--target={program}", "--mount", "--pid", "--net", *argv],
            env={name: environment[name] for name in ("PATH", "DISPLAY", "XAUTHORITY")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def folder(self) -> str:
        """The folder in which the program runs, as the program sees it."""
        return os.readlink(f"/proc/{self._program()}/cwd")

    def _program(self) -> int:
        (sandbox,) = self.sandboxes()
        for pid in _below(sandbox):
            if any(word.startswith("XAUTHORITY=") for word in _words(pid, "environ")):
                argv = _words(pid, "cmdline")
                if any(Path(word).name == "pymca" for word in argv):
                    return pid
        raise LookupError("no program with an X server runs in this session")


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _words(pid: int, name: str) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / name).read_text("utf-8", "replace").split("\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.split("PPid:")[1].split()[0])


def _below(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
        yield int(child)
        yield from _below(int(child))
