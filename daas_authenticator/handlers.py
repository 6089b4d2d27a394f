"""The hub's pages of a login: choose a way, go to the provider, come back, sign out.

Registered by `DaasAuthenticator.get_handlers`. Each provider has its own two pages, so that an
answer of one can never be taken for another's (RFC 9700, 4.4.2).
"""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.login import LoginHandler as HubLoginHandler
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import HTTPError

from daas_authenticator.login_flow import (
    LIFETIME_SECONDS,
    LoginFlow,
    Purpose,
    is_state,
    safe_path,
)
from daas_authenticator.logins.beginning import begin_login
from daas_authenticator.logins.public import is_public, say_public
from daas_authenticator.long_links import SHORT_CHARACTERS, LongLinks
from daas_authenticator.passwords.forms import password_forms
from daas_authenticator.providers import DEFAULT
from daas_authenticator.rights.raising import raise_rights
from daas_authenticator.web_errors import web_error
from daas_model.errors import BadRequest, DaasError, LoginFailed

_COOKIE = "daas-login-"
# Each waiting login is a cookie of up to 3 kB; proxies refuse headers over 16 kB.
_MOST_TABS = 4
_LONG = "long"  # in the place of a link that `LongLinks` keeps; no path begins so


class SignInPage(HubLoginHandler):
    """The page that says which way to sign in is for whom."""

    async def get(self) -> None:
        """Show the ways, or go on when the person is signed in or there is one way only."""
        if self.current_user:
            await super().get()
        elif (
            self.authenticator.auto_login
            # Her provider may know her still: there somebody else must not go on as her.
            and not self.is_public()
            and await self._only_way_works()
        ):
            self.redirect(self.address_of(self.authenticator.only_way().path))
        else:
            self.finish(await self._render())

    async def _only_way_works(self) -> bool:
        way = self.authenticator.only_way()
        if way is None:
            return False
        try:
            await self.authenticator.ways.working_client(way.id)
        except DaasError:
            return False
        return True

    async def post(self) -> None:
        """Refuse: each form of this page has an address of its own."""
        raise web_error(BadRequest("There is no form on this page.", "Sign in again."), self.log)

    def render_template(self, name: str, **ns: Any) -> Any:
        """Give the page the ways; the stock template finds the first of them as a button."""
        if name == "login.html":
            ways = self.authenticator.ways.listed()
            ns["ways"] = [
                {
                    "title": way.title,
                    "for_whom": way.for_whom,
                    "out_of_order": way.out_of_order,
                    "url": self.address_of(way.path) if way.path else "",
                }
                for way in ways
            ] + password_forms(self)
            chosen = self.is_public()
            other = self.address_of("login", public=not chosen)
            ns["public"] = {"chosen": chosen, "other": other}
        return super().render_template(name, **ns)

    def address_of(self, path: str, public: bool | None = None) -> str:
        """Return the address of *path* below the hub, with what the person has said so far.

        That is where she wants to go, and whether this is a *public* computer.
        """
        wanted = self._validate_next_url(self.get_query_argument("next", ""))
        said = {"next": wanted} if wanted else {}
        public = self.is_public() if public is None else public
        if public or is_public(self):
            said["public"] = "yes" if public else "no"
        address = url_path_join(self.hub.base_url, path)
        return str(url_concat(address, said) if said else address)

    def is_public(self) -> bool:
        """Tell whether the person has said that others use this computer too."""
        return is_public(self)


class FlowCookies(BaseHandler):
    """The logins that wait in this browser, one signed cookie each."""

    def initialize(self, long_links: LongLinks) -> None:
        """Take the place where links wait that no cookie can hold."""
        self._long_links = long_links

    @property
    def _prefix(self) -> str:
        # What the configuration says counts, not what a request says of itself.
        scheme = urlsplit(self.authenticator.redirect_uri("")).scheme
        # `__Host-` keeps other hosts of our domain from planting a login; it needs https.
        return f"__Host-{_COOKIE}" if scheme == "https" else _COOKIE

    def _path(self) -> str:
        return "/" if self._prefix.startswith("__Host-") else str(self.hub.base_url)

    def keep_flow(self, flow: LoginFlow) -> None:
        """Remember *flow* in this browser for ten minutes, and forget the oldest of too many."""
        for name in self._waiting()[_MOST_TABS - 1 :]:
            self.clear_cookie(name, path=self._path())
        if len(flow.next_url) > SHORT_CHARACTERS:
            self._long_links.keep(flow.state, flow.next_url)
            flow = replace(flow, next_url=_LONG)
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
        if flow is None or flow.state != state:
            return None
        if flow.next_url == _LONG:
            flow = replace(flow, next_url=self._long_links.take(state))
        return flow

    def _read(self, name: str) -> LoginFlow | None:
        return LoginFlow.from_cookie(self.get_secure_cookie(name, max_age_days=1))

    def _waiting(self) -> list[str]:
        names = [name for name in self.request.cookies if name.startswith(self._prefix)]
        started = {name: flow.started if (flow := self._read(name)) else 0 for name in names}
        return sorted(names, key=lambda name: started[name], reverse=True)

    async def go_to_provider(self, flow: LoginFlow) -> None:
        """Send the browser to the provider of *flow*. Raises `DaasError` when it cannot."""
        url = await self.authenticator.authorization_url(flow)
        self.keep_flow(flow)
        self.redirect(url)


