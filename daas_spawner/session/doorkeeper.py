"""The small process beside a session in a container; it outlives the hub.

It makes the session's socket and its way to the hub, hands the socket to the first process inside
(a descriptor over a unix socket, `unix(7)`, SCM_RIGHTS), and ends when the session has ended.
No byte between a browser and the session passes through it. Run by the hub with the session's
folder as argument; only the standard library is imported. `keeper.py` says how they talk.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daas_spawner.session import relay
from daas_spawner.session.home import check_home
from daas_spawner.session.last_word import MEMORY, last_word
from daas_spawner.session.listening import listen
from daas_spawner.session.memory import MemoryOf
from daas_spawner.session.processes import Process, read_process, write_process

#: Where the first process inside asks for its descriptors; `daas_desktop.enter` is that process.
HANDING_OVER = "door"
ETC = "etc"


def main() -> int:
    """Stand beside one session to its end; return 0, or 1 when it could not begin."""
    doorkeeper = Doorkeeper(Path(sys.argv[1]), json.loads(sys.stdin.buffer.readline()))
    try:
        doorkeeper.start()
    except OSError as error:
        print(f"failed {error.strerror or error}: {error.filename or ''}", flush=True)  # noqa: T201
        doorkeeper.clean_up()
        return 1
    print("started", flush=True)  # noqa: T201
    try:
        doorkeeper.run()
    finally:
        doorkeeper.clean_up()
    return 0


class Doorkeeper:
    """One session's socket, its way to the hub, and the moment when it is handed over."""

    def __init__(self, folder: Path, order: Mapping[str, Any]) -> None:
        self._folder = folder
        self._order = order
        self._memory: MemoryOf | None = None

    def start(self) -> None:
        """Make everything that the container is given. Raises `OSError`."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        write_process(self._folder / "pid")
        check_home(self._order["home"], self._order["account"])
        etc = self._folder / ETC
        etc.mkdir()
        for name, text in self._order["files"].items():
            (etc / name).write_text(text, "utf-8")
            (etc / name).chmod(0o644)
        self._door = listen(self._folder)
        self._life, self._life_inside = socket.socketpair()
        relay.serve(relay.listen(self._folder / "hub" / "hub.sock"), self._order["hub"])
        self._asked = relay.listen(self._folder / "hub" / HANDING_OVER)

    def run(self) -> None:
        """Hand the door over once; return when the session has ended or was never kept."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._asked, selectors.EVENT_READ, self._hand_over)
            selector.register(sys.stdin, selectors.EVENT_READ, self._hear)
            selector.register(self._life, selectors.EVENT_READ, self._look)
            while True:
                for key, _ in selector.select():
                    if not key.data():
                        return
                    selector.unregister(key.fileobj)

    def _hand_over(self) -> bool:
        asker, _ = self._asked.accept()
        number, _, _ = struct.unpack(
            "3i", asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        )
        self._memory = MemoryOf(number)
        with asker, contextlib.suppress(OSError):
            socket.send_fds(asker, [b"."], [self._door.fileno(), self._life_inside.fileno()])
        # From now on the session alone holds them: what it closes is closed.
        for mine in (self._asked, self._door, self._life_inside):
            mine.close()
        (self._folder / "hub" / HANDING_OVER).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # nobody needs to listen any more
            print("taken", flush=True)  # noqa: T201
        return True

    def _hear(self) -> bool:
        """A hub that dies before it said `keep` has not written the session down."""
        return os.read(sys.stdin.fileno(), 64).startswith(b"keep")

    def _look(self) -> bool:
        """All in the session have closed it, or somebody wrote: the session is over.

        Nobody writes by mistake, and whoever did so without end would keep this process busy.
        """
        # At once: the engine removes the group as soon as it has seen the end.
        if self._memory is not None and self._memory.ran_out():
            last_word(self._folder).write_text(MEMORY, "ascii")
        return False

    def clean_up(self) -> None:
        """Leave nothing."""
        if read_process(self._folder / "pid") == Process.of(os.getpid()):
            shutil.rmtree(self._folder, ignore_errors=True)
