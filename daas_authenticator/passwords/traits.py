"""What an operator can set about signing in with a password. Base of `AuthenticatorSettings`."""

from functools import cached_property
from typing import Any

from traitlets import Dict, Float, TraitError, validate
from traitlets.config import Configurable

from daas_authenticator.passwords.settings import parse_password_ways
from daas_authenticator.passwords.ways import PasswordWays


class PasswordSettings(Configurable):
    """The settings; set them as `c.DaasAuthenticator.<name>`."""

    password_ways = Dict(
        help="""Ways to sign in with a name and a password, for facilities without an OpenID
        provider: a short id, and for each a `kind` ("ldap", "pam" or "user-office") and its
        values. Empty: no password is taken. Works only where JupyterHub.public_url is https (or
        this machine), and behind other proxies only with JupyterHub.trusted_downstream_ips. The
        kind and the id stand for the source: who changes them makes strangers of its people.
        See docs/how-to/sign-in-with-passwords.md.
        Example: {"staff": {"kind": "ldap", "servers": ["ldaps://ldap.facility.example"],
        "people_base": "ou=people,dc=facility,dc=example"}}.""",
    ).tag(config=True)

    password_login_hours = Float(
        12.0,
        min=0.1,
        help="""How long a login lasts whose source cannot be asked again, which is the user
        office, in hours; somebody who was locked out there may stay so long. Example: 8.""",
    ).tag(config=True)

    password_refusal_seconds = Float(
        1.0,
        min=0.0,
        help="""How long a refused password takes at least, in seconds, and in what steps it takes
        longer. Without it, time tells which names exist. Example: 2.""",
    ).tag(config=True)

    @cached_property
    def passwords(self) -> PasswordWays:
        """The password ways that are switched on."""
        return PasswordWays(
            parse_password_ways(self.password_ways),
            refusal_seconds=self.password_refusal_seconds,
            login_hours=self.password_login_hours,
        )

    @validate("password_ways")
    def _good_password_ways(self, proposal: Any) -> dict[str, Any]:
        entries: dict[str, Any] = proposal["value"]
        try:
            parse_password_ways(entries)
        except ValueError as error:
            raise TraitError(f"DaasAuthenticator.password_ways{error}") from None
        return entries
