"""What the hub takes from anybody: no session fills its memory with what it posts (I4)."""

import asyncio
import contextlib

import pytest

from daas_spawner import MOST_BODY_BYTES
from tests.conftest import Demo

PATHS = ["/hub/api/nothing", "/hub/api/users/pi/activity", "/hub/login"]
BLOCK = b"x" * 2**16


async def posted(demo: Demo, path: str, size: int, *, chunked: bool = False) -> tuple[int, int]:
    """Return the status of the answer to *size* bytes, and how many of them were taken.

    As a session does it, whose way ends at this socket.
    """
    reader, writer = await asyncio.open_unix_connection(demo.run / "hub" / "hub.sock")
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: hub\r\n{length}\r\n\r\n".encode())
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < size and not reader.at_eof():
            block = BLOCK[: size - sent]
            writer.write(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
            await writer.drain()
            await asyncio.sleep(0)  # so that the end is seen
            sent += len(block)
        writer.write(b"0\r\n\r\n" if chunked else b"")
    try:
        async with asyncio.timeout(10):
            words = (await reader.readline()).split()
        return (int(words[1]) if words else 0), sent
    except ConnectionError:
        return 0, sent  # it was closed with more to be read
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("chunked", [False, True], ids=["of a length", "in parts"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_body_without_end_is_refused_while_it_comes(
    demo: Demo, path: str, chunked: bool
) -> None:
    status, sent = await posted(demo, path, 64 * MOST_BODY_BYTES, chunked=chunked)
    assert status in (0, 400)
    assert sent < 8 * MOST_BODY_BYTES


async def test_a_body_that_is_small_is_read(demo: Demo) -> None:
    """The hub itself answers: nobody may ask that without a token."""
    status, sent = await posted(demo, PATHS[1], MOST_BODY_BYTES)
    assert (status, sent) == (403, MOST_BODY_BYTES)
