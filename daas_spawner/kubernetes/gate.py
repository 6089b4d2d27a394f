"""The sessions' way to the hub's API in a cluster: a bounded number of connections for each.

Runs beside the hub as `python -m daas_spawner.kubernetes.gate`. A session that opens connections
without end exhausts its own share and not the hub (decision 0012). Bytes are carried and not read;
each connection finds the hub anew, so that a hub that was restarted is found.
"""

import argparse
import asyncio
import logging
import resource
import signal
import time
from collections import Counter
from urllib.parse import urlsplit

from daas_spawner.session.relay import BLOCK_BYTES, IDLE_SECONDS, MOST_CONNECTIONS

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 5.0
#: What waits for somebody who does not read is at most about four times as much.
BUFFER_BYTES = 16 * 1024
#: Refusals are told once in so many seconds: whoever floods must not fill the log, too.
TELL_SECONDS = 60.0

_log = logging.getLogger("daas.gate")


class Gate:
    """Carries connections to the hub at *hub*, an address such as http://127.0.0.1:8081."""

    def __init__(
        self, hub: str, most: int = MOST_CONNECTIONS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._hub = urlsplit(hub)
        self._most = most
        self._idle_seconds = idle_seconds
        self._told = float("-inf")
        #: Connections that are open now, by the peer's address.
        self.open: Counter[str] = Counter()

    async def listen(self, address: str) -> asyncio.Server:
        """Return a server at *address*, `HOST:PORT`; an empty host is every address there is."""
        host, _, port = address.rpartition(":")
        return await asyncio.start_server(
            self._carry_both, host or None, int(port), limit=BUFFER_BYTES
        )

    async def _carry_both(
        self, session: asyncio.StreamReader, to_session: asyncio.StreamWriter
    ) -> None:
        peer = str(to_session.get_extra_info("peername")[0])
        if self.open[peer] >= self._most:
            self._tell(peer)
            to_session.transport.abort()
            return
        self.open[peer] += 1
        writers = [to_session]
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                hub, to_hub = await self._connect()
            writers.append(to_hub)
            await self._until_idle((session, to_hub), (hub, to_session))
            for writer in writers:
                await _close(writer)
        except OSError:  # TimeoutError is one: the hub is away, or nobody has said anything
            pass
        finally:
            for writer in writers:
                writer.transport.abort()
            self.open[peer] -= 1
            if not self.open[peer]:
                del self.open[peer]

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._hub.hostname, self._hub.port, limit=BUFFER_BYTES)

    async def _until_idle(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Carry both ways until they end. Raises `TimeoutError` when nothing moves any more."""
        async with asyncio.timeout(self._idle_seconds) as limit:

            def moved() -> None:
                limit.reschedule(asyncio.get_running_loop().time() + self._idle_seconds)

            async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                target.transport.set_write_buffer_limits(BUFFER_BYTES)
                while block := await source.read(BLOCK_BYTES):
                    target.write(block)
                    await target.drain()
                    moved()
                target.write_eof()

            await asyncio.gather(*(carry(*way) for way in ways))

    def _tell(self, peer: str) -> None:
        if time.monotonic() > self._told + TELL_SECONDS:
            self._told = time.monotonic()
            _log.warning("%s has %d connections; more are refused.", peer, self._most)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection once what was said last has gone out. Raises `OSError`."""
    writer.close()
    async with asyncio.timeout(CLOSE_SECONDS):
        await writer.wait_closed()


async def main(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM; a container's first program must take it by itself."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await Gate(arguments.hub).listen(arguments.listen)
    _log.info("Sessions reach the hub by %s.", arguments.listen)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m daas_spawner.kubernetes.gate")
    parser.add_argument("--listen", default=":8082", metavar="HOST:PORT")
    parser.add_argument("--hub", default="http://127.0.0.1:8081", metavar="URL")
    logging.basicConfig(
        level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s"
    )
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main(parser.parse_args()))
