"""The session's way to the hub's API: its own socket, a bounded number of connections.

Run by the supervisor. A session that opens connections without end exhausts its own relay and
not the hub; and each connection finds the hub anew, so that a hub that was restarted is found.
"""

import contextlib
import socket
import threading
from pathlib import Path

MOST_CONNECTIONS = 32
BLOCK_BYTES = 64 * 1024
#: A connection on which nothing happens for so long is closed; the hub's longest answer is not.
IDLE_SECONDS = 300


def listen(path: Path) -> socket.socket:
    """Return a socket at *path* that the session's user may connect to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o666)  # its folder is seen by this session alone
    listener.listen(MOST_CONNECTIONS)
    return listener


def serve(listener: socket.socket, hub: str) -> None:
    """Carry connections of *listener* to the socket *hub*, in threads that end with us."""
    threading.Thread(target=_accept, args=(listener, hub), daemon=True).start()


def _accept(listener: socket.socket, hub: str) -> None:
    free = threading.BoundedSemaphore(MOST_CONNECTIONS)
    while True:
        free.acquire()
        inner, _ = listener.accept()
        threading.Thread(target=_carry_both, args=(inner, hub, free), daemon=True).start()


def _carry_both(inner: socket.socket, hub: str, free: threading.BoundedSemaphore) -> None:
    with inner, contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as outer:
        inner.settimeout(IDLE_SECONDS)
        outer.settimeout(IDLE_SECONDS)
        outer.connect(hub)
        back = threading.Thread(target=_carry, args=(outer, inner), daemon=True)
        back.start()
        _carry(inner, outer)
        back.join()
    free.release()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(BLOCK_BYTES):
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
