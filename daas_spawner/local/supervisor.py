"""The small process that one session hangs on; it outlives the hub.

Run by the hub for `backend.py`, with the session's folder as argument. It makes the session's
socket, its cgroup and its sandbox, keeps the last output, and cleans up whatever way the session
ends. Only the standard library is imported here: it starts with every session.

`daas_spawner.session.keeper` says how hub and supervisor talk.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from daas_spawner.local.limits import Group, hierarchies
from daas_spawner.session import relay
from daas_spawner.session.home import check_home
from daas_spawner.session.last_word import MEMORY, last_word
from daas_spawner.session.listening import DOOR, listen
from daas_spawner.session.processes import Process, read_process, write_process

FILES = 10  # the first descriptor of the sandbox's small files
GRACE_SECONDS = 4.0
#: Bubblewrap says so of the program, or is itself what the kernel chose.
KILLED = (128 + signal.SIGKILL, -signal.SIGKILL)
MOST_LOG_BYTES = 1024 * 1024


def main() -> int:
    """Run one session to its end; return 0, or 1 when it could not start."""
    folder = Path(sys.argv[1])
    order = json.loads(sys.stdin.buffer.readline())
    session = Session(folder, order)
    try:
        session.start()
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"failed {reason}: {getattr(error, 'filename', '')}", flush=True)  # noqa: T201
        session.clean_up()
        return 1
    print("started", flush=True)  # noqa: T201
    session.run()
    return 0


class Session:
    """One sandbox with its socket, its cgroup and its log."""

    def __init__(self, folder: Path, order: dict[str, Any]) -> None:
        self._folder = folder
        self._order = order
        self._group = Group(folder.name, hierarchies())
        self._log = Path(order["log"])
        self._child: subprocess.Popen[bytes] | None = None
        self._stop_at = 0.0

    def start(self) -> None:
        """Start the sandbox. Raises `OSError`."""
        limits = self._order["limits"]
        self._group.make(limits["cpus"], limits["memory_bytes"], limits["processes"])
        write_process(self._folder / "pid")
        self._log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_home(self._order["home"], self._order["account"])
        _offer(listen(self._folder).detach(), DOOR)
        files = list(self._order["files"].values())
        for place, text in enumerate(files):
            _offer(_memory_file(text), FILES + place)
        # After the descriptors that have fixed numbers, so that it takes none of those.
        to_hub = relay.listen(self._folder / "hub" / "hub.sock")
        signal.signal(signal.SIGTERM, lambda *_: self._ask_to_end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        handed_over = [DOOR, *range(FILES, FILES + len(files))]
        self._child = subprocess.Popen(
            self._order["argv"],
            env={**self._order["environment"], "LISTEN_FDS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=self._group.join,  # noqa: PLW1509  there is one thread here
            pass_fds=handed_over,
        )
        for descriptor in handed_over:
            os.close(descriptor)
        relay.serve(to_hub, self._order["hub"])

    def run(self) -> None:
        """Keep the session until it ends, then clean up."""
        child = self._child
        assert child is not None
        assert child.stdout is not None
        output = child.stdout.fileno()
        os.set_blocking(output, False)
        kept = False
        watched = [output, sys.stdin.fileno()]
        while child.poll() is None:
            ready, _, _ = select.select(watched, [], [], 0.5)
            if output in ready and not self._keep_output(output):
                watched.remove(output)
            if sys.stdin.fileno() in ready:
                kept = kept or os.read(sys.stdin.fileno(), 64).startswith(b"keep")
                watched.remove(sys.stdin.fileno())
                if not kept:
                    self._ask_to_end()
            if self._stop_at and time.monotonic() > self._stop_at:
                child.kill()
        while self._keep_output(output) and select.select([output], [], [], 0)[0]:
            pass  # the last words, of which there is at most a pipe full
        if not self._stop_at and child.returncode in KILLED and self._group.ran_out_of_memory():
            last_word(self._folder).write_text(MEMORY, "ascii")
        self.clean_up()

    def _keep_output(self, output: int) -> bool:
        """Write what there is to the log; return False once the program has closed its end."""
        try:
            data = os.read(output, 65536)
        except BlockingIOError:
            return True
        if data:
            self._write_log(data)
        return bool(data)

    def _write_log(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the session
            if self._log.exists() and self._log.stat().st_size > MOST_LOG_BYTES:
                self._log.replace(self._log.with_suffix(".old"))
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(log, data)
            finally:
                os.close(log)

    def _ask_to_end(self) -> None:
        """Let the program end by itself; `run` kills what is left after the grace."""
        if self._stop_at or self._child is None:
            return
        self._stop_at = time.monotonic() + GRACE_SECONDS
        for program in _programs(self._child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(program, signal.SIGTERM)

    def clean_up(self) -> None:
        """Leave nothing: the folder with its sockets, the cgroup."""
        if read_process(self._folder / "pid") == Process.of(os.getpid()):
            shutil.rmtree(self._folder, ignore_errors=True)
        self._group.remove()


def _programs(bubblewrap: int) -> list[int]:
    """The session's program: the child of the sandbox's first process."""
    programs = []
    for first in _children(bubblewrap):
        programs += _children(first)
    return programs


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _memory_file(text: str) -> int:
    file = os.memfd_create("daas")
    os.write(file, text.encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _offer(descriptor: int, number: int) -> None:
    """Give *descriptor* the *number* that the sandbox's command line names."""
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.set_inheritable(number, True)
