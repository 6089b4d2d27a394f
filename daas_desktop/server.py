"""The session's web server: page, state, start again, and the bridge to the X server.

Called by `__main__` when X server and program are on their way. Runs until it is told to stop or
the X server dies, and leaves no process behind.
"""

import asyncio
import json
import logging
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, StaticFileHandler

from daas_desktop import __version__
from daas_desktop.bridge import BLOCK_BYTES, Bridge
from daas_desktop.display import Display
from daas_desktop.hub import Hub, HubSettings, HubUnreachableError
from daas_desktop.hub_login import HubLogin, LoginError
from daas_desktop.notices import Notices, seconds_between_notices
from daas_desktop.open_connections import seconds_between_questions
from daas_desktop.program import Program, State
from daas_desktop.web import Changes, Handler, Session
from daas_desktop.windows import main_window

PAGE = Path(__file__).parent / "page"
# JupyterLab's page shows notices too, and serves its extensions' folders only.
SHARED = PAGE / "lab" / "daas-session" / "static"
HEARTBEAT_S = 20
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
            xsrf_token=session.xsrf_token,
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
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        self._task = asyncio.current_task()
        self.session.watch(self)
        try:
            await self._tell()
        except (asyncio.CancelledError, StreamClosedError):
            return

    async def _tell(self) -> None:
        told: tuple[str, ...] = ()
        while True:
            now = tuple(self._events())
            self.write("".join(event for event in now if event not in told) or ":\n\n")
            told = now
            await self.flush()
            try:
                await asyncio.wait_for(self.session.changes.next(), HEARTBEAT_S)
            except TimeoutError:
                continue

    def _events(self) -> Iterator[str]:
        yield f"data: {json.dumps(_as_dict(self.session.program.state))}\n\n"
        if self.session.notices is not None:
            yield f"event: notices\ndata: {json.dumps(self.session.notices.look())}\n\n"

    def on_connection_close(self) -> None:
        """Stop telling when nobody listens."""
        if self._task is not None:
            self._task.cancel()

    # When nobody may listen any more.
    on_finish = on_connection_close


class AgainHandler(Handler):
    """Starts the program again after it has ended."""

    def post(self) -> None:
        """Start it; harmless while it runs."""
        self.session.again()
        self.write(_as_dict(self.session.program.state))


class LogHandler(Handler):
    """The program's last lines."""

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
            (prefix + "log", LogHandler),
            (prefix + "icon", IconHandler),
            (prefix + "rfb", Bridge),
            (prefix + r"static/(desktop\.css|desktop\.js|novnc\.js)", FileHandler, files),
            (prefix + r"static/(notices\.js)", FileHandler, {"path": str(SHARED)}),
        ],
        default_handler_class=NotFoundHandler,
        session=session,
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


class Desktop:
    """Display, program and web server of one session, tied together."""

    def __init__(
        self, display: Display, program: Program, env: Mapping[str, str], icon: str, hub: bool
    ) -> None:
        self._display, self._program = display, program
        self._stop = asyncio.Event()
        self._window: asyncio.Task[None] | None = None
        # A tile knows the hub too, from JupyterLab's environment, to report activity.
        known = hub or "JUPYTERHUB_ACTIVITY_URL" in env
        client = Hub(HubSettings.from_environment(env)) if known else None
        self._prefix = client.settings.prefix if hub and client else "/"
        changes = Changes()
        every_s = seconds_between_notices(env)
        self.session = Session(
            program=program,
            rfb_path=display.rfb_path,
            xsrf_token=secrets.token_urlsafe(24),
            portal_url=env.get("DAAS_PORTAL_URL", "/"),
            notice=env.get("DAAS_DEMO_NOTICE", ""),
            icon=icon,
            hub_version=env.get("DAAS_HUB_VERSION", ""),
            again=program.start,
            hub=client,
            login=HubLogin(client, seconds_between_questions(env)) if hub and client else None,
            notices=Notices(client, every_s, changes.announce) if client else None,
            changes=changes,
        )

    async def run(self, listener: socket.socket) -> int:
        """Serve until told to stop; give the exit status, 1 if the X server died."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGCHLD, self._child_ended)
        self._program.changed = self._changed
        self._program.attach(loop)
        self._changed()
        self._child_ended()
        listener.setblocking(False)
        server = HTTPServer(application(self.session, self._prefix), xheaders=True)
        server.add_socket(listener)
        await self._stop.wait()
        server.stop()
        if self._window is not None:
            self._window.cancel()
            await asyncio.wait({self._window})
        return 0 if self._display.alive() else 1

    def _child_ended(self) -> None:
        self._program.reap()
        if not self._display.alive():
            logging.getLogger("daas_desktop").error(
                "the X server has ended: %s", self._display.last_words()
            )
            self._stop.set()
        else:
            self._display.keep_window_manager()

    def _changed(self) -> None:
        phase = self._program.state.phase
        if phase != "starting" and self._window is not None:
            self._window.cancel()
            self._window = None
        if phase == "starting" and self._window is None:
            self._window = asyncio.create_task(self._wait_for_window())
        self.session.changes.announce()

    async def _wait_for_window(self) -> None:
        await main_window(self._program.environment)
        self._window = None
        self._program.window_seen()


def run(desktop: Mapping[str, Any], listener: socket.socket) -> int:
    """Tie a desktop together and serve it on `listener`; called once by `__main__`."""

    async def serve() -> int:
        return await Desktop(**desktop).run(listener)

    return asyncio.run(serve())
