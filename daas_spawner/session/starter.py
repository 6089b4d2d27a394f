"""Starts the process beside each session where a child of the hub would end with the hub.

That is in containers: whoever restarts or replaces the hub's ends all that it has started. This
runs in one of its own and does what the hub asks for over a socket; `starting.py` is the other
side. `compose/docker-compose.yml` runs it as `python -m daas_spawner.session.starter`.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from daas_spawner.session.starting import SOCKET, argv, environment

#: Nothing else is started for whoever asks.
MODULES = ("daas_spawner.session.doorkeeper", "daas_spawner.local.supervisor")
#: All together are given so long to end by themselves.
END_SECONDS = 8.0


def main() -> int:
    """Serve until told to end; then end every session. Return the exit status."""
    run_folder = Path(os.environ["DAAS_RUN"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    starter = Starter(run_folder)
    _end_containers(run_folder)  # of one that was killed
    try:
        starter.serve()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        starter.end()
        _end_containers(run_folder)
    return 0


def _end_containers(run_folder: Path) -> None:
    """A container without the process beside it is of no use to anybody."""
    shutil.rmtree(run_folder / "sessions", ignore_errors=True)
    if engine := os.environ.get("DAAS_ENGINE"):
        from daas_spawner.containers.leftovers import end_all  # noqa: PLC0415  imports docker-py

        end_all(engine, run_folder)


class Starter:
    """The socket in *run_folder*, and what was started through it."""

    def __init__(self, run_folder: Path) -> None:
        self._sessions = run_folder / "sessions"
        self._path = run_folder / SOCKET
        self._started: dict[int, subprocess.Popen[bytes]] = {}

    def serve(self) -> None:
        """Do what is asked for until this process is told to end. Raises `OSError`."""
        self._path.unlink(missing_ok=True)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door,
            selectors.DefaultSelector() as selector,
        ):
            door.bind(str(self._path))
            self._path.chmod(0o600)
            door.listen()
            selector.register(door, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is door:
                        self._answer(door, selector)
                    else:
                        selector.unregister(key.fileobj)
                        self._started.pop(key.fd).wait()
                        os.close(key.fd)

    def _answer(self, door: socket.socket, selector: selectors.BaseSelector) -> None:
        """Start one process; who does not ask properly gets no answer."""
        asker, _ = door.accept()
        with asker, contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            asker.settimeout(1.0)
            text, descriptors, _, _ = socket.recv_fds(asker, 4096, 1)
            try:
                wanted = json.loads(text)
                process = self._start(wanted["module"], Path(wanted["folder"]), descriptors[0])
            except OSError as error:
                asker.send(json.dumps({"failed": error.strerror}).encode())
                return
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            watched = os.pidfd_open(process.pid)
            self._started[watched] = process
            selector.register(watched, selectors.EVENT_READ)
            asker.send(json.dumps({"pid": process.pid}).encode())

    def _start(self, module: str, folder: Path, line: int) -> subprocess.Popen[bytes]:
        if module not in MODULES or folder.parent != self._sessions:
            raise ValueError(module)
        return subprocess.Popen(
            argv(module, folder),
            stdin=line,
            stdout=line,
            start_new_session=True,
            env=environment(),
        )

    def end(self) -> None:
        """End all that was started."""
        self._path.unlink(missing_ok=True)
        for process in self._started.values():
            process.terminate()
        until = time.monotonic() + END_SECONDS
        for process in self._started.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
