"""The hub's authenticator: OpenID Connect by discovery, verified, to one local name.

Loaded by the hub as `c.JupyterHub.authenticator_class = "daas"`. The settings are in `settings`,
the protocol in `client`, the pages in `handlers`, the accounts in `accounts`; here is what
binds them to the hub's interface.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from jupyterhub.spawner import SpawnException

from daas_authenticator import names, portal_redirects
from daas_authenticator.accounts.lookup import resolve_account
from daas_authenticator.client import (
    ClientSettings,
    Identity,
    OpenIDClient,
    Refused,
    Response,
    Tokens,
)
from daas_authenticator.handlers import CallbackHandler, LoginHandler, SignOutHandler
from daas_authenticator.login_flow import LoginFlow
from daas_authenticator.settings import AuthenticatorSettings
from daas_authenticator.web_errors import web_error
from daas_model.errors import AccountProblem, Blocked, DaasError, LoginFailed, ProviderUnavailable
from daas_model.people import Account, Person
from daas_model.proposals import Proposal


class DaasAuthenticator(AuthenticatorSettings):
    """Signs people in at one OpenID provider and knows their local account."""

    login_handler = LoginHandler
    callback_handler = CallbackHandler
    logout_handler = SignOutHandler

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._client: OpenIDClient | None = None
        self._refreshes: dict[str, asyncio.Task[Any]] = {}
        # Logins that the provider has ended: what runs goes on, nothing new starts.
        self._ended: set[str] = set()
        # Made now, so that settings that cannot work stop the hub's start, not a session's.
        self._accounts = self.make_account_source(self.identity_now, self.validate_username)

    # -- what the hub asks for ------------------------------------------------------------

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Return the pages of a login, and those that lead to the portal."""
        return [*super().get_handlers(app), *portal_redirects.HANDLERS]

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
        flow: LoginFlow = data["flow"]
        identity = await self._provider().sign_in(
            data["code"], flow, self.get_callback_url(handler)
        )
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
        state = await user.get_auth_state() if user else None
        if not state or state.get("issuer") != self.issuer or not state.get("access_token"):
            raise LoginFailed("Your login has ended.", "Sign out, then sign in again.")
        return await self._provider().identify(_kept_tokens(state), state["sub"])

    # -- for the pages of a login ---------------------------------------------------------

    async def authorization_url(self, handler: Any, flow: LoginFlow) -> str:
        """Return where to send the browser of *handler* for *flow*."""
        return await self._provider().authorization_url(
            flow, self.get_callback_url(handler), self.extra_authorize_params
        )

    async def check_answer(self, issuer: str | None) -> None:
        """Raise `LoginFailed` when the answer's `iss` is another provider's (RFC 9207)."""
        metadata = await self._provider().metadata()
        if issuer is None and not metadata.sends_issuer:
            return
        if issuer != metadata.issuer:
            raise LoginFailed(
                "This answer does not come from your identity provider.",
                detail="iss in the answer is missing or not our provider",
            )

    # -- inside ---------------------------------------------------------------------------

    def _provider(self) -> OpenIDClient:
        if self._client is None:
            settings = ClientSettings(
                issuer=self.issuer,
                client_id=self.client_id,
                client_secret=self.client_secret,
                scope=tuple(self.scope),
                timeout_seconds=self.provider_timeout_seconds,
            )
            self._client = OpenIDClient(settings, self._fetch)
        return self._client

    async def _fetch(self, url: str, **request: Any) -> Response:
        # Errors come back as responses: the stock client would write their bodies to the log.
        response: Response = await self.httpfetch(
            url, label="asking the provider", parse_json=False, raise_error=False, **request
        )
        return response

    async def _refresh(self, user: Any) -> bool | dict[str, Any]:
        state = await user.get_auth_state() if self.enable_auth_state else {}
        if not state or state.get("issuer") != self.issuer or not state.get("access_token"):
            return False
        unchanged: bool | dict[str, Any] = True
        tokens = _kept_tokens(state)
        try:
            try:
                identity = await self._provider().identify(tokens, state["sub"])
            except Refused:
                if tokens.refresh_token is None:
                    raise
                tokens = await self._provider().renew(tokens.refresh_token, state["sub"])
                # A provider that rotates has spent the old ones: these are kept in any case.
                renewed = {**state, **_token_state(tokens)}
                unchanged = {"name": user.name, "groups": None, "auth_state": renewed}
                identity = await self._provider().identify(tokens, state["sub"])
            model = await self._auth_model(identity)
            if model["name"] != user.name:
                raise LoginFailed("Your name has changed.", detail="refresh: another name")
        except ProviderUnavailable as error:
            self.log.warning("Login of %s kept, %s: %s", user.name, error.code, error.detail)
            return unchanged
        except DaasError as error:
            self.log.warning("Login of %s ended, %s: %s", user.name, error.code, error.detail)
            self._ended.add(user.name)
            return False
        return model

    async def _auth_model(self, identity: Identity) -> dict[str, Any]:
        """Return the hub's model, with the stock hooks run and only what we need kept."""
        name = names.local_name(identity.claims, self.username_claim, self.reserved_names)
        state = self._auth_state(identity)
        if self.modify_auth_state_hook is not None:
            state = await self._call_modify_auth_state_hook(state)
        admin = True if name in self.admin_users else None
        model: dict[str, Any] = {"name": name, "admin": admin, "auth_state": state}
        model = await self._apply_managed_groups(await self.update_auth_model(model))
        self.check_blocked_users(name, model)
        if not self.allow_all and not await self.check_allowed(name, model):
            raise self.not_allowed()
        # Groups may be read from any claim; what the hub's database keeps is the result.
        model["auth_state"].pop(self.user_auth_state_key, None)
        return model

    async def _check_owner(self, handler: Any, name: str, identity: Identity) -> None:
        """Refuse *name* to another subject than the one that got it first.

        Names can be given up and taken again at a provider; files and sessions stay here.
        """
        user = handler.find_user(name)
        known = await user.get_auth_state() if user else None
        if known and known.get("issuer") == identity.issuer and known["sub"] != identity.subject:
            raise AccountProblem(
                f"The name {name} belongs to somebody else who signed in here before.",
                detail=f"{name}: another sub of the same issuer",
            )

    def _auth_state(self, identity: Identity) -> dict[str, Any]:
        """Return what is kept, encrypted, of *identity*, and for the moment all its claims."""
        return {
            "issuer": identity.issuer,
            "sub": identity.subject,
            **_token_state(identity.tokens),
            self.user_auth_state_key: dict(identity.claims),
        }

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """Return the groups that `auth_state_groups_key` finds; none when the claim is missing."""
        if callable(self.auth_state_groups_key):
            return set(await super().get_user_groups(auth_state))
        value: object = auth_state
        for part in self.auth_state_groups_key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return set(names.group_names(value))


def _token_state(tokens: Tokens) -> dict[str, Any]:
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "id_token": tokens.id_token,
        "scope": list(tokens.scope),
    }


def _kept_tokens(state: Mapping[str, Any]) -> Tokens:
    return Tokens(
        access_token=state["access_token"],
        refresh_token=state.get("refresh_token"),
        id_token=state.get("id_token"),
        scope=tuple(state.get("scope") or ()),
    )
