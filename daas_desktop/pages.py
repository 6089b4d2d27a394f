"""The addresses of a session: its page, the program's state, its log and icon, and the picture.

`application` is what the server serves. Every answer passes the door of `web` first.
"""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, StaticFileHandler

from daas_desktop import __version__
from daas_desktop.door.hub import HubUnreachableError
from daas_desktop.door.hub_login import LoginError
from daas_desktop.files.handlers import (
    DownloadHandler,
    FolderHandler,
    OpenHandler,
    PieceHandler,
    UploadHandler,
)
from daas_desktop.picture.bridge import BLOCK_BYTES, Bridge
from daas_desktop.picture.thumbnail import ThumbnailHandler, Thumbnails
from daas_desktop.picture.viewers import MOST_OF_A_GUEST
from daas_desktop.program.process import State
from daas_desktop.together import ControlHandler, GuestHandler, InvitationsHandler, Told
from daas_desktop.web import Handler, Session

PAGE = Path(__file__).parent / "page"
# JupyterLab's page shows notices too, and serves its extensions' folders only.
SHARED = PAGE / "lab" / "daas-session" / "static"
# Fetched all at once: else a browser learns of each only from the one that imports it.
MODULES = ["notices.js", *sorted(path.name for path in PAGE.glob("*.js"))]
HEARTBEAT_S = 20
MEASURED_EVERY_S = 2
PING_S = 45


class PageHandler(Handler):
    """The one page."""

    redirects = True

    def get(self) -> None:
        """Show the desktop."""
        session = self.session
        self.render(
            "index.html",
            title=session.program.title,
            portal_url=session.portal_url,
            notice=session.notice,
            icon=bool(session.icon),
            modules=MODULES,
            clipboard=session.clipboard,
            watching=session.watching,
            xsrf_token=session.xsrf_token,
            files=session.files if self.visitor.owner and session.files.offered else None,
            # Her own session; a tile of JupyterLab's ends with JupyterLab, and has no guests.
            in_portal=self.visitor.owner and session.login is not None,
            guest=not self.visitor.owner,
        )


class SlashHandler(Handler):
    """The address without its slash; the page's own links need one."""

    open_door = True

    def get(self) -> None:
        """Send to the address with the slash."""
        self.redirect(self.request.path + "/")


class ApiHandler(Handler):
    """Tells the hub that the session is ready; we listen only once the X server answers."""

    open_door = True

    def get(self) -> None:
        """Give the version."""
        self.write({"version": __version__})


class CallbackHandler(Handler):
    """Where the hub sends the browser after the login."""

    open_door = True
    redirects = True

    async def get(self) -> None:
        """Finish the login."""
        if self.session.login is None:
            raise HTTPError(404)
        try:
            await self.session.login.finish(self)
        except LoginError as error:
            self.send_error(403, reason=str(error))
        except HubUnreachableError:
            self.send_error(503, reason="Your sign-in cannot be checked just now. Try again.")


class StateHandler(Handler):
    """Where the program is: once as JSON, or as server-sent events until the viewer goes.

    What the hub wants her to read comes along as events of its own.
    """

    _task: asyncio.Task[Any] | None = None

    async def get(self) -> None:
        """Give the state, then each change."""
        if "text/event-stream" not in self.request.headers.get("Accept", ""):
            self.write(_as_dict(self.session.program.state))
            return
        streams, name = self.session.streams, self.visitor.name
        if not self.visitor.owner and streams[name] >= MOST_OF_A_GUEST:
            raise HTTPError(429, reason="You watch this in too many places.")
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        self._task = asyncio.current_task()
        self.session.watch(self)
        streams[name] += 1
        tab = self.get_query_argument("tab", "")
        try:
            await self._tell(Told(self.session.viewers, self.visitor, tab))
        except (asyncio.CancelledError, StreamClosedError):
            return
        finally:
            streams[name] -= 1

    async def _tell(self, others: Told) -> None:
        told: tuple[str, ...] = ()
        # Who is sent out hears no more; the hub may be away, and forgets her later.
        while not self._is_refused(self.visitor):
            change = self.session.changes.upcoming()
            now = tuple(self._events(others))
            self.write("".join(event for event in now if event not in told) or ":\n\n")
            told = now
            await self.flush()
            wait_s = MEASURED_EVERY_S if others.connected else HEARTBEAT_S
            try:
                await asyncio.wait_for(change.wait(), wait_s)
            except TimeoutError:
                continue

    def _events(self, others: Told) -> Iterator[str]:
        yield f"data: {json.dumps(_as_dict(self.session.program.state))}\n\n"
        if self.session.closing.phase is not None:
            yield f"event: closing\ndata: {json.dumps(self.session.closing.phase)}\n\n"
        if self.session.notices is not None:
            yield f"event: notices\ndata: {json.dumps(self.session.notices.look())}\n\n"
        for name, content in others.events():
            yield f"event: {name}\ndata: {json.dumps(content)}\n\n"

    def on_connection_close(self) -> None:
        """Stop telling when nobody listens."""
        if self._task is not None:
            self._task.cancel()

    # When nobody may listen any more.
    on_finish = on_connection_close


