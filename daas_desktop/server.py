"""One session's desktop, tied together: X server, program, what the hub says, and the pages.

Called by `__main__` when X server and program are on their way. Runs until it is told to stop or
the X server dies, and leaves no process behind.
"""

import asyncio
import datetime
import logging
import secrets
import signal
import socket
from collections.abc import Mapping
from typing import Any

from tornado.httpserver import HTTPServer

from daas_desktop.door.hub import Hub, HubSettings
from daas_desktop.door.hub_login import HubLogin
from daas_desktop.door.notices import Notices, seconds_between_notices
from daas_desktop.door.open_connections import seconds_between_questions
from daas_desktop.door.use import Use, WorkWatch
from daas_desktop.files.session_files import Files
from daas_desktop.pages import application
from daas_desktop.picture.clipboard import clipboard_switch
from daas_desktop.picture.clock import Clock
from daas_desktop.picture.display import Display
from daas_desktop.picture.viewers import Viewers
from daas_desktop.program.closing import Closing
from daas_desktop.program.process import Program
from daas_desktop.program.windows import main_window
from daas_desktop.web import Changes, Session

LAST_WORD_S = 0.3
# A hub that does not listen keeps nobody's session.
MOST_LAST_WORD_S = 2.0


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
            watching=env.get("DAAS_WATCHING", "off"),
            again=program.start,
            files=Files.from_environment(env),
            closing=Closing(program, changes.announce),
            clipboard=clipboard_switch(env),
            hub=client,
            use=Use(client, WorkWatch(env), every_s) if client else None,
            login=HubLogin(client, seconds_between_questions(env)) if hub and client else None,
            notices=Notices(client, every_s, changes.announce) if client else None,
            changes=changes,
            viewers=Viewers(changes.announce),
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
        use = self.session.use
        # JupyterLab's own server looks at what a tile's programs do.
        alone = use is not None and self.session.login is not None
        looking = asyncio.create_task(use.run()) if use and alone else None
        clock = asyncio.create_task(Clock(self.session.viewers, self._display.environment).run())
        await self._told_to_stop()
        server.stop()
        clock.cancel()
        self.session.files.close()
        if looking is not None:
            looking.cancel()
        if self._window is not None:
            self._window.cancel()
            await asyncio.wait({self._window})
        return 0 if self._display.alive() else 1

    async def _told_to_stop(self) -> None:
        """Wait for a signal, the X server's end, or the person's wish."""
        closing = self.session.closing
        ways = {asyncio.create_task(self._stop.wait()), asyncio.create_task(closing.over.wait())}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        closing.cancel()
        if closing.over.is_set():
            # Pages and hub are told that it is over before there is nobody to ask.
            telling = {asyncio.create_task(asyncio.sleep(LAST_WORD_S))}
            if self.session.hub is not None and self.session.login is not None:
                now = datetime.datetime.now(datetime.UTC)
                telling.add(asyncio.create_task(self.session.hub.report_use(now, over=True)))
            await asyncio.wait(telling, timeout=MOST_LAST_WORD_S)

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
