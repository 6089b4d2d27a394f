"""What an operator can set about logins and accounts. Base of `DaasAuthenticator`.

Traitlets are the reference: type, default, help with an example, units in the name.
"""

import re
from collections.abc import Callable
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Dict, Float, Integer, Set, TraitError, Unicode, default, validate

from daas_authenticator.accounts.settings import AccountSettings
from daas_authenticator.names import NAME_PATTERN, RESERVED_NAMES
from daas_authenticator.passwords.traits import PasswordSettings
from daas_authenticator.profiles import PROFILES
from daas_authenticator.providers import (
    DEFAULT,
    Provider,
    check_ca_bundle,
    check_issuer,
    check_proxy,
    parse_providers,
)
from daas_authenticator.rights.settings import RightsSettings


class AuthenticatorSettings(
    AccountSettings, RightsSettings, PasswordSettings, GenericOAuthenticator
):
    """The settings, checked; set them as `c.DaasAuthenticator.<name>`."""

    providers = Dict(
        help="""Identity providers side by side, in the order of the sign-in page: a short id,
        and for each `profile`, `issuer`, `client_id` and one of `client_secret_file`,
        `client_secret_env`, `client_secret`. At the provider, register the callback
        https://<hub>/hub/oidc/<id>/callback; a wrong one stops every login. See
        docs/how-to/sign-in-with-several-providers.md.
        Example: {"staff": {"profile": "keycloak", "issuer":
        "https://sso.facility.example/realms/users", "client_id": "daas",
        "client_secret_file": "/etc/daas/staff.secret"}}.""",
    ).tag(config=True)

    issuer = Unicode(
        help="""The one OpenID provider's issuer, exactly as it writes it, with `client_id` and
        `client_secret`; for several see `providers`. All addresses and keys come from its
        discovery document. Must be https, except on this machine itself.
        Example: "https://sso.facility.example/realms/users".""",
    ).tag(config=True)

    ca_bundle = Unicode(
        help="""File with certificates (PEM) that are trusted for the providers besides the
        system's own. Without the facility's authority in it or in the system, its providers
        are out of order. Example: "/etc/ssl/certs/facility.pem".""",
    ).tag(config=True)

    proxy = Unicode(
        help="""Outbound proxy for every request to a provider; requests to this machine itself
        go without. Variables such as HTTPS_PROXY are not looked at.
        Example: "http://proxy.facility.example:3128".""",
    ).tag(config=True)

    grace_seconds = Integer(
        1800,
        min=0,
        help="""How long a login is kept while its provider is down, in seconds since the
        provider last confirmed it. A provider that refuses ends a login at once.
        Example: 600.""",
    ).tag(config=True)

    # The hub asks us at every request: whether this browser is still signed in must not be
    # what it was a second ago. The provider is asked every `renewal_seconds`.
    auth_refresh_age = Float(1e-6, help="Not to be set: see renewal_seconds.")

    renewal_seconds = Integer(
        300,
        min=0,
        help="""How often a login is confirmed by its provider while somebody uses it, in seconds;
        groups change, and a login that the provider ended ends, after that time.
        Example: 120.""",
    ).tag(config=True)

    sweep_seconds = Float(
        60.0,
        min=0.1,
        help="""How often the hub looks who lost her right while her sessions run, in seconds: she
        was blocked, or her provider refuses to renew her login. Example: 300.""",
    ).tag(config=True)

    proposal_check_seconds = Float(
        600.0,
        min=0,
        help="""How often the catalogue is asked whether the person of a running session still
        belongs to its proposals, in seconds. If not, the session ends `blocked_grace_seconds`
        after she was told. Example: 3600.""",
    ).tag(config=True)

    blocked_grace_seconds = Integer(
        900,
        min=0,
        help="""How long the sessions of somebody who was blocked go on after she was told, in
        seconds; then they end, and what was not saved is lost. Example: 0.""",
    ).tag(config=True)

    refused_grace_seconds = Integer(
        86400,
        min=0,
        help="""How long the sessions of somebody whom her provider refuses go on, in seconds.
        Providers refuse alike when a login there is merely too old and when a person was disabled:
        with a short time, long computations end over night. Example: 28800.""",
    ).tag(config=True)

    public_login_minutes = Integer(
        60,
        min=1,
        help="""How long a login on a public computer lasts, in minutes; then all that is open in
        that browser is closed. Example: 30.""",
    ).tag(config=True)

    provider_check_seconds = Float(
        60.0,
        min=0.1,
        help="""How often each provider is asked whether it works, in seconds; the sign-in page
        says which one does not. While one does not, at least every 5 s. Example: 300.""",
    ).tag(config=True)

    support_contact = Unicode(
        "your facility's user office",
        help="""Whom people ask when they may not use the portal; stands in the message that
        they read. Example: "the user office, user.office@facility.example".""",
    ).tag(config=True)

    reserved_names = Set(
        Unicode(),
        default_value=RESERVED_NAMES,
        help="""Names that nobody can sign in as, whatever the provider says. A system account
        that is missing here could be taken by who registers its name at the provider.
        Example: {"root", "admin", "beamline"}.""",
    ).tag(config=True)

    name_pattern = Unicode(
        NAME_PATTERN,
        help="""Regular expression that the whole of an account's name must fit; letters beyond
        ASCII never do. A wider one must still suit file names and host names.
        Example: "[a-z][a-z0-9]{2,15}".""",
    ).tag(config=True)

    people_database = Unicode(
        "sqlite:///people.sqlite",
        help="""Database with the people's identities and who is blocked, as an SQLAlchemy address.
        Without it nobody can sign in, and who restores an old copy of it brings back old links.
        PostgreSQL needs the package psycopg.
        Example: "postgresql+psycopg://daas@db.facility.example/daas".""",
    ).tag(config=True)

    audit_file = Unicode(
        "audit.jsonl",
        help="""File to which a line of JSON is added whenever an account is linked, unlinked,
        blocked or let in again. It names people; keep it as your rules for logs say. It may be
        rotated by renaming. Example: "/var/log/daas/audit.jsonl".""",
    ).tag(config=True)

    portal_url = Unicode(
        "/services/portal/",
        help="""Path of the portal on the hub's host; the hub's own home and start pages lead
        there. Follows the path of `DAAS_PUBLIC_URL`; starts and ends with a slash.
        Example: "/daas/services/portal/".""",
    ).tag(config=True)

    provider_timeout_seconds = Float(
        10.0,
        min=0.1,
        help="""How long the provider may take to answer, in seconds. A login fails after it; a
        login that already stands is kept. Example: 5.""",
    ).tag(config=True)

    def all_providers(self) -> tuple[Provider, ...]:
        """Return the providers that are set up: the one of `issuer` first."""
        several = parse_providers(self.providers, self.ca_bundle, self.proxy)
        return (self._one_provider(), *several) if self.issuer else several

    def _one_provider(self) -> Provider:
        return Provider(
            id=DEFAULT,
            title=self.login_service,
            for_whom=PROFILES["oidc"].for_whom,
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=self.client_secret,
            scope=tuple(self.scope),
            username_claim="",  # the setting, which may be a function
            groups_claim="",
            ca_bundle=self.ca_bundle,
            proxy=self.proxy,
        )

    @validate("providers")
    def _good_providers(self, proposal: Any) -> dict[str, Any]:
        entries: dict[str, Any] = proposal["value"]
        self._checked("providers", parse_providers, entries)
        return entries

    @validate("issuer")
    def _https_issuer(self, proposal: Any) -> str:
        value: str = proposal["value"]
        return value and str(self._checked("issuer", check_issuer, value))

    @validate("ca_bundle")
    def _readable_bundle(self, proposal: Any) -> str:
        return str(self._checked("ca_bundle", check_ca_bundle, proposal["value"]))

    @validate("proxy")
    def _proxy_address(self, proposal: Any) -> str:
        return str(self._checked("proxy", check_proxy, proposal["value"]))

    @validate("http_request_kwargs")
    def _no_other_client(self, proposal: Any) -> dict[str, Any]:
        if proposal["value"]:
            raise TraitError("DaasAuthenticator.http_request_kwargs: use ca_bundle and proxy")
        return {}

    def _checked(self, name: str, check: Callable[[Any], object], value: object) -> object:
        try:
            return check(value)
        except ValueError as error:
            raise TraitError(f"DaasAuthenticator.{name}: {error}") from None

    @validate("admin_users", "admin_groups")
    def _no_list_of_administrators(self, proposal: Any) -> set[str]:
        if proposal["value"]:
            name = proposal["trait"].name
            raise TraitError(f"DaasAuthenticator.{name}: the hub's flag `admin` opens everybody's "
                             "sessions and cannot be cut; use `rights`")  # fmt: skip
        return set()

    @validate("name_pattern")
    def _narrow_pattern(self, proposal: Any) -> str:
        pattern: str = proposal["value"]
        try:
            wide = [name for name in ("", "/", "a/b", "..", "a:b", "a b") if
                    re.fullmatch(pattern, name, re.ASCII)]  # fmt: skip
        except re.error as error:
            raise TraitError(f"DaasAuthenticator.name_pattern: {error}") from None
        if wide:
            raise TraitError(f"DaasAuthenticator.name_pattern lets {wide[0]!r} be a name")
        return pattern

    @validate("portal_url")
    def _path_only(self, proposal: Any) -> str:
        url: str = proposal["value"]
        if not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/)*", url):
            raise TraitError("DaasAuthenticator.portal_url must be a path: /services/portal/")
        return url

    @default("username_claim")
    def _default_username_claim(self) -> str:
        return "preferred_username"

    @default("scope")
    def _default_scope(self) -> list[str]:
        return ["openid", "profile"]

    @default("login_service")
    def _default_login_service(self) -> str:
        return "Facility account"