class AgainHandler(Handler):
    """Starts the program again after it has ended."""

    for_owner = True

    def post(self) -> None:
        """Start it; harmless while it runs."""
        self.session.again()
        self.write(_as_dict(self.session.program.state))


class EndHandler(Handler):
    """Ends the session: the program is asked first, then may be made to, if she says so."""

    for_owner = True

    def post(self) -> None:
        """Do what `how` says: `ask`, `keep` or `force`."""
        closing = self.session.closing
        ways = {"ask": closing.ask, "keep": closing.keep, "force": closing.force}
        way = ways.get(self.get_query_argument("how", "ask"))
        if way is None:
            raise HTTPError(404)
        way()
        self.write({"closing": closing.phase})


class LogHandler(Handler):
    """The program's last lines."""

    for_owner = True

    def get(self) -> None:
        """Give them as plain text."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(self.session.program.output())


class IconHandler(Handler):
    """The app's icon."""

    def get(self) -> None:
        """Give the file that the spawner named."""
        path = Path(self.session.icon)
        try:
            data = path.read_bytes()
        except OSError:
            raise HTTPError(404) from None
        svg = path.suffix == ".svg"
        self.set_header("Content-Type", "image/svg+xml" if svg else "image/png")
        self.write(data)


class FileHandler(Handler, StaticFileHandler):
    """The page's own files."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002
        """Let the browser keep them, but ask each time whether they changed."""
        self.set_header("Cache-Control", "private, no-cache")


class NotFoundHandler(Handler):
    """Everything else below the prefix: the door first, then a sentence."""

    def get(self) -> None:
        """There is nothing here."""
        self.send_error(404, reason="There is no such page.")


def application(session: Session, prefix: str) -> Application:
    """Give the web application; all its addresses lie below `prefix`."""
    files = {"path": str(PAGE)}
    return Application(
        [
            (prefix, PageHandler),
            *([(prefix.rstrip("/"), SlashHandler)] if prefix != "/" else []),
            (prefix + r"api/?", ApiHandler),
            (prefix + "oauth_callback", CallbackHandler),
            (prefix + "state", StateHandler),
            (prefix + "again", AgainHandler),
            (prefix + "end", EndHandler),
            (prefix + "log", LogHandler),
            (prefix + "control", ControlHandler),
            (prefix + "guests/([0-9]{1,9})", GuestHandler),
            (prefix + "invitations", InvitationsHandler),
            (prefix + "files", FolderHandler),
            (prefix + "files/download", DownloadHandler),
            (prefix + "files/open", OpenHandler),
            (prefix + "files/upload", UploadHandler),
            (prefix + r"files/upload/([\w-]+)", PieceHandler),
            (prefix + "icon", IconHandler),
            (prefix + "rfb", Bridge),
            (prefix + "thumbnail", ThumbnailHandler),
            (prefix + r"static/(notices\.js)", FileHandler, {"path": str(SHARED)}),
            (prefix + r"static/([a-z]+\.(?:css|js))", FileHandler, files),
        ],
        default_handler_class=NotFoundHandler,
        session=session,
        thumbnails=Thumbnails(session.rfb_path),
        template_path=str(PAGE),
        cookie_secret=secrets.token_bytes(32),
        xsrf_cookies=True,
        # JupyterLab's proxy loses the encoding of an event stream.
        compress_response=session.login is not None,
        websocket_max_message_size=4 * BLOCK_BYTES,
        websocket_ping_interval=PING_S,
        websocket_ping_timeout=PING_S,
        log_function=lambda _: None,  # addresses may carry a code
    )


def _as_dict(state: State) -> dict[str, Any]:
    return {"phase": state.phase, "status": state.status}
