"""Carries one viewer's web socket to the X server and back, keeping no more than a few blocks.

Used by the server at `rfb`. What comes from the X server is never parsed: while a viewer is slow
we stop reading, the X server skips frames, and memory stays where it is.
"""

import asyncio
import contextlib
import socket

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from daas_desktop.picture.rfb import INPUT, ClientStream, ProtocolError
from daas_desktop.web import WebSocket

BLOCK_BYTES = 64 * 1024


class Bridge(WebSocket):
    """One viewer. noVNC sends at most 10 KiB in a message; nobody needs more than a block."""

    async def open(self, *_: str, **__: str) -> None:
        """Connect to the X server and begin to carry."""
        self.set_nodelay(True)
        self._stream = ClientStream()
        self._carrying: asyncio.Task[None] | None = None
        self._x = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._x.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(self._x, self.session.rfb_path)
        except OSError:
            self._x.close()
            self.close(1011, "The desktop is gone.")
            return
        self._carrying = asyncio.create_task(self._carry_pictures())
        self.session.watch(self)

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what the browser sent; the next message waits until this one is gone."""
        try:
            if isinstance(message, str):
                raise ProtocolError("a text message")
            pieces = self._stream.feed(message)
            await asyncio.get_running_loop().sock_sendall(self._x, message)
        except ProtocolError:
            self.close(1002, "This is not a VNC viewer.")
        except OSError:
            self.close(1011, "The desktop is gone.")
        else:
            if any(piece.first and piece.kind in INPUT for piece in pieces):
                self.session.somebody_is_at_work()

    async def _carry_pictures(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while block := await loop.sock_recv(self._x, BLOCK_BYTES):
                # Returns when the operating system has taken it all: this is the back-pressure.
                await self.write_message(block, binary=True)
        except (OSError, WebSocketClosedError, StreamClosedError):
            pass
        finally:
            self._x.close()
        self.close(1011, "The desktop is gone.")

    def on_close(self) -> None:
        """Let go of the X server."""
        # Wakes whoever reads or writes; the reader closes. Closing here would pull the
        # descriptor from under them.
        with contextlib.suppress(OSError):
            self._x.shutdown(socket.SHUT_RDWR)
