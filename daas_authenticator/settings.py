"""What an operator can set about logins and accounts. Base of `DaasAuthenticator`.

Traitlets are the reference: type, default, help with an example, units in the name.
"""

import re
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Float, Set, TraitError, Unicode, default, validate

from daas_authenticator.accounts.settings import AccountSettings
from daas_authenticator.discovery import is_safe_url
from daas_authenticator.names import RESERVED_NAMES


class AuthenticatorSettings(AccountSettings, GenericOAuthenticator):
    """The settings, checked; set them as `c.DaasAuthenticator.<name>`."""

    issuer = Unicode(
        help="""The OpenID provider's issuer, exactly as it writes it. All addresses and keys
        come from its discovery document. Must be https, except on this machine itself.
        Example: "https://sso.facility.example/realms/users".""",
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

    @validate("issuer")
    def _https_issuer(self, proposal: Any) -> str:
        issuer: str = proposal["value"]
        if issuer and (not is_safe_url(issuer) or "?" in issuer):
            raise TraitError("DaasAuthenticator.issuer must be an https address without a query")
        return issuer

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
