"""Ends a visitor's open connections soon after the hub has forgotten her.

Used by the desktop's door and by JupyterLab's. The hub is asked once for each visitor, however
many connections she has.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from tornado.http1connection import HTTP1Connection
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from daas_desktop.door.hub import CALL_TIMEOUT_S, HubUnreachableError

# With the 10 s that an answer may take, and the 5 s for which a web socket that was told to close
# still takes input from a browser that does not listen, signing out works within 30 s.
ASK_EVERY_S = 15.0
# "Going away": JupyterLab does not try again after it.
SIGNED_OUT = 1001

VisitorT = TypeVar("VisitorT", bound=Hashable)


class OpenConnections(Generic[VisitorT]):
    """All web sockets and streams of a session, by visitor.

    *may_stay* asks the hub. It raises HubUnreachableError when the hub does not say; then nothing
    is closed, and the hub is asked again next time.
    """

    def __init__(
        self, may_stay: Callable[[VisitorT], Awaitable[bool]], every_s: float = ASK_EVERY_S
    ) -> None:
        self._may_stay = may_stay
        self._every_s = every_s
        self._open: dict[VisitorT, set[RequestHandler]] = {}
        self._tasks: dict[VisitorT, asyncio.Task[None]] = {}

    def add(self, visitor: VisitorT, handler: RequestHandler) -> None:
        """Watch over a connection until it ends."""
        self._open.setdefault(visitor, set()).add(handler)
        if visitor not in self._tasks:
            self._tasks[visitor] = asyncio.create_task(self._watch(visitor))

    async def _watch(self, visitor: VisitorT) -> None:
        loop = asyncio.get_running_loop()
        try:
            # The first question is asked at once: she may have come in by an older answer.
            while self._prune(visitor):
                asked_at = loop.time()
                if not await self._stays(visitor):
                    break
                await asyncio.sleep(asked_at + self._every_s - loop.time())
        finally:
            del self._tasks[visitor]
            for handler in self._open.pop(visitor):
                # One that cannot be ended keeps no other open.
                with contextlib.suppress(Exception):
                    end(handler)

    async def _stays(self, visitor: VisitorT) -> bool:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await self._may_stay(visitor)
        except (HubUnreachableError, TimeoutError):
            return True

    def _prune(self, visitor: VisitorT) -> bool:
        self._open[visitor] = {handler for handler in self._open[visitor] if is_open(handler)}
        return bool(self._open[visitor])


def seconds_between_questions(env: Mapping[str, str]) -> float:
    """Give what DAAS_ASK_EVERY_S says, or the default."""
    return float(env.get("DAAS_ASK_EVERY_S", ASK_EVERY_S))


def is_open(handler: RequestHandler) -> bool:
    """Say whether a connection still carries something."""
    if isinstance(handler, WebSocketHandler) and handler.ws_connection is not None:
        return not handler.ws_connection.is_closing()
    connection = handler.request.connection
    if not isinstance(connection, HTTP1Connection):
        return not handler._finished
    # A web socket takes its stream with it, and one that has closed has none any more.
    stream = connection.stream
    return not handler._finished and stream is not None and not stream.closed()


def end(handler: RequestHandler) -> None:
    """Close a connection; harmless if the browser has gone away."""
    if isinstance(handler, WebSocketHandler) and handler.ws_connection is not None:
        handler.close(SIGNED_OUT, "You are signed out.")
    elif is_open(handler):
        # Not by cutting it off: the hub's proxy does not pass that on.
        handler.finish()
