"""The hub's authenticator: OpenID Connect by discovery, verified, to one local name.

Loaded by the hub as `c.JupyterHub.authenticator_class = "daas"`. The settings are in `settings`,
the protocol in `client`, the pages in `handlers`, the accounts in `accounts`; here is what
binds them to the hub's interface.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_path_join
from traitlets import TraitError

from daas_authenticator import names
from daas_authenticator.accounts.lookup import resolve_account
from daas_authenticator.client import Identity
from daas_authenticator.discovery import is_safe_url
from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.kept_logins import AnyIdentity, to_keep
from daas_authenticator.login_flow import LoginFlow, Purpose
from daas_authenticator.logins.beginning import by_her_token, not_her_own, stands
from daas_authenticator.own_host import require_own_host
from daas_authenticator.parts import Parts
from daas_authenticator.passwords.identity import GROUPS_CLAIM
from daas_authenticator.passwords.settings import parse_password_ways
from daas_authenticator.providers import DEFAULT, Provider
from daas_authenticator.rights.applying import lower_all, right_groups
from daas_authenticator.rights.holders import Held
from daas_authenticator.rights.role import ADMINISTRATOR_ROLE, hub_roles
from daas_authenticator.rights.rules import rights_of
from daas_authenticator.routes import handlers
from daas_authenticator.web_errors import web_error
from daas_model.errors import Blocked, LoginFailed, PeopleUnavailable
from daas_model.hosting import ONE_ADDRESS
from daas_model.people import Account, Person
from daas_model.proposals import Proposal


class DaasAuthenticator(Parts):
    """Signs people in at the facility's OpenID providers and knows their local account."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._watch: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._public_hub = ""
        #: Proxies before ours, whose word about where a request comes from counts.
        self.trusted_proxies: frozenset[str] = frozenset()
        # Made now, so that settings that cannot work stop the hub's start, not a session's.
        ways = [provider.id for provider in self.all_providers()]
        if both := set(ways) & {way.id for way in parse_password_ways(self.password_ways)}:
            raise TraitError(
                f"DaasAuthenticator: {both.pop()} is a provider and a password way: "
                "give one of them another id"
            )
        self.rules = self.right_rules([*ways, *self.password_ways])
        self._accounts = self.make_account_source(self.identity_now, self.validate_username)

    # -- what the hub asks for ------------------------------------------------------------

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return the pages of a login, and those that lead to the portal.

        The hub asks once, when it starts: from then on providers and people are looked after.
        """
        self.know_public_url(app.public_url)
        if self.ways:
            self._check_public_hub()
            self._watch = asyncio.ensure_future(self.ways.look_after(self.provider_check_seconds))
        if self.passwords and not is_safe_url(self.redirect_uri("")):
            self.log.error("password_ways are off: JupyterHub.public_url is not set or not https")
        if not app.subdomain_host:
            self.log.warning("Known limit: %s", ONE_ADDRESS)
        self.trusted_proxies = frozenset(app.trusted_downstream_ips)
        # Pages and sessions ask for what somebody should read, whatever page it is.
        app.template_vars["daas_notices"] = lambda user: self.notices_for(user) if user else []
        lower_all(app.db)
        self._sweeping = asyncio.ensure_future(self.sweep.run(self.sweep_seconds))
        return handlers()

    def know_public_url(self, url: str) -> None:
        """Take *url*, `JupyterHub.public_url`, for the address at which browsers find the hub."""
        if url:
            self._public_hub = url_path_join(url, "hub") + "/"

    def login_url(self, base_url: str) -> str:
        """Return where a login begins: at the one provider, or on the page with all of them."""
        way = self.only_way()
        return str(url_path_join(base_url, way.path if way else "login"))

    def normalize_username(self, username: str) -> str:
        """Return *username* as it is: `Alice` and `alice` must not become one person."""
        return username

    def validate_username(self, username: str) -> bool:
        """Tell whether *username* can be a person here."""
        fits = names.is_local_name(username, self.name_pattern)
        return fits and username not in self.reserved_names

    def check_blocked_users(self, username: str, authentication: Any = None) -> bool:
        """Return True, or raise `Blocked` with whom to ask."""
        if not super().check_blocked_users(username, authentication):
            raise Blocked("You may not use the portal for now.", f"Ask {self.support_contact}.")
        return True

    async def check_not_blocked(self, name: str) -> None:
        """Raise `Blocked` for a name of `blocked_users` or of `daas people block`."""
        try:
            self.check_blocked_users(name)
            await self.people.check_not_blocked(name)
        except Blocked as error:
            for notice in self.sweep.notices_of(name):
                raise Blocked(notice.sentence(self.support_contact), error.action) from None
            raise

    async def load_managed_roles(self) -> list[dict[str, Any]]:
        """Return our role with nobody in it: after a restart it is given anew."""
        return [{**ADMINISTRATOR_ROLE, "users": []}]

    def not_allowed(self) -> LoginFailed:
        """Return the error for somebody whom `allowed_users` or `allowed_groups` leave out."""
        return LoginFailed(
            "You are signed in, but you may not use this portal.", f"Ask {self.support_contact}."
        )

    async def get_authenticated_user(self, handler: Any, data: Any) -> Any:
        """Return the hub's model of who signed in; nobody signs in below a session's host."""
        require_own_host(handler)
        return await super().get_authenticated_user(handler, data)

    async def authenticate(
        self,
        handler: Any,
        data: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Return the hub's model of who signed in. Raises `DaasError`; the callback shows it."""
        assert data is not None
        if "password_way" in data:
            identity: AnyIdentity = await self.passwords.check(
                data["password_way"],
                data["typed"],
                data["address"],
                lambda name: handler.find_user(name) is not None,
            )
        else:
            identity = await self.identity_of(data["flow"], data["code"])
        model = await self.auth_model(identity, data.get("public", False))
        if await self.admission.settle(model["name"], identity):
            way = identity.provider.id
            self.log.info("The name %s belongs to an identity of %s.", model["name"], way)
        self.renewals.stands_again(model["name"])
        self.sweep.welcome(model["name"])
        return model

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool | dict[str, Any]:
        """Return the fresh model, True while nothing changed, False to sign in again.

        The hub asks at every request, the provider is asked every `renewal_seconds`. Somebody
        who was blocked meanwhile gets no page but one that says so.
        """
        try:
            if handler is not None and not await stands(handler, user, self.register):
                return False
            return await self.renewals.refresh(user, at_once=not_her_own(handler, user))
        except Blocked as error:
            if by_her_token(handler, user):
                return True  # her sessions and scripts end with the sweep's grace, by its hand
            raise web_error(error, self.log) from None
        except PeopleUnavailable as error:
            raise web_error(error, self.log) from None

    def pre_spawn_start(self, user: Any, spawner: Any) -> None:  # noqa: ARG002
        """Refuse a start for somebody whose login the provider has ended.

        The hub re-checks a login before each start but goes on with a stale one when somebody
        else, here the portal, asks for it.
        """
        if self.renewals.has_ended(user.name):
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

    def redirect_uri(self, path: str) -> str:
        """Return the public address of the hub's page *path*, from the configuration alone.

        A request's `Host` says what its sender likes; nothing is guessed from it.
        """
        guessed, _, page = self.oauth_callback_url.rpartition("/")
        return (self._public_hub or (f"{guessed}/" if page == "oauth_callback" else "")) + path

    async def authorization_url(self, flow: LoginFlow) -> str:
        """Return where to send the browser for *flow*."""
        client = await self.ways.working_client(flow.provider, flow.purpose is Purpose.LINK)
        return await client.authorization_url(
            flow, self.callback_of(client.provider), self.extra_authorize_params
        )

    async def check_answer(self, flow: LoginFlow, issuer: str | None) -> None:
        """Raise `LoginFailed` when the answer's `iss` is another provider's (RFC 9207)."""
        await self.ways.client(flow.provider, flow.purpose is Purpose.LINK).check_answer(issuer)

    async def identity_of(self, flow: LoginFlow, code: str) -> Identity:
        """Return who signed in at the provider, verified. Raises `DaasError`."""
        client = self.ways.client(flow.provider, flow.purpose is Purpose.LINK)
        return await client.sign_in(code, flow, self.callback_of(client.provider))

    async def check_belongs(self, identity: AnyIdentity, name: str) -> None:
        """Raise `LoginFailed` unless *identity* is linked to *name*."""
        link = await self.people.link_of(identity.issuer, identity.subject)
        if link is None or link.name != name:
            raise LoginFailed(
                "You signed in as somebody else just now.",
                "Begin again, and sign in with the identity that you came with.",
            )

    # -- inside ---------------------------------------------------------------------------

    def callback_of(self, provider: Provider) -> str:
        """Return the one address that *provider* answers to, which is registered there."""
        if provider.id == DEFAULT and self.oauth_callback_url:
            return str(self.oauth_callback_url)
        return self.redirect_uri(provider.callback_path)

    def _check_public_hub(self) -> None:
        if not is_safe_url(self.redirect_uri("")):
            raise TraitError(
                "JupyterHub.public_url must be the hub's https address, as browsers see it "
                "(http on this machine only): identity providers answer there"
            )

    async def auth_model(self, identity: AnyIdentity, public: bool = False) -> dict[str, Any]:
        """Return the hub's model, with the stock hooks run and only what we need kept.

        On a *public* computer, and while she is signed in on one, few rights count: they are a
        person's, not a browser's. Raises `DaasError` when this person may not come in.
        """
        provider = identity.provider
        name = await self.admission.name_of(identity)
        await self.check_not_blocked(name)
        state = to_keep(identity).to_state()
        # For the moment all claims: hooks and groups are read from them.
        state[self.user_auth_state_key] = dict(identity.claims)
        if self.modify_auth_state_hook is not None:
            state = await self._call_modify_auth_state_hook(state)
        # The hub's flag `admin` opens everybody's sessions: nobody gets it.
        model: dict[str, Any] = {"name": name, "admin": False, "auth_state": state}
        model = await self._apply_managed_groups(await self.update_auth_model(model))
        await self.register.load()  # who sits at a public computer
        rights = rights_of(provider.id, identity.claims, self.rules)
        self.holders.note(name, Held(provider.id, rights, self.step_up_of(provider.id)))
        counting = self.holders.effective(name, public)
        model["groups"] = sorted({*model["groups"], *right_groups(counting)})
        model["roles"] = hub_roles(counting)
        model["admin"] = False
        if not self.allow_all and not await self.check_allowed(name, model):
            raise self.not_allowed()
        # Groups may be read from any claim; what the hub's database keeps is the result.
        model["auth_state"].pop(self.user_auth_state_key, None)
        return model

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
