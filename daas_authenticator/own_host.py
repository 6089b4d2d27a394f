"""The hub signs people in under its own host only. Called by the authenticator at each sign-in.

With sub-domains the proxy brings the hub every address that no session has, whatever its host. A
login made below a session's host would be a cookie of that host, and the session's pages could
use it. Nginx leads such requests away; this holds where something else stands in front.
"""

from typing import Any
from urllib.parse import urlsplit

from daas_authenticator.web_errors import web_error
from daas_model.errors import BadRequest


def require_own_host(handler: Any) -> None:  # a handler of the hub
    """Return if *handler* was asked under the hub's own host. Raises the hub's `HTTPError`."""
    if not handler.subdomain_host:
        return
    asked = urlsplit(f"//{handler.request.host}").hostname
    if asked != handler.domain:
        error = BadRequest(
            "This is not the address at which people sign in.",
            "Open the portal and sign in there.",
            detail="a sign-in under another host",
        )
        raise web_error(error, handler.log)
