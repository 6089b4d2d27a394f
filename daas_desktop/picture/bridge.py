"""Carries one viewer's web socket to the X server and back, keeping no more than a few blocks.

Used by the server at `rfb`. What comes from the X server is never parsed: while a viewer is slow
we stop reading, the X server skips frames, and memory stays where it is.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable

from tornado.websocket import WebSocketClosedError

from daas_desktop.picture.rfb import INPUT, ClientStream, ProtocolError, Sieve
from daas_desktop.picture.viewers import Viewer
from daas_desktop.web import WebSocket

BLOCK_BYTES = 64 * 1024
# Tornado clears a buffer of this size before each read: with its 64 KiB a key comes 0.1 ms later.
INPUT_BYTES = 2048
MEASURE_EVERY_S = 1.0
# The X server writes a few hundred bytes at a time. The first of an update go on at once; when
# they come without end, they are gathered: a millisecond is not seen, and thousands of small
# messages a second cost more than their pictures.
IN_A_ROW_S, SENT_AT_ONCE, GATHER_S = 0.002, 16, 0.001
#: The person whose session it is has ended a guest's visit (RFC 6455, 7.4.2: for private use).
SENT_OUT = 4003
TOO_MANY = 4004
LONGEST_TAB = 64
# For the rest of a message in whose middle a viewer has lost control with a key down.
REST_WITHIN_S = 2.0


class Bridge(WebSocket):
    """One viewer. noVNC sends at most 10 KiB in a message; nobody needs more than a block."""

    _measuring: asyncio.TimerHandle | None = None
    _viewer: Viewer | None = None
    _asked = False
    _letting_go = False

    async def open(self, *_: str, **__: str) -> None:
        """Connect to the X server and begin to carry."""
        self.set_nodelay(True)
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            self.ws_connection.stream.read_chunk_size = INPUT_BYTES
        self._stream = ClientStream()
        self._sieve = Sieve()
        self._writing = asyncio.Lock()
        self._sent_at, self._in_a_row = 0.0, 0
        self._x = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._x.setblocking(False)
        visitor, viewers = self.visitor, self.session.viewers
        if not visitor.owner and not viewers.has_room_for(visitor.name):
            self._x.close()
            self.close(TOO_MANY, "You watch this in too many places.")
            return
        try:
            await asyncio.get_running_loop().sock_connect(self._x, self.session.rfb_path)
        except OSError:
            self._x.close()
            self.close(1011, "The desktop is gone.")
            return
        tab = self.get_query_argument("tab", "")[:LONGEST_TAB]
        self._viewer = Viewer(visitor.name, visitor.owner, tab, self)
        viewers.join(self._viewer)
        self.session.watch(self)
        self._measure()
        self._carry_on()

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Pass on what the browser sent; if that takes time, the next message waits for it."""
        if self._viewer is None:
            return None
        try:
            data = self._sifted(message)
            # At once and not by a task: each turn of the loop is felt at the keyboard.
            at_once = not (self._letting_go or self._writing.locked())
            sent = self._x.send(data) if at_once and data else 0
        except BlockingIOError:
            sent = 0
        except ProtocolError:
            self.close(1002, "This is not a VNC viewer.")
            return None
        except OSError:
            self.close(1011, "The desktop is gone.")
            return None
        return self._pass_on(data[sent:]) if sent < len(data) or self._letting_go else None

    def _sifted(self, message: str | bytes) -> bytes:
        assert self._viewer is not None
        if isinstance(message, str):
            raise ProtocolError("a text message")
        may = self.session.viewers.controls(self._viewer)
        pieces = self._stream.feed(message)
        passed = [piece for piece in pieces if self._sieve.passes(piece, may)]
        if any(piece.first and piece.kind in INPUT for piece in passed):
            self.session.somebody_is_at_work()
        return b"".join(piece.data for piece in passed)

    async def _pass_on(self, data: bytes) -> None:
        try:
            await self._send(data)
            await self._release()
        except OSError:
            self.close(1011, "The desktop is gone.")

    def let_go(self) -> None:
        """Let go of what this viewer holds; somebody else has the keyboard now."""
        self._letting_go = self._sieve.holds
        self._releasing = asyncio.create_task(self._release_soon())

    async def _release_soon(self) -> None:
        with contextlib.suppress(OSError):
            await self._release()
        if self._letting_go:
            await asyncio.sleep(REST_WITHIN_S)
        if self._letting_go:
            # The X server lets go when the connection ends.
            self._end(1002, "A message has no end.")

    async def _release(self) -> None:
        # Inside a message the X server would take it for the message's rest, and what comes after
        # for messages that nobody has sifted.
        if self._letting_go and self._stream.between_messages:
            self._letting_go = False
            await self._send(self._sieve.releases())

    async def _send(self, data: bytes) -> None:
        # One at a time: of two who write to a full socket at once, the one writes into the other.
        async with self._writing:
            await asyncio.get_running_loop().sock_sendall(self._x, data)

    def send_out(self) -> None:
        """End the visit."""
        self._end(SENT_OUT, "Your visit has been ended.")

    def on_pong(self, data: bytes) -> None:
        """Note how long the way to the browser and back takes, behind the pictures on their way."""
        if self._viewer is not None and len(data) == 8:
            (asked_at,) = struct.unpack(">d", data)
            took = time.monotonic() - asked_at
            self._viewer.rtt_s = took
            self._viewer.least_rtt_s = min(took, self._viewer.least_rtt_s or took)
            self._asked = False

    def _measure(self) -> None:
        # One question at a time: those for a viewer that has stopped reading would pile up.
        if not self._asked:
            with contextlib.suppress(WebSocketClosedError):
                self.ping(struct.pack(">d", time.monotonic()))
                self._asked = True
        loop = asyncio.get_running_loop()
        self._measuring = loop.call_later(MEASURE_EVERY_S, self._measure)

    def _carry(self) -> None:
        """Take a block from the X server, which has one, and give it to the viewer."""
        try:
            block = self._x.recv(BLOCK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        try:
            sent = self.write_message(block, binary=True) if block else None
        except WebSocketClosedError:
            sent = None
        stream = self.ws_connection.stream if self.ws_connection is not None else None
        if sent is None or stream is None:
            self._pause()
            self._x.close()
            self.close(1011, "The desktop is gone.")
            return
        sent.add_done_callback(_look_at)
        if self._viewer is not None:
            self._viewer.bytes_sent += len(block)
        loop = asyncio.get_running_loop()
        before, self._sent_at = self._sent_at, loop.time()
        self._in_a_row = self._in_a_row + 1 if self._sent_at - before < IN_A_ROW_S else 0
        if stream.writing():
            # Until the operating system has taken it all: this is the back-pressure.
            self._pause()
            sent.add_done_callback(self._carry_on)
        elif self._in_a_row >= SENT_AT_ONCE and len(block) < BLOCK_BYTES // 2:
            self._pause()
            loop.call_later(GATHER_S, self._carry_on)

    def _carry_on(self, _: object = None) -> None:
        if self._x.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._x, self._carry)

    def _pause(self) -> None:
        asyncio.get_running_loop().remove_reader(self._x)

    def on_close(self) -> None:
        """Let go of the X server."""
        if self._measuring is not None:
            self._measuring.cancel()
        self._leave()

    def _end(self, code: int, reason: str) -> None:
        # A browser that does not answer a close could go on typing for seconds.
        self.close(code, reason)
        self._leave()

    def _leave(self) -> None:
        if self._viewer is not None:
            self.session.viewers.leave(self._viewer)
            self._viewer = None
        # Wakes whoever reads or writes; the reader closes. Closing here would pull the
        # descriptor from under them.
        with contextlib.suppress(OSError):
            self._x.shutdown(socket.SHUT_RDWR)


def _look_at(sent: "asyncio.Future[None]") -> None:
    """Note how a block's way has ended; a viewer that has gone is told by other means."""
    if not sent.cancelled():
        sent.exception()
