"""What an operator can set about rights. Base of `AuthenticatorSettings`.

Both settings are parsed when they are set: a wrong one stops the hub's start.
"""

from collections.abc import Collection
from typing import Any

from traitlets import Dict, List, TraitError, validate
from traitlets.config import Configurable

from daas_authenticator.rights.rules import Rule, check_providers, parse_rules
from daas_authenticator.rights.step_up import StepUp, parse_step_up


class RightsSettings(Configurable):
    """The settings; set them as `c.DaasAuthenticator.<name>`."""

    rights: List[Any] = List(
        help="""Which claim of which provider gives which right: a list of rules, each with
        `right` ("admin", "staff", "local-contact" or "without-proposal"), `provider` (its id;
        "default" for the one of `issuer`), and either `entitlement` or `claim` and `value`. An
        entitlement (AARC-G069, AARC-G027) names its authority; with `"subgroups": True` members
        of its subgroups count too. Dots in `claim` lead into a claim. Without rules nobody has a
        right. See docs/how-to/give-rights.md.
        Example: [{"right": "admin", "provider": "staff", "entitlement":
        "urn:geant:facility.example:group:daas:role=admin#aai.facility.example"},
        {"right": "staff", "provider": "staff", "claim": "groups", "value": "daas-staff"}].""",
    ).tag(config=True)

    step_up = Dict(
        help="""By provider's id, what it must say before "admin" and "staff" count: one of
        `acr_values`, in an ID token of a login not older than 5 minutes. They count for
        `raised_seconds` from that login, 900 at most and without it. A provider that is not named
        here makes no administrators and no staff. `"rights_without_step_up": True` instead of
        `acr_values` lets them count always: whoever gets hold of such a person's password or
        browser then has her rights; for a provider that asks for a second factor at every login.
        Example: {"staff": {"acr_values": ["https://refeds.org/profile/mfa"],
        "raised_seconds": 600}}.""",
    ).tag(config=True)

    def right_rules(self, providers: Collection[str]) -> tuple[Rule, ...]:
        """Return the rules.

        Raises `TraitError` when one, or an entry of `step_up`, is for none of *providers* (ids).
        """
        rules = parse_rules(self.rights)
        try:
            check_providers("rights", (rule.provider for rule in rules), providers)
            check_providers("step_up", self.step_up, providers)
        except ValueError as error:
            raise TraitError(f"DaasAuthenticator.{error}") from None
        return rules

    def step_up_of(self, provider: str) -> StepUp:
        """Return what *provider* (its id) must say before rights count; impossible if not set."""
        return parse_step_up(self.step_up).get(provider, StepUp())

    @validate("rights")
    def _good_rights(self, proposal: Any) -> list[Any]:
        entries: list[Any] = proposal["value"]
        try:
            parse_rules(entries)
        except ValueError as error:
            raise TraitError(f"DaasAuthenticator.{error}") from None
        return entries

    @validate("step_up")
    def _good_step_up(self, proposal: Any) -> dict[str, Any]:
        entries: dict[str, Any] = proposal["value"]
        try:
            parse_step_up(entries)
        except ValueError as error:
            raise TraitError(f"DaasAuthenticator.{error}") from None
        return entries
