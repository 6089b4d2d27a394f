"""The small process that one session hangs on; it outlives the hub.

Run by `backend.py` as `python -m daas_spawner.local.supervisor FOLDER`. It makes the session's
socket, its cgroup and its sandbox, keeps the last output, and cleans up whatever way the session
ends. Only the standard library is imported here: it starts with every session.

Conversation with the hub: one JSON document and a newline on standard input, `started` on
standard output, then `keep` on standard input. A hub that dies before it said `keep` has not
written the session down, so the session ends.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from daas_spawner.local import relay
from daas_spawner.local.limits import Group, hierarchies
from daas_spawner.local.processes import Process, read_process, write_process

DOOR = 3  # where the program inside finds its listening socket (systemd's convention)
FILES = 10  # the first descriptor of the sandbox's small files
GRACE_SECONDS = 4.0
MOST_LOG_BYTES = 1024 * 1024

# What the back end turns into sentences.
NO_HOME = "is no usable home"
IN_THE_WAY = "is in the way"


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
        self._check_home(self._order["home"])
        for own in self._order["own_folders"]:
            self._own_folder(own)
        self._listen()
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

    def _listen(self) -> None:
        """Offer the session's socket to the sandbox, already listening.

        It lies where the person cannot reach it, so that no link can be put in its place. The
        proxy asks for `s:80` because the hub appends a port; both names are one socket.
        """
        path = self._folder / "s"
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(str(path))
        path.chmod(0o600)
        door.listen(512)
        self._folder.joinpath("s:80").symlink_to("s")
        _offer(door.detach(), DOOR)

    def _as_person(self, *argv: str) -> bool:
        """Run a program as the person, since a file server trusts nobody else with her home."""
        become: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = self._order["account"]
            become = {"user": account["uid"], "group": account["gid"], "extra_groups": []}
        done = subprocess.run(
            argv, check=False, cwd="/", umask=0o077, stderr=subprocess.DEVNULL, **become
        )
        return done.returncode == 0

    def _check_home(self, home: str) -> None:
        usable = 'test -d "$1" && test ! -L "$1" && test -O "$1" && test -w "$1" && test -x "$1"'
        if not self._as_person("/bin/sh", "-c", usable, "home", home):
            raise OSError(0, NO_HOME, home)

    def _own_folder(self, path: str) -> None:
        self._as_person("mkdir", "-p", "--", path)
        if os.path.islink(path) or not os.path.isdir(path):
            raise OSError(0, IN_THE_WAY, path)

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


if __name__ == "__main__":
    raise SystemExit(main())
