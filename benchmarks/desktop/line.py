"""A slow line in user space: TCP with a delay, a rate and a router's bounded queue each way.

`between` starts it in a process of its own (this kernel has no netem); `measure` says what it is
really like. It loses nothing: where its queue is full it stops reading, as TCP's window would.
"""

import asyncio
import contextlib
import ctypes
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

ROUND_TRIP_S, JITTER_S = 0.040, 0.010
BYTES_PER_S = 20e6 / 8
QUEUE_S = 0.15
BLOCK = 1448
_PIECE = 8 * BLOCK


class OneWay:
    """Carries bytes one way, each late by the queue, the rate and the delay."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source, self._target = source, target
        self._free_at = self._due = 0.0
        self._late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(200)

    async def run(self) -> None:
        """Carry until the source hangs up, then hang up to the target."""
        giving = asyncio.create_task(self._give())
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                full = self._free_at - time.monotonic() - QUEUE_S
                if full > 0:
                    await asyncio.sleep(full)
                data = await loop.sock_recv(self._source, _PIECE)
                now = time.monotonic()
                self._free_at = max(now, self._free_at) + len(data) / BYTES_PER_S
                delay = ROUND_TRIP_S / 2 + random.uniform(-1, 1) * JITTER_S / 2
                self._due = max(self._due, self._free_at + delay)
                await self._late.put((self._due, data))
                if not data:
                    break
        await giving

    async def _give(self) -> None:
        loop = asyncio.get_running_loop()
        data = b"x"
        while data:
            due, data = await self._late.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                await loop.sock_sendall(self._target, data)
        with contextlib.suppress(OSError):
            self._target.shutdown(socket.SHUT_WR)


async def serve(listener: socket.socket, target: str) -> None:
    """Lead each connection to a port of this machine, or to a unix socket's path."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    connections = set()
    while True:
        near, _ = await loop.sock_accept(listener)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far = socket.socket(socket.AF_UNIX if "/" in target else socket.AF_INET)
        far.setblocking(False)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        if "/" in target:
            await loop.sock_connect(far, target)
        else:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, BLOCK)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(far, ("127.0.0.1", int(target)))
        for way in (OneWay(near, far), OneWay(far, near)):
            task = asyncio.create_task(way.run())
            connections.add(task)
            task.add_done_callback(connections.discard)


@contextlib.contextmanager
def between(target: int | str) -> Iterator[int]:
    """Run a line to a port or a unix socket; give the port at its near end."""
    listener = socket.socket()
    # As on an Ethernet: loopback's huge segments would give senders huge buffers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, BLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    number = str(listener.fileno())
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.desktop.line", number, str(target)],
        pass_fds=(listener.fileno(),),
    )
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Quality:
    """What a line was measured to be: round trips in ms, and its rate."""

    round_trips: list[float]
    mbit_per_s: float


def measure(pings: int = 40, bulk: int = 5_000_000) -> Quality:
    """Send single bytes to and fro, then much one way, through a line of its own."""
    with socket.create_server(("127.0.0.1", 0)) as echo:
        threading.Thread(target=_answer, args=(echo, pings, bulk), daemon=True).start()
        with between(echo.getsockname()[1]) as port:
            return _through(port, pings, bulk)


def _through(port: int, pings: int, bulk: int) -> Quality:
    with socket.create_connection(("127.0.0.1", port)) as near:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        times = []
        for _ in range(pings):
            began = time.monotonic()
            near.sendall(b"x")
            near.recv(1)
            times.append((time.monotonic() - began) * 1000)
        first, left = 0.0, bulk
        while left and (part := near.recv(1 << 16)):
            first = first or time.monotonic()
            left -= len(part)
        return Quality(times, (bulk - left) * 8 / (time.monotonic() - first) / 1e6)


def _answer(echo: socket.socket, pings: int, bulk: int) -> None:
    far, _ = echo.accept()
    with far, contextlib.suppress(OSError):
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(pings):
            far.sendall(far.recv(1))
        far.sendall(bytes(bulk))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, 15)  # ends with whoever measures
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]))