class LoginHandler(FlowCookies):
    """Send the browser to one identity provider."""

    async def get(self, provider: str = DEFAULT) -> None:
        """Start a login; `next` is where the person wants to go."""
        try:
            await self.go_to_provider(self._flow(provider))
        except DaasError as error:
            raise web_error(error, self.log) from None

    def _flow(self, provider: str) -> LoginFlow:
        wanted = self._validate_next_url(self.get_argument("next", ""))
        public = is_public(self)
        say_public(self, public)
        return LoginFlow(next_url=safe_path(wanted), provider=provider, public=public)


class CallbackHandler(FlowCookies):
    """One provider's answer, brought by the browser."""

    async def get(self, provider: str = DEFAULT) -> None:
        """Finish what this browser started there, and go where the person wanted to go."""
        try:
            flow = self._own_flow(provider)
            code = await self._code(flow)
            if flow.purpose is Purpose.SIGN_IN:
                await self._sign_in(flow, code)
            else:
                await self._identify(flow, code)
        except DaasError as error:
            raise web_error(error, self.log) from None

    def _own_flow(self, provider: str) -> LoginFlow:
        # The state comes first: nothing of a forged answer is looked at.
        flow = self.take_flow(self.get_argument("state", ""))
        if flow is None:
            raise BadRequest(
                "This login was not started in this browser, or it took more than ten minutes.",
                "Open the portal and sign in again.",
            )
        if flow.provider != provider:
            raise LoginFailed(
                "This answer does not come from your identity provider.",
                detail=f"a login by {flow.provider} was answered at {provider}",
            )
        return flow

    async def _code(self, flow: LoginFlow) -> str:
        await self.authenticator.check_answer(flow, self.get_argument("iss", None))
        error = self.get_argument("error", "")
        if error:
            # What the provider says may be anybody's words: the page does not repeat them.
            shown = error if re.fullmatch(r"[a-z_]{1,40}", error) else "unreadable"
            raise LoginFailed(
                "Your identity provider did not sign you in.", detail=f"error={shown}"
            )
        code: str = self.get_argument("code", "")
        if not code:
            raise BadRequest("The identity provider's answer is incomplete.", "Sign in again.")
        return code

    async def _sign_in(self, flow: LoginFlow, code: str) -> None:
        user = await begin_login(self, {"code": code, "flow": flow}, flow.public)
        self.redirect(flow.next_url or self.get_next_url(user))

    async def _identify(self, flow: LoginFlow, code: str) -> None:
        """Take an identity of somebody who is signed in already; it signs nobody in."""
        identity = await self.authenticator.identity_of(flow, code)
        # Only now: she may have signed out while the provider answered.
        login = await self.authenticator.register.login_of(self.get_session_cookie())
        if login is None or (login.name, login.key) != (flow.name, flow.login):
            raise LoginFailed("You are not signed in any more.", "Sign in, then begin again.")
        key, linking = login.key, self.authenticator.linking
        if flow.purpose is Purpose.LINK:
            linking.arrived(key, flow.name, identity)
            self.redirect(url_path_join(self.hub.base_url, "account/link"))
            return
        await self.authenticator.check_belongs(identity, flow.name)
        if flow.purpose is Purpose.RAISE:
            raise_rights(self.authenticator, self.find_user(flow.name), identity)
            self.redirect(url_path_join(self.hub.base_url, "account?said=raised"))
        else:
            wish = linking.proved(key, flow.name, identity)
            onward = LoginFlow(
                provider=wish.provider, purpose=Purpose.LINK, name=flow.name, login=key
            )
            await self.go_to_provider(onward)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what we did not foresee, but not the address: it carries code and state."""
        if not isinstance(value, HTTPError):
            self.log.error("A login ended in an error of ours.", exc_info=(typ, value, tb))

    def append_query_parameters(self, url: str, exclude: Any = None) -> str:  # noqa: ARG002
        """Keep code and state out of the page that follows."""
        return url
