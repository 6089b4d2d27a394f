"""A line between a browser and a session that can be cut."""

import contextlib
import selectors
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

# Longer than a picture's parts are apart, shorter than the second between two questions.
QUIET_S = 0.3


class Line:
    """Carries connections from a TCP port to a unix socket, until it is cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._other: dict[socket.socket, socket.socket] = {}
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._down = self._over = False
        self._carried_at = time.monotonic()
        self._sockets: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        while not self._over:
            for key, _ in self._selector.select():
                end = key.fileobj
                assert isinstance(end, socket.socket)
                if end is self._woken:
                    end.recv(1)
                elif end is self._listener:
                    self._accept()
                elif end in self._other:
                    self._pass_on(end)
            if self._down or self._over:
                for end in list(self._other):
                    self._drop(end)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(str(self._path))
        except OSError:
            near.close()
            far.close()
            return
        self._other |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = end.recv(65536)
        self._carried_at = time.monotonic()
        if data.startswith(b"GET /rfb"):
            self._sockets.add(end)
        try:
            self._other[end].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for each in (end, self._other.get(end)):
            if each is not None and self._other.pop(each, None) is not None:
                self._selector.unregister(each)
                each.close()

    def end(self, code: int, reason: str = "") -> None:
        """End each web socket as its server would, between two messages: once nothing comes."""
        while time.monotonic() < self._carried_at + QUIET_S:
            time.sleep(QUIET_S / 4)
        data = struct.pack(">H", code) + reason.encode()
        for near in self._sockets & self._other.keys():
            near.sendall(bytes([0x88, len(data)]) + data)
            # The browser may have answered, and the line be gone, before this.
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_WR)

    def cut(self, down: bool = True) -> None:
        self._down = down
        self._wake.send(b"x")

    def close(self) -> None:
        self._over = True
        self._wake.send(b"x")
        self._thread.join()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        self._selector.close()
