"""The sessions' way to the hub in a cluster, flooded by one of them on loopback."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from daas_spawner.kubernetes.gate import Gate
from tests.conftest import REPOSITORY, free_port

MOST = 4
IDLE_SECONDS = 0.5
#: Two sessions; the second is only used by the test that has two.
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hub:
    """Says back what it hears, in capitals, and counts who is connected."""

    def __init__(self) -> None:
        self.port = free_port()
        self.connected = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connected += 1
        with contextlib.suppress(OSError):
            while words := await reader.read(2**16):
                writer.write(words.upper())
                await writer.drain()
        self.connected -= 1
        self._writers.discard(writer)
        writer.close()


class Place:
    """A gate before a hub."""

    def __init__(self, hub: Hub, gate: Gate) -> None:
        self.hub, self.gate, self.port = hub, gate, free_port()
        self._open: list[asyncio.StreamWriter] = []

    async def connect(self, session: str = FIRST) -> Way:
        way = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(session, 0))
        self._open.append(way[1])
        return way

    async def ask(self, way: Way) -> bytes:
        """Return the answer; nothing when the connection is closed instead."""
        try:
            way[1].write(b"hello")
            return await asyncio.wait_for(way[0].read(100), 5)
        except ConnectionError:
            return b""

    async def flood(self, times: int, session: str = FIRST) -> int:
        """Open connections; return how many of them answer."""
        return sum([await self.ask(await self.connect(session)) == b"HELLO" for _ in range(times)])

    def close_all(self) -> None:
        while self._open:
            self._open.pop().transport.abort()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    hub = Hub()
    await hub.start()
    place = Place(hub, Gate(f"http://127.0.0.1:{hub.port}", MOST, IDLE_SECONDS))
    server = await place.gate.listen(f"127.0.0.1:{place.port}")
    yield place
    place.close_all()
    server.close()
    await hub.stop()
    await until(lambda: not place.gate.open)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_session_that_floods_takes_its_own_share_only(place: Place) -> None:
    """Decision 0012: what it opens beyond is closed, and everybody else is served."""
    assert await place.flood(10 * MOST) == MOST
    assert place.hub.connected == MOST
    assert await place.flood(MOST, SECOND) == MOST


async def test_what_a_session_closes_it_may_open_again(place: Place) -> None:
    await place.flood(MOST + 1)
    place.close_all()
    await until(lambda: not place.gate.open)
    assert await place.flood(MOST) == MOST


async def test_a_connection_on_which_nothing_happens_is_closed(place: Place) -> None:
    way = await place.connect()
    assert await place.ask(way) == b"HELLO"
    assert await asyncio.wait_for(way[0].read(100), 10 * IDLE_SECONDS) == b""
    await until(lambda: not place.gate.open and not place.hub.connected)


async def test_a_connection_on_which_one_side_speaks_is_not_idle(place: Place) -> None:
    way = await place.connect()
    for _ in range(6):
        await asyncio.sleep(IDLE_SECONDS / 3)
        assert await place.ask(way) == b"HELLO"


async def test_who_does_not_read_is_closed_and_holds_little(place: Place) -> None:
    """The hub's answers wait for it, and neither the gate's memory nor its place."""
    way = await place.connect()
    way[0]._transport.pause_reading()  # type: ignore[attr-defined]
    sent = 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(10 * IDLE_SECONDS):
            while True:
                way[1].write(b"x" * 2**16)
                await way[1].drain()
                sent += 2**16
    # What the kernel keeps for four sockets, and the gate's few buffers.
    assert sent < 64 * 2**20
    await until(lambda: not place.gate.open and not place.hub.connected)


async def test_a_hub_that_was_restarted_is_found(place: Place) -> None:
    assert await place.flood(1) == 1
    await place.hub.stop()
    assert await place.flood(2) == 0
    await place.hub.start()
    assert await place.flood(1) == 1


async def test_the_last_words_come_before_the_end(place: Place) -> None:
    reader, writer = await place.connect()
    writer.write(b"x" * 10**6)
    writer.write_eof()
    assert len(await asyncio.wait_for(reader.read(), 5)) == 10**6


def test_the_program_ends_when_it_is_told_to() -> None:
    """As the first program of a container it would else be killed after half a minute."""
    command = [sys.executable, "-m", "daas_spawner.kubernetes.gate"]
    gate = subprocess.Popen(
        [*command, f"--listen=:{free_port()}"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert gate.stderr is not None
    assert "Sessions reach the hub" in gate.stderr.readline()
    gate.send_signal(signal.SIGTERM)
    assert gate.wait(5) == 0
    gate.stderr.close()
