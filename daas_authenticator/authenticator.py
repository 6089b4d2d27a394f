"""The hub's authenticator: OpenID Connect by discovery, verified, to one local name.

Loaded by the hub as `c.JupyterHub.authenticator_class = "daas"`. The settings are in `settings`,
the protocol in `client`, the pages in `handlers`, the accounts in `accounts`; here is what
binds them to the hub's interface.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_path_join
from traitlets import TraitError

from daas_authenticator import names, portal_redirects
from daas_authenticator.accounts.lookup import resolve_account
from daas_authenticator.client import Identity, OpenIDClient, Renewed
from daas_authenticator.discovery import is_safe_url
from daas_authenticator.fetch import Fetch
from daas_authenticator.handlers import CallbackHandler, LoginHandler, SignInPage, SignOutHandler
from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.login_flow import LoginFlow
from daas_authenticator.long_links import LongLinks
from daas_authenticator.passwords.identity import GROUPS_CLAIM, LocalIdentity
from daas_authenticator.passwords.kept import KeptPasswordLogin
from daas_authenticator.passwords.pages import PasswordPage
from daas_authenticator.providers import DEFAULT, Provider
from daas_authenticator.settings import AuthenticatorSettings
from daas_authenticator.ways import Way, Ways
from daas_authenticator.web_errors import web_error
from daas_model.errors import AccountProblem, Blocked, DaasError, LoginFailed, ProviderUnavailable
from daas_model.people import Account, Person
from daas_model.proposals import Proposal

_ID = "[a-z][a-z0-9-]{0,31}"
_PROVIDER = f"(?P<provider>{_ID})"


class DaasAuthenticator(AuthenticatorSettings):
    """Signs people in at the facility's OpenID providers and knows their local account."""

    login_handler = LoginHandler
    callback_handler = CallbackHandler
    logout_handler = SignOutHandler

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ways: Ways | None = None
        self._watch: asyncio.Task[None] | None = None
        self._public_hub = ""
        #: Proxies before ours, whose word about where a request comes from counts.
        self.trusted_proxies: frozenset[str] = frozenset()
        self._refreshes: dict[str, asyncio.Task[Any]] = {}
        # Logins that the provider has ended: what runs goes on, nothing new starts.
        self._ended: set[str] = set()
        # Made now, so that settings that cannot work stop the hub's start, not a session's.
        self._accounts = self.make_account_source(self.identity_now, self.validate_username)

    # -- what the hub asks for ------------------------------------------------------------

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return the pages of a login, and those that lead to the portal.

        The hub asks once, when it starts: from then on the providers are looked after.
        """
        if app.public_url:
            self._public_hub = url_path_join(app.public_url, "hub") + "/"
        self.trusted_proxies = frozenset(app.trusted_downstream_ips)
        if self.passwords and not is_safe_url(self.redirect_uri("")):
            self.log.error("password_ways are off: JupyterHub.public_url is not set or not https")
        if self.ways:
            self._check_public_hub()
            self._watch = asyncio.ensure_future(self.ways.look_after(self.provider_check_seconds))
        links = {"long_links": LongLinks()}
        return [
            (r"/login", SignInPage),
            (r"/oauth_login", self.login_handler, links),
            (r"/oauth_callback", self.callback_handler, links),
            (f"/oidc/{_PROVIDER}/login", self.login_handler, links),
            (f"/oidc/{_PROVIDER}/callback", self.callback_handler, links),
            (f"/password/(?P<way>{_ID})/login", PasswordPage),
            (r"/logout", self.logout_handler),
            *portal_redirects.HANDLERS,
        ]

    def login_url(self, base_url: str) -> str:
        """Return where a login begins: at the one provider, or on the page with all of them."""
        way = self.only_way()
        return str(url_path_join(base_url, way.path if way else "login"))

    def normalize_username(self, username: str) -> str:
        """Return *username* as it is: `Alice` and `alice` must not become one person."""
        return username

    def validate_username(self, username: str) -> bool:
        """Tell whether *username* can be a person here."""
        return names.is_local_name(username) and username not in self.reserved_names

    def check_blocked_users(self, username: str, authentication: Any = None) -> bool:
        """Return True, or raise `Blocked` with whom to ask."""
        if not super().check_blocked_users(username, authentication):
            raise Blocked("You may not use the portal for now.", f"Ask {self.support_contact}.")
        return True

    def not_allowed(self) -> LoginFailed:
        """Return the error for somebody whom `allowed_users` or `allowed_groups` leave out."""
        return LoginFailed(
            "You are signed in, but you may not use this portal.", f"Ask {self.support_contact}."
        )

    async def authenticate(
        self, handler: Any, data: Mapping[str, Any] | None = None, **_: Any
    ) -> dict[str, Any]:
        """Return the hub's model of who signed in. Raises `DaasError`; the callback shows it."""
        assert data is not None
        identity = await self._identity(handler, data)
        model = await self._auth_model(identity)
        await self._check_owner(handler, model["name"], identity)
        self._ended.discard(model["name"])
        return model

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool | dict[str, Any]:
        """Return the fresh model, True while the provider is silent, False to sign in again.

        Somebody who was blocked meanwhile gets no answer but that.
        """
        if handler is not None and not hasattr(handler, "_token_authenticated"):
            # The hub (6.1) reads this when a login ends, and not every handler has set it.
            handler._token_authenticated = False
        try:
            self.check_blocked_users(user.name)
        except Blocked as error:
            raise web_error(error, self.log) from None
        # Two requests at once must not use one refresh token twice: providers take that for theft.
        task = self._refreshes.get(user.name)
        if task is None:
            task = asyncio.ensure_future(self._refresh(user))
            self._refreshes[user.name] = task
            task.add_done_callback(lambda _done: self._refreshes.pop(user.name, None))
        return await asyncio.shield(task)

    def pre_spawn_start(self, user: Any, spawner: Any) -> None:  # noqa: ARG002
        """Refuse a start for somebody whose login the provider has ended.

        The hub re-checks a login before each start but goes on with a stale one when somebody
        else, here the portal, asks for it.
        """
        if user.name in self._ended:
            raise SpawnException(
                "Your login has ended. Sign out, sign in again and start the session once more.",
                reason="login-ended",
                status_code=403,
            )

    async def resolve_account(self, person: Person, proposals: tuple[Proposal, ...]) -> Account:
        """Return the local account of *person*; see `daas_model.protocols.AccountResolver`."""
        return await resolve_account(person, proposals, self._accounts, self.account_rules())

    async def identity_now(self, name: str) -> Identity:
        """Return what the provider of the person's login says of her at this moment.

        Nothing of it is kept. Raises `LoginFailed` when her login is not good any more, and
        `ProviderUnavailable`.
        """
        user = self.parent.users.get(name) if self.parent is not None else None
        kept = KeptLogin.from_state(await user.get_auth_state() if user else None)
        client = self.ways.client_of(kept.provider, kept.issuer) if kept else None
        if kept is None or client is None:
            raise LoginFailed("Your login has ended.", "Sign out, then sign in again.")
        return await client.identify(kept.tokens, kept.subject, kept.nonce)

    # -- for the pages of a login ---------------------------------------------------------

    @property
    def ways(self) -> Ways:
        """The ways to sign in that are switched on."""
        if self._ways is None:
            self._ways = Ways(self.all_providers(), self._make_client, self.log)
        return self._ways

    def redirect_uri(self, path: str) -> str:
        """Return the public address of the hub's page *path*, from the configuration alone.

        A request's `Host` says what its sender likes; nothing is guessed from it.
        """
        guessed, _, page = self.oauth_callback_url.rpartition("/")
        return (self._public_hub or (f"{guessed}/" if page == "oauth_callback" else "")) + path

    async def authorization_url(self, flow: LoginFlow) -> str:
        """Return where to send the browser for *flow*."""
        client = await self.ways.working_client(flow.provider)
        return await client.authorization_url(
            flow, self._redirect_uri_of(client.provider), self.extra_authorize_params
        )

    async def check_answer(self, flow: LoginFlow, issuer: str | None) -> None:
        """Raise `LoginFailed` when the answer's `iss` is another provider's (RFC 9207)."""
        await self.ways.client(flow.provider).check_answer(issuer)

    def only_way(self) -> Way | None:
        """Return the one provider to sign in at, when there is exactly one way at all."""
        return None if self.passwords else self.ways.only_way()

    # -- inside ---------------------------------------------------------------------------

    async def _identity(self, handler: Any, data: Mapping[str, Any]) -> Identity | LocalIdentity:
        """Return who signs in: by what was typed, or by a provider's answer."""
        if "password_way" in data:
            return await self.passwords.check(
                data["password_way"],
                data["typed"],
                data["address"],
                lambda name: handler.find_user(name) is not None,
            )
        flow: LoginFlow = data["flow"]
        client = self.ways.client(flow.provider)
        return await client.sign_in(data["code"], flow, self._redirect_uri_of(client.provider))

    def _make_client(self, provider: Provider) -> OpenIDClient:
        fetch = Fetch(self.provider_timeout_seconds, provider.ca_bundle, provider.proxy)
        return OpenIDClient(provider, fetch)

    def _redirect_uri_of(self, provider: Provider) -> str:
        if provider.id == DEFAULT and self.oauth_callback_url:
            return str(self.oauth_callback_url)
        return self.redirect_uri(provider.callback_path)

    def _check_public_hub(self) -> None:
        if not is_safe_url(self.redirect_uri("")):
            raise TraitError(
                "JupyterHub.public_url must be the hub's https address, as browsers see it "
                "(http on this machine only): identity providers answer there"
            )

    async def _refresh(self, user: Any) -> bool | dict[str, Any]:
        state = await user.get_auth_state() if self.enable_auth_state else None
        kept = KeptPasswordLogin.from_state(state) or KeptLogin.from_state(state)
        if kept is None:
            return await self._end(user, kept, "nothing that could be asked is kept")
        unchanged: bool | dict[str, Any] = True
        try:
            identity = await self._asked_again(kept)
            if identity is None:
                return True
            model = await self._auth_model(identity)
            if model["name"] != user.name:
                raise LoginFailed("Your name has changed.", detail="refresh: another name")
        except ProviderUnavailable as error:
            if isinstance(error, Renewed) and isinstance(kept, KeptLogin):
                # A provider that rotates has spent the old ones: these are kept in any case.
                kept = replace(kept, tokens=error.tokens)
                unchanged = {"name": user.name, "groups": None, "auth_state": kept.to_state()}
            if time.time() - kept.confirmed_at > self.grace_seconds:
                self._ended.add(user.name)
                self.log.warning("Login of %s ended, its grace is over", user.name)
                return False
            self.log.warning("Login of %s kept, %s: %s", user.name, error.code, error.detail)
            return unchanged
        except DaasError as error:
            return await self._end(user, kept, f"{error.code}: {error.detail}")
        self._ended.discard(user.name)
        return model

    async def _asked_again(
        self, kept: KeptLogin | KeptPasswordLogin
    ) -> Identity | LocalIdentity | None:
        """Return what is said today of who signed in; None when nobody can be asked yet."""
        if isinstance(kept, KeptPasswordLogin):
            return await self.passwords.confirm(kept)
        client = self.ways.client_of(kept.provider, kept.issuer)
        if client is None:
            raise LoginFailed("Your login has ended.", detail="its way was switched off")
        return await client.refresh(kept.tokens, kept.subject, kept.nonce)

    async def _end(self, user: Any, kept: KeptLogin | KeptPasswordLogin | None, why: str) -> bool:
        """End the login of *user* for good: a provider that changes its mind does not revive it."""
        self.log.warning("Login of %s ended, %s", user.name, why)
        self._ended.add(user.name)
        if kept:
            await user.save_auth_state(kept.without_tokens())
        return False

    async def _auth_model(self, identity: Identity | LocalIdentity) -> dict[str, Any]:
        """Return the hub's model, with the stock hooks run and only what we need kept."""
        provider = identity.provider
        claim = self.username_claim if provider.id == DEFAULT else provider.username_claim
        name = names.local_name(identity.claims, claim, self.reserved_names)
        if isinstance(identity, LocalIdentity):
            state = KeptPasswordLogin.of(identity).to_state()
        else:
            state = KeptLogin.of(identity).to_state()
        # For the moment all claims: hooks and groups are read from them.
        state[self.user_auth_state_key] = dict(identity.claims)
        if self.modify_auth_state_hook is not None:
            state = await self._call_modify_auth_state_hook(state)
        admin = True if name in self.admin_users else None
        model: dict[str, Any] = {"name": name, "admin": admin, "auth_state": state}
        model = await self._apply_managed_groups(await self.update_auth_model(model))
        if not provider.makes_admins and name not in self.admin_users:
            model["admin"] = False  # a group of that name there is not the group of that name here
        self.check_blocked_users(name, model)
        if not self.allow_all and not await self.check_allowed(name, model):
            raise self.not_allowed()
        # Groups may be read from any claim; what the hub's database keeps is the result.
        model["auth_state"].pop(self.user_auth_state_key, None)
        return model

    async def _check_owner(
        self, handler: Any, name: str, identity: Identity | LocalIdentity
    ) -> None:
        """Refuse *name* to another person than the one that got it first.

        Names can be given up and taken again at a provider, and two providers can give the same
        one to two people; files and sessions stay here.
        """
        user = handler.find_user(name)
        known = await user.get_auth_state() if user else None
        # A provider that was moved to another address takes its people along.
        if not known or known.get("issuer") not in (self.ways.issuers | self.passwords.issuers):
            return
        if (known["issuer"], known["sub"]) != (identity.issuer, identity.subject):
            raise AccountProblem(
                f"The name {name} belongs to somebody else who signed in here before.",
                detail=f"{name}: another sub or issuer",
            )

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """Return the groups in the provider's claim; none when the claim is missing."""
        if auth_state["issuer"] in self.passwords.issuers:
            return set(names.group_names(auth_state[self.user_auth_state_key].get(GROUPS_CLAIM)))
        if auth_state["provider"] != DEFAULT:
            claim = self.ways.client(auth_state["provider"]).provider.groups_claim
            return set(names.group_names(auth_state[self.user_auth_state_key].get(claim)))
        if callable(self.auth_state_groups_key):
            return set(await super().get_user_groups(auth_state))
        value: object = auth_state
        for part in self.auth_state_groups_key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return set(names.group_names(value))
