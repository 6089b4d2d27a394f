"""Signing out: here, at the provider too, and when the provider says so by itself.

Registered by `DaasAuthenticator.get_handlers`. OpenID Connect RP-Initiated Logout 1.0 and
Back-Channel Logout 1.0.
"""

import time
from collections.abc import Sequence
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import HTTPError

from daas_authenticator.logins.ending import end_logins
from daas_authenticator.logins.login import Login
from daas_authenticator.logins.logout_token import OLDEST_SECONDS
from daas_authenticator.logins.notices import duration
from daas_authenticator.providers import DEFAULT
from daas_authenticator.web_errors import web_error
from daas_model.errors import BadRequest, DaasError, LoginFailed


class SignOutPage(BaseHandler):
    """`/logout`: sign this browser out of the hub and of everything that the hub let it into."""

    async def get(self) -> None:
        """Ask first: another site's page can lead here."""
        if self.current_user is None:
            self.redirect(url_path_join(self.hub.base_url, "signed-out"))
            return
        xsrf, lasts = self.xsrf_token.decode("ascii"), _sessions_last(self.authenticator)
        self.finish(await self.render_template("sign-out.html", xsrf=xsrf, lasts=lasts))

    async def post(self) -> None:
        """Sign out; the hub has checked the form's token. Sessions keep running."""
        login = await self.authenticator.register.login_of(self.get_session_cookie())
        await leave(self, [login] if login else [])


async def leave(handler: Any, logins: Sequence[Login]) -> None:
    """End *logins*, of which one is this browser's, and go on to its provider or say it is done."""
    authenticator, user = handler.authenticator, handler.current_user
    onward = ""
    try:
        this = await authenticator.register.login_of(handler.get_session_cookie())
        if this is not None and user is not None:
            onward = await _way_out(authenticator, this)
            await end_logins(authenticator, user, logins)
    except DaasError as error:
        # This browser is signed out all the same; what remains is for a copy of its cookies.
        handler.log.error("%s: %s", error.code, error.detail or error.message)
    handler.log.info("Signed out: %s", user.name if user else "nobody")
    handler.clear_login_cookie()
    handler.redirect(onward or url_path_join(handler.hub.base_url, "signed-out"))


async def _way_out(authenticator: Any, login: Login) -> str:
    """Return where the browser ends *login* at its provider; empty when there is no such way.

    Without `id_token_hint`, so that no token is in an address; the provider then asks the person
    (RP-Initiated Logout, 2). A form would keep it out too, but providers do not get their own
    cookies with a form of another site.
    """
    client = authenticator.ways.client_of(login.provider, login.issuer)
    try:
        endpoint = await client.end_session_endpoint() if client else ""
    except DaasError:
        return ""  # it is out of order: nothing can be ended there now
    query = {
        "client_id": client.provider.client_id,
        "post_logout_redirect_uri": authenticator.redirect_uri("signed-out"),
    }
    return str(url_concat(endpoint, query)) if endpoint else ""


def _sessions_last(authenticator: Any) -> str:
    """Return for how long sessions surely go on without a login.

    A provider that has ended its own login does not renew ours, which looks like a refusal.
    """
    return duration(authenticator.refused_grace_seconds)


class SignedOutPage(BaseHandler):
    """`/signed-out`: it is done, here and where the provider sent the browser back from."""

    async def get(self) -> None:
        """Say so; nobody is sent to sign in again at once."""
        lasts = _sessions_last(self.authenticator)
        self.finish(await self.render_template("logout.html", lasts=lasts))


class NoticesPage(APIHandler):
    """`/api/notices`: what somebody should read just now, for the portal's pages and sessions."""

    def get(self) -> None:
        """Return the sentences for whoever asks with her cookie or a token of hers."""
        user = self.current_user
        if not isinstance(user, User):
            raise HTTPError(403)
        self.finish({"notices": self.authenticator.notices_for(user)})


class BackchannelPage(BaseHandler):
    """`POST /oidc/<id>/backchannel`: the provider itself says that a login has ended there."""

    #: Notices that were obeyed, with their time: a copy is refused.
    _obeyed: dict[str, float] = {}  # noqa: RUF012  one for all requests

    def check_xsrf_cookie(self) -> None:
        """Ask for no form's token: no browser comes here, the signature counts."""

    async def prepare(self) -> None:
        """Ask who this is of nobody: cookies and tokens count nothing here."""
        self.set_header("Cache-Control", "no-store")

    def get_current_user(self) -> None:
        """Return nobody."""
        return

    async def post(self, provider: str = DEFAULT) -> None:
        """End the logins that a signed notice means (section 2.8: 200, else 400)."""
        authenticator = self.authenticator
        try:
            client = authenticator.ways.client(provider)
            notice = await client.logout_notice(self.get_body_argument("logout_token", ""))
            number = f"{provider} {notice.token_id}"
            self._refuse_copies(number)
            logins = await authenticator.register.by_provider(
                client.provider.issuer, notice.subject, notice.sid
            )
            for name in {login.name for login in logins}:
                hers = [login for login in logins if login.name == name]
                await end_logins(authenticator, self.find_user(name), hers)
                self.log.info("Logins of %s ended by %s: %d", name, provider, len(hers))
            # Not before: a provider whose notice failed sends it once more.
            self._obeyed[number] = time.monotonic()
        except LoginFailed as error:
            raise web_error(BadRequest(error.message, detail=error.detail), self.log) from None
        except DaasError as error:
            raise web_error(error, self.log) from None

    def _refuse_copies(self, token_id: str) -> None:
        now = time.monotonic()
        for old in [key for key, at in self._obeyed.items() if at < now - 2 * OLDEST_SECONDS]:
            del self._obeyed[old]
        if token_id in self._obeyed:
            raise BadRequest("This notice was obeyed before.", detail="logout token: a copy")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer in the words of the specification; a machine reads it."""
        self.set_status(400 if status_code < 500 else status_code)
        self.finish({"error": "invalid_request" if status_code < 500 else "server_error"})
