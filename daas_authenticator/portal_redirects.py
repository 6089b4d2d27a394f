"""The hub's own home, start and waiting pages lead to the portal: there is one door.

Registered by `DaasAuthenticator.get_handlers`, whose handlers the hub matches before its own.
"""

import re
from typing import Any
from urllib.parse import urldefrag

from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from tornado.web import HTTPError

from daas_authenticator.web_errors import web_error
from daas_model.errors import StartRefused

_SESSION = re.compile(r"[a-z][a-z0-9-]{0,62}")


def portal_address(portal_url: str, path: str) -> str:
    """Return the portal's page for *path*, what follows `/hub/spawn` or `/hub/home`.

    `/<user>/<session>` becomes the session's place on the portal; all else its front page.
    """
    parts = path.strip("/").split("/")
    if len(parts) == 2 and _SESSION.fullmatch(parts[1]):
        return f"{urldefrag(portal_url).url}#session-{parts[1]}"
    return portal_url


class PortalRedirect(BaseHandler):
    """Show the portal; start nothing, whoever asks and however."""

    def get(self, path: str | None = None) -> None:
        """Go to the portal, which also sends those to sign in who did not yet."""
        self.redirect(portal_address(self.authenticator.portal_url, path or ""))

    def post(self, *_: Any) -> None:
        """Refuse: a form of the stock hub would start a session past the portal."""
        raise web_error(StartRefused("Sessions are started in the portal only."), self.log)


class WithoutSlash(BaseHandler):
    """The page that was meant: the hub knows its own without a slash at the end only."""

    def get(self, page: str) -> None:
        """Go there, with what was asked."""
        address = url_path_join(self.hub.base_url, page)
        query = self.request.query
        self.redirect(f"{address}?{query}" if query else address)


class NotHere(BaseHandler):
    """No page: the hub's own way to take part in a session knows no rule of the facility."""

    def get(self) -> None:
        """Answer as for any address that does not exist."""
        raise HTTPError(404)

    post = get


HANDLERS: list[tuple[str, type[BaseHandler]]] = [
    (r"/home/?", PortalRedirect),
    (r"/spawn(/.*)?", PortalRedirect),
    (r"/spawn-pending(/.*)?", PortalRedirect),
    (r"/accept-share/?", NotHere),
    # Not where the path after it is another page's matter.
    (
        r"/((?!api/|user/|user-redirect/|static/)[a-z][a-z0-9_-]*(?:/[a-z0-9_-]+){0,2})/",
        WithoutSlash,
    ),
]
