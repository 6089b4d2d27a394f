"""What an operator can set about logins and accounts. Base of `DaasAuthenticator`.

Traitlets are the reference: type, default, help with an example, units in the name.
"""

import re
from collections.abc import Callable
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Dict, Float, Integer, Set, TraitError, Unicode, default, validate

from daas_authenticator.accounts.settings import AccountSettings
from daas_authenticator.names import RESERVED_NAMES
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


class AuthenticatorSettings(AccountSettings, PasswordSettings, GenericOAuthenticator):
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

    portal_url = Unicode(
        "/services/portal/",
        help="""Path of the portal on the hub's host; the hub's own home and start pages lead
        there. Starts and ends with a slash. Example: "/services/portal/".""",
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
            makes_admins=True,
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
        return "your facility account"
