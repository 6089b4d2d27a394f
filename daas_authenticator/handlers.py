"""The hub's pages of a login: go to the provider, come back, sign out.

Registered by `DaasAuthenticator.get_handlers`.
"""

import re
from typing import Any

from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.login import LogoutHandler
from oauthenticator.oauth2 import OAuthLogoutHandler
from tornado.web import HTTPError

from daas_authenticator.login_flow import LIFETIME_SECONDS, LoginFlow, is_state, safe_path
from daas_authenticator.web_errors import web_error
from daas_model.errors import BadRequest, DaasError, LoginFailed, StartRefused

_COOKIE = "daas-login-"
# Each waiting login is a cookie of up to 3 kB; proxies refuse headers over 16 kB.
_MOST_TABS = 4


class FlowCookies(BaseHandler):
    """The logins that wait in this browser, one signed cookie each."""

    @property
    def _prefix(self) -> str:
        public = self.settings.get("public_url")
        scheme = public.scheme if public else self.request.protocol
        # `__Host-` keeps other hosts of our domain from planting a login; it needs https.
        return f"__Host-{_COOKIE}" if scheme == "https" else _COOKIE

    def _path(self) -> str:
        return "/" if self._prefix.startswith("__Host-") else str(self.hub.base_url)

    def keep_flow(self, flow: LoginFlow) -> None:
        """Remember *flow* in this browser for ten minutes, and forget the oldest of too many."""
        for name in self._waiting()[_MOST_TABS - 1 :]:
            self.clear_cookie(name, path=self._path())
        self._set_cookie(
            self._prefix + flow.state,
            flow.to_cookie(),
            path=self._path(),
            expires_days=None,
            max_age=LIFETIME_SECONDS,
            httponly=True,
            samesite="Lax",
        )

    def take_flow(self, state: str) -> LoginFlow | None:
        """Return the flow of *state* and forget it; None when this browser did not start it."""
        if not is_state(state):
            return None
        name = self._prefix + state
        flow = self._read(name)
        self.clear_cookie(name, path=self._path())
        return flow if flow and flow.state == state else None

    def _read(self, name: str) -> LoginFlow | None:
        return LoginFlow.from_cookie(self.get_secure_cookie(name, max_age_days=1))

    def _waiting(self) -> list[str]:
        names = [name for name in self.request.cookies if name.startswith(self._prefix)]
        started = {name: flow.started if (flow := self._read(name)) else 0 for name in names}
        return sorted(names, key=lambda name: started[name], reverse=True)


class LoginHandler(FlowCookies):
    """Send the browser to the identity provider."""

    async def get(self) -> None:
        """Start a login; `next` is where the person wants to go."""
        wanted = self._validate_next_url(self.get_argument("next", ""))
        flow = LoginFlow(next_url=safe_path(wanted))
        try:
            url = await self.authenticator.authorization_url(self, flow)
        except DaasError as error:
            raise web_error(error, self.log) from None
        self.keep_flow(flow)
        self.redirect(url)


class CallbackHandler(FlowCookies):
    """The provider's answer, brought by the browser."""

    async def get(self) -> None:
        """Finish the login that this browser started, and go where the person wanted to go."""
        try:
            # The state comes first: nothing of a forged answer is looked at.
            flow = self.take_flow(self.get_argument("state", ""))
            if flow is None:
                raise BadRequest(
                    "This login was not started in this browser, or it took more than ten minutes.",
                    "Open the portal and sign in again.",
                )
            user = await self._sign_in(flow)
        except DaasError as error:
            raise web_error(error, self.log) from None
        self.redirect(flow.next_url or self.get_next_url(user))

    async def _sign_in(self, flow: LoginFlow) -> Any:
        await self.authenticator.check_answer(self.get_argument("iss", None))
        error = self.get_argument("error", "")
        if error:
            # What the provider says may be anybody's words: the page does not repeat them.
            shown = error if re.fullmatch(r"[a-z_]{1,40}", error) else "unreadable"
            raise LoginFailed(
                "Your identity provider did not sign you in.", detail=f"error={shown}"
            )
        code = self.get_argument("code", "")
        if not code:
            raise BadRequest("The identity provider's answer is incomplete.", "Sign in again.")
        if self.current_user is None:
            self.set_session_cookie()  # a login must not go on in a session that was planted
        user = await self.login_user({"code": code, "flow": flow})
        if user is None:
            raise self.authenticator.not_allowed()
        return user

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what we did not foresee, but not the address: it carries code and state."""
        if not isinstance(value, HTTPError):
            self.log.error("A login ended in an error of ours.", exc_info=(typ, value, tb))

    def append_query_parameters(self, url: str, exclude: Any = None) -> str:  # noqa: ARG002
        """Keep code and state out of the page that follows."""
        return url


class SignOutHandler(OAuthLogoutHandler):
    """Sign out of the hub, and leave if the operator named a page to go to."""

    async def get(self) -> None:
        """Sign out when the click came from our own pages; a foreign page cannot."""
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            error = StartRefused("Another page tried to sign you out.", "Use the portal's menu.")
            raise web_error(error, self.log)
        await LogoutHandler.get(self)

    async def post(self) -> None:
        """Sign out; the hub has checked the form's token."""
        await LogoutHandler.get(self)

    async def handle_logout(self) -> None:
        """Logins that wait in other tabs may go on."""
