"""Which claim of which provider gives which right: the setting `rights`, parsed once.

Called by `settings` when the hub starts and by the authenticator at each login and refresh.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daas_authenticator.names import group_names
from daas_authenticator.rights.entitlements import Entitlement

ADMIN, STAFF = "admin", "staff"
LOCAL_CONTACT, WITHOUT_PROPOSAL = "local-contact", "without-proposal"
RIGHTS = (ADMIN, STAFF, LOCAL_CONTACT, WITHOUT_PROPOSAL)

#: Where entitlements come: eduPerson's name in OpenID Connect, and RFC 9068's.
ENTITLEMENT_CLAIMS = ("eduperson_entitlement", "entitlements")

_KEYS = {"right", "provider", "entitlement", "subgroups", "claim", "value"}
_PROVIDER = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Rule:
    """Who comes by *provider* and has *entitlement*, or *value* in *claim*, has *right*."""

    right: str
    provider: str
    entitlement: Entitlement | None = None
    subgroups: bool = False
    claim: tuple[str, ...] = ()
    value: str = ""

    def fits(self, claims: Mapping[str, Any], held: Collection[Entitlement]) -> bool:
        """Tell whether somebody with *claims*, thus *held* entitlements, has the right."""
        if self.entitlement is None:
            return self.value in group_names(_at(claims, self.claim))
        asked = self.entitlement
        return any(one.meets(asked, subgroups=self.subgroups) for one in held)


def parse_rules(entries: Sequence[object]) -> tuple[Rule, ...]:
    """Return the rules of the setting `rights`.

    Raises `ValueError` that says which rule is wrong, by its place, and how to write it.
    """
    return tuple(_rule(entry, f"rights[{place}]") for place, entry in enumerate(entries))


def check_providers(setting: str, named: Iterable[str], known: Collection[str]) -> None:
    """Raise `ValueError` when *setting* names a provider that is not set up: it would be idle."""
    for provider in named:
        if provider not in known:
            raise ValueError(
                f"{setting}: there is no provider {provider!r}; "
                f"there is {', '.join(sorted(known)) or 'none at all'}"
            )


def rights_of(provider: str, claims: Mapping[str, Any], rules: Iterable[Rule]) -> frozenset[str]:
    """Return the rights of somebody of whom *provider* (its id) says *claims*.

    Nothing that stands in a claim raises: what cannot be read gives no right.
    """
    held = _entitlements(claims)
    return frozenset(
        rule.right for rule in rules if rule.provider == provider and rule.fits(claims, held)
    )


def _entitlements(claims: Mapping[str, Any]) -> frozenset[Entitlement]:
    found: set[Entitlement | None] = set()
    for name in ENTITLEMENT_CLAIMS:
        given = claims.get(name)
        found.update(map(Entitlement.parse, given if isinstance(given, list) else [given]))
    return frozenset(one for one in found if one is not None)


def _at(claims: Mapping[str, Any], path: tuple[str, ...]) -> object:
    """Return what stands at *path*; a claim whose name holds the dots comes first."""
    value: object = claims
    whole = ".".join(path)
    if whole in claims:
        return claims[whole]
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _rule(entry: object, where: str) -> Rule:
    if not isinstance(entry, Mapping):
        raise ValueError(f'{where} must be a mapping such as {{"right": "admin", …}}')
    unknown = {str(key) for key in entry} - _KEYS
    if unknown:
        raise ValueError(f"{where}: there is no {', '.join(sorted(unknown))}")
    if entry.get("right") not in RIGHTS:
        raise ValueError(f"{where}: right must be one of {', '.join(RIGHTS)}")
    provider = entry.get("provider")
    if not isinstance(provider, str) or not _PROVIDER.fullmatch(provider):
        raise ValueError(
            f'{where}: provider must be a provider\'s id, or "default" for the one of `issuer`'
        )
    if ("entitlement" in entry) == ("claim" in entry):
        raise ValueError(f"{where}: give either entitlement, or claim and value")
    if "entitlement" in entry:
        return _entitlement_rule(entry, provider, where)
    return _claim_rule(entry, provider, where)


def _entitlement_rule(entry: Mapping[str, Any], provider: str, where: str) -> Rule:
    entitlement = Entitlement.parse(entry["entitlement"])
    if entitlement is None or not entitlement.authority:
        raise ValueError(
            f"{where}: entitlement must be a group or a capability with its authority, such as "
            '"urn:geant:facility.example:group:daas:role=admin#aai.facility.example"'
        )
    subgroups = entry.get("subgroups", False)
    if not isinstance(subgroups, bool) or "value" in entry:
        raise ValueError(f"{where}: with entitlement goes only subgroups, True or False")
    if subgroups and (entitlement.kind != "group" or entitlement.role):
        raise ValueError(f"{where}: subgroups is for a group without a role")
    return Rule(entry["right"], provider, entitlement, subgroups)


def _claim_rule(entry: Mapping[str, Any], provider: str, where: str) -> Rule:
    claim, value = entry["claim"], entry.get("value")
    if not isinstance(claim, str) or not all(claim.split(".")):
        raise ValueError(
            f'{where}: claim must be the name of a claim, such as "groups" or "realm_access.roles"'
        )
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"{where}: value must be the text that the claim holds")
    if "subgroups" in entry:
        raise ValueError(f"{where}: subgroups goes with entitlement only")
    if claim in ENTITLEMENT_CLAIMS:
        raise ValueError(f"{where}: entitlements are no plain texts; use entitlement, not claim")
    return Rule(entry["right"], provider, claim=tuple(claim.split(".")), value=value)
