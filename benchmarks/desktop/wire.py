"""The ways to an X server's picture: a unix socket, TCP, or a web socket over TCP.

Used by `viewer`. A wire sends bytes and reads exactly as many as it is asked for.
"""

import base64
import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

BLOCK = 1 << 18


class Wire(Protocol):
    """What a viewer needs of a connection."""

    received: int

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; EOFError at the end, TimeoutError after 20 s."""

    def send(self, data: bytes) -> None:
        """Send everything."""

    def ready(self, seconds: float) -> bool:
        """Wait until there is something to read; say whether there is."""

    def close(self) -> None:
        """Hang up."""


class Plain:
    """A connected stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(20)
        self.received = 0
        self._waiting = b""
        self._at = 0

    @classmethod
    def unix(cls, path: str) -> "Plain":
        """Connect to a unix socket."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        return cls(connection)

    @classmethod
    def tcp(cls, host: str, port: int) -> "Plain":
        """Connect by TCP, without Nagle's delay."""
        connection = socket.create_connection((host, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(connection)

    def read(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._waiting):
            parts = [self._waiting[self._at :]]
            missing = size - len(parts[0])
            while missing > 0:
                part = self._more()
                parts.append(part)
                missing -= len(part)
            self._waiting, self._at, end = b"".join(parts), 0, size
        data = self._waiting[self._at : end]
        self._at = end
        return data

    def _more(self) -> bytes:
        part = self.socket.recv(BLOCK)
        if not part:
            raise EOFError
        self.received += len(part)
        return part

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ready(self, seconds: float) -> bool:
        if self._at < len(self._waiting):
            return True
        return bool(select.select([self.socket], [], [], max(seconds, 0))[0])

    def close(self) -> None:
        self.socket.close()


class Web(Plain):
    """A web socket (RFC 6455): binary messages, joined into one stream."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        address = urlsplit(url)
        self._under = Plain.tcp(address.hostname or "", address.port or 80)
        super().__init__(self._under.socket)
        lines = {
            "Host": address.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Protocol": "binary",
            "Origin": f"http://{address.netloc}",
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        target = address.path + (f"?{address.query}" if address.query else "")
        self.socket.sendall(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self._under.read(1)
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise ConnectionError(answer.decode())

    def ready(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._at >= len(self._waiting):
            if not self._under.ready(until - time.monotonic()):
                return False
            self._waiting, self._at = self._message(), 0
        return True

    def _more(self) -> bytes:
        while not (data := self._message()):
            pass
        return data

    def _message(self) -> bytes:
        """Read one message; nothing for one that carries no data."""
        kind, size = self._under.read(2)
        if size == 126:
            (size,) = struct.unpack(">H", self._under.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._under.read(8))
        data = self._under.read(size)
        self.received = self._under.received
        if kind & 15 == 8:
            raise EOFError
        if kind & 15 == 9:
            self._frame(10, data)
        return data if kind & 15 in (0, 2) else b""

    def send(self, data: bytes) -> None:
        self._frame(2, data)

    def _frame(self, kind: int, data: bytes) -> None:
        size = (
            bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        )
        # Masked with zeros, which changes nothing.
        self.socket.sendall(bytes([0x80 | kind]) + size + bytes(4) + data)
