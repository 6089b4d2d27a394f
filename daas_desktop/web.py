"""What all handlers of a session share: the door, the headers, errors as sentences.

Used by `server` and `bridge`. Every handler asks the door first, unless it says `open_door`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from daas_desktop.door.hub import Hub, HubUnreachableError
from daas_desktop.door.hub_login import HubLogin, Verdict
from daas_desktop.door.notices import Notices
from daas_desktop.door.use import Use
from daas_desktop.files.session_files import Files
from daas_desktop.picture.viewers import Viewers
from daas_desktop.program.closing import Closing
from daas_desktop.program.process import Program

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)


class Changes:
    """Wakes everybody who waits for the next change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def announce(self) -> None:
        """Wake all who wait."""
        self._event.set()
        self._event = asyncio.Event()

    def upcoming(self) -> asyncio.Event:
        """Give what the next change sets. Taken before looking, no change is missed."""
        return self._event


@dataclass(frozen=True, slots=True)
class Session:
    """The running session, as its handlers see it; `login` is None behind JupyterLab's door."""

    program: Program
    rfb_path: str
    xsrf_token: str
    portal_url: str
    notice: str
    icon: str
    hub_version: str
    watching: str
    again: Callable[[], None]
    files: Files
    closing: Closing
    clipboard: str = "both"
    hub: Hub | None = None
    use: Use | None = None
    login: HubLogin | None = None
    notices: Notices | None = None
    changes: Changes = field(default_factory=Changes)
    viewers: Viewers = field(default_factory=Viewers)
    #: How many event streams each person's pages have open.
    streams: Counter[str] = field(default_factory=Counter)

    def somebody_is_at_work(self) -> None:
        """Note keyboard or mouse input."""
        if self.use is not None:
            self.use.used()

    def watch(self, handler: RequestHandler) -> None:
        """See to it that a long connection ends with its visitor's login."""
        if self.login is not None:
            self.login.watch(handler)


#: Behind JupyterLab's door only the person herself can be.
HERSELF = Verdict(known=True, welcome=True, owner=True)


class Handler(RequestHandler):
    """A request that passes the door; `visitor` is who makes it.

    What changes or shows more than the picture is `for_owner`: a guest gets 403.
    """

    open_door = False
    redirects = False
    for_owner = False
    visitor = HERSELF

    @property
    def session(self) -> Session:
        """The session this handler belongs to."""
        session: Session = self.settings["session"]
        return session

    def set_default_headers(self) -> None:
        """Allow nothing from elsewhere."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "private, no-cache")
        if self.session.hub_version:
            self.set_header("X-JupyterHub-Version", self.session.hub_version)
        self.clear_header("Server")

    async def prepare(self) -> None:
        """Ask the door: 403 for data, the hub's login for pages."""
        login = self.session.login
        if self.open_door or login is None:
            return
        try:
            verdict = await login.verdict(self)
        except HubUnreachableError:
            self.send_error(503, reason="Your sign-in cannot be checked just now. Try again.")
            return
        self.visitor = verdict
        if verdict.welcome and not self._is_refused(verdict):
            return
        if verdict.known:
            self.send_error(403, reason="This session belongs to somebody else.")
        elif self.redirects:
            login.send_to_hub(self)
        else:
            self.send_error(403, reason="You are not signed in. Load the page again.")

    def _is_refused(self, guest: Verdict) -> bool:
        if guest.owner:
            return False
        return self.for_owner or self.session.viewers.is_sent_out(guest.name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ARG002
        """Answer an error with a sentence, on a page of its own where a page was asked for."""
        sentence = str(kwargs.get("reason") or self._reason)
        if self.redirects:
            self.render(
                "error.html",
                title=self.session.program.title,
                sentence=sentence,
                portal_url=self.session.portal_url,
            )
        else:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(sentence + "\n")

    def check_xsrf_cookie(self) -> None:
        """Accept a change only with the token that stands in the page; no cookie is needed."""
        if self.request.headers.get("X-XSRFToken") != self.session.xsrf_token:
            self.send_error(403, reason="This page is too old. Load it again.")


class WebSocket(Handler, WebSocketHandler):
    """A web socket that passes the door and comes from our own page."""

    def check_origin(self, origin: str) -> bool:
        """Demand our own origin; JupyterLab's door has done so already."""
        return self.session.login is None or super().check_origin(origin)
