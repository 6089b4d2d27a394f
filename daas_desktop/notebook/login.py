"""JupyterLab's door: JupyterHub's own, and whoever is inside is asked about again.

Used by the notebook. Without it a web socket is asked about once, when it opens, and kernels and
terminals stay in the hands of somebody who has signed out.
"""

import os
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyterhub.services.auth import HubOAuth
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, authenticated
from traitlets import default

from daas_desktop.door.hub import Hub, HubSettings, HubUnreachableError
from daas_desktop.door.notices import Notices, seconds_between_notices
from daas_desktop.door.open_connections import OpenConnections, seconds_between_questions

# Holds the extension of JupyterLab's page that says "You are no longer signed in", and notices.
EXTENSIONS = Path(__file__).parents[1] / "page" / "lab"
ASK_EVERY_S = seconds_between_questions(os.environ)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Signed in</title>
<p>You are signed in again. Close this tab and go on in JupyterLab.</p>
<script>
  new BroadcastChannel(location.pathname.replace(/signed-in$/, "")).postMessage("signed in");
  close();
</script>
"""


class SignedInHandler(JupyterHandler):
    """Where the tab for signing in again arrives; the door comes before it."""

    @authenticated
    def get(self) -> None:
        """Tell the other tab, and close this one."""
        self.finish(PAGE)


class NoticesHandler(JupyterHandler):
    """What the hub wants the person to read; the page asks as often as this says."""

    @authenticated
    async def get(self) -> None:
        """Give the sentences."""
        sentences = await self.identity_provider.notices.fresh()
        self.set_header("Cache-Control", "no-store")
        self.finish({"notices": sentences, "again_ms": 1000 * ASK_EVERY_S})

    def _log(self) -> None:
        # Each page asks four times a minute, all day.
        if self.get_status() != HTTPStatus.OK:
            super()._log()


class TabByTab(HubOAuth):
    """JupyterHub's login, where tabs that sign in at the same moment do not share a cookie."""

    def set_state_cookie(self, handler: Any, *arguments: Any, **named: Any) -> Any:
        """Give each login a cookie of its own, as JupyterHub does from the second one on."""
        if self.state_cookie_name not in handler.request.cookies:
            handler.request.cookies[self.state_cookie_name] = "taken"
        return super().set_state_cookie(handler, *arguments, **named)


class Door(JupyterHubIdentityProvider):
    """Lets in who the hub lets in, and ends her open connections when it does no more."""

    @default("hub_auth")
    def _tab_by_tab(self) -> HubOAuth:
        return TabByTab(parent=self)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._open = OpenConnections(self._may_stay, ASK_EVERY_S)

    @cached_property
    def notices(self) -> Notices:
        """What the hub says, for all pages; made when the first one asks, inside the loop."""
        hub = Hub(HubSettings.from_environment(os.environ))
        return Notices(hub, seconds_between_notices(os.environ))

    async def get_user(self, handler: JupyterHandler) -> Any:
        """Say who asks; JupyterHub's class does."""
        user = await super().get_user(handler)
        if user is None:
            refuse_scripts(handler)
        elif lasts(handler.request):
            self._open.add(self._token(handler), handler)
        return user

    def get_handlers(self) -> list[Any]:
        """Add the page for signing in again, and the notices."""
        own = [("/signed-in", SignedInHandler), ("/notices", NoticesHandler)]
        return [*super().get_handlers(), *own]

    def _token(self, handler: JupyterHandler) -> str:
        # A page that was there before a new login still sends the old token beside the cookie.
        by_cookie = not getattr(handler, "_token_authenticated", False)
        token = self.hub_auth.get_token(handler, in_cookie=False)
        return str(self.hub_auth._get_token_cookie(handler) if by_cookie else token)

    async def _may_stay(self, token: str) -> bool:
        try:
            person = await self.hub_auth.user_for_token(token, use_cache=False, sync=False)
        except HTTPError as error:
            raise HubUnreachableError(str(error)) from None
        if person and self.hub_auth.check_scopes(self.hub_auth.access_scopes, person):
            return True
        # Else what was kept of her would let her in again at once.
        self.hub_auth.cache.clear()
        return False


def refuse_scripts(handler: JupyterHandler) -> None:
    """Let a request by a page's script end with 403: it could not show the login's page."""

    def refuse() -> str:
        raise HTTPError(403)

    if handler.request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        handler.get_login_url = refuse


def lasts(request: HTTPServerRequest) -> bool:
    """Say whether a request becomes a web socket or an event stream."""
    headers = request.headers
    return (
        headers.get("Upgrade", "").lower() == "websocket"
        or "text/event-stream" in headers.get("Accept", "")
    )  # fmt: skip
