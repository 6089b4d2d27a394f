"""Rights: from the claims of the provider that a rule names, and from nobody else (I5)."""

from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.rights.rules import RIGHTS, parse_rules, rights_of
from daas_authenticator.rights.settings import RightsSettings

GROUP = "urn:geant:facility.example:group:contacts#aai.facility.example"
ADMIN = "urn:geant:facility.example:group:daas:role=admin#aai.facility.example"
RULES = [
    {"right": "admin", "provider": "staff", "entitlement": ADMIN},
    {"right": "staff", "provider": "staff", "claim": "groups", "value": "daas-staff"},
    {"right": "local-contact", "provider": "staff", "claim": "realm_access.roles", "value": "lc"},
    {"right": "local-contact", "provider": "umbrella", "entitlement": GROUP, "subgroups": True},
    {
        "right": "without-proposal",
        "provider": "default",
        "claim": "https://f.example/t",
        "value": "y",
    },
]


def rights(provider: str = "staff", **claims: Any) -> frozenset[str]:
    return rights_of(provider, claims, parse_rules(RULES))


GIVEN: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "nothing": ("staff", {}, set()),
    "an entitlement in a list": ("staff", {"eduperson_entitlement": [ADMIN]}, {"admin"}),
    "an entitlement alone": ("staff", {"eduperson_entitlement": ADMIN}, {"admin"}),
    "the newer claim": ("staff", {"entitlements": [GROUP, ADMIN]}, {"admin"}),
    "both claims": (
        "staff",
        {"eduperson_entitlement": "x", "entitlements": ADMIN},
        {"admin"},
    ),
    "written otherwise": (
        "staff",
        {"entitlements": [ADMIN.replace("urn:geant", "URN:GEANT")]},
        {"admin"},
    ),
    "a group in a list": ("staff", {"groups": ["users", "daas-staff"]}, {"staff"}),
    "a group alone": ("staff", {"groups": "daas-staff"}, {"staff"}),
    "within a claim": ("staff", {"realm_access": {"roles": ["lc"]}}, {"local-contact"}),
    "a claim with dots in its name": (
        "default",
        {"https://f.example/t": "y"},
        {"without-proposal"},
    ),
    "two rights": (
        "staff",
        {"groups": ["daas-staff"], "entitlements": [ADMIN]},
        {"admin", "staff"},
    ),
    "a subgroup where that is said": (
        "umbrella",
        {"entitlements": [GROUP.replace("contacts#", "contacts:b08#")]},
        {"local-contact"},
    ),
}


@pytest.mark.parametrize(("provider", "claims", "expected"), GIVEN.values(), ids=GIVEN.keys())
def test_a_claim_gives_the_right_that_its_rule_says(
    provider: str, claims: dict[str, Any], expected: set[str]
) -> None:
    assert rights(provider, **claims) == expected


NOT_GIVEN: dict[str, tuple[str, dict[str, Any]]] = {
    "another provider": ("umbrella", {"eduperson_entitlement": [ADMIN], "groups": ["daas-staff"]}),
    "a provider without rules": ("orcid", {"entitlements": [ADMIN]}),
    "the provider in capitals": ("STAFF", {"groups": ["daas-staff"]}),
    "an entitlement as a group": ("staff", {"groups": [ADMIN]}),
    "a group as an entitlement": ("staff", {"entitlements": ["daas-staff"]}),
    "a subgroup where nothing is said": (
        "staff",
        {"entitlements": [ADMIN.replace(":role", ":b08:role")]},
    ),
    "a part of the group": ("staff", {"groups": "daas-staff daas-admin"}),
    "the group in capitals": ("staff", {"groups": ["DAAS-STAFF"]}),
    "a line end behind": ("staff", {"groups": ["daas-staff\n"]}),
    "a number": ("staff", {"groups": 7, "entitlements": 7, "realm_access": 7}),
    "true": ("staff", {"groups": True, "entitlements": True, "realm_access": True}),
    "null": ("staff", {"groups": None, "entitlements": None, "realm_access": None}),
    "a mapping": ("staff", {"groups": {"daas-staff": 1}, "entitlements": {ADMIN: 1}}),
    "a list in a list": ("staff", {"groups": [["daas-staff"]], "entitlements": [[ADMIN]]}),
    "mappings in a list": ("staff", {"groups": [{"name": "daas-staff"}], "entitlements": [{}]}),
    "a list on the way": ("staff", {"realm_access": [{"roles": ["lc"]}]}),
    "a text on the way": ("staff", {"realm_access": "roles"}),
    "half a letter": ("staff", {"groups": ["daas-staff\ud800"], "entitlements": ["\ud800"]}),
}


@pytest.mark.parametrize(("provider", "claims"), NOT_GIVEN.values(), ids=NOT_GIVEN.keys())
def test_anything_else_gives_no_right_and_no_error(provider: str, claims: dict[str, Any]) -> None:
    assert rights(provider, **claims) == frozenset()


@pytest.mark.parametrize("right", RIGHTS)
def test_attack_10_an_entitlement_of_another_authority_or_provider_gives_no_right(
    right: str,
) -> None:
    rules = parse_rules([{"right": right, "provider": "staff", "entitlement": ADMIN}])
    foreign = ADMIN.replace("#aai.facility.example", "#evil.example")
    assert rights_of("staff", {"entitlements": [ADMIN]}, rules) == {right}
    assert rights_of("staff", {"entitlements": [foreign]}, rules) == frozenset()
    assert rights_of("umbrella", {"entitlements": [ADMIN]}, rules) == frozenset()


WRONG: dict[str, tuple[object, str]] = {
    "no mapping": ("admin", "must be a mapping"),
    "no right": ({"provider": "staff", "entitlement": ADMIN}, "right must be one of admin, staff"),
    "an unknown right": ({**RULES[0], "right": "root"}, "right must be one of"),
    "a list of rights": ({**RULES[0], "right": ["admin"]}, "right must be one of"),
    "no provider": ({"right": "admin", "entitlement": ADMIN}, "provider must be a provider's id"),
    "every provider": ({**RULES[0], "provider": "*"}, "provider must be a provider's id"),
    "an issuer as provider": ({**RULES[0], "provider": "https://a.example"}, "provider must be"),
    "neither": ({"right": "admin", "provider": "staff"}, "give either entitlement, or claim"),
    "both": ({**RULES[0], "claim": "a", "value": "b"}, "give either entitlement, or claim"),
    "a misspelt key": ({**RULES[0], "role": "admin"}, "there is no role"),
    "no entitlement": ({**RULES[0], "entitlement": "daas"}, "entitlement must be a group"),
    "no authority": ({**RULES[0], "entitlement": ADMIN.partition("#")[0]}, "with its authority"),
    "a pattern": ({**RULES[0], "entitlement": ADMIN.replace("daas", "")}, "entitlement must be"),
    "a value beside it": ({**RULES[0], "value": "x"}, "with entitlement goes only subgroups"),
    "subgroups of a role": ({**RULES[0], "subgroups": True}, "for a group without a role"),
    "subgroups in words": ({**RULES[0], "subgroups": "yes"}, "True or False"),
    "no value": ({"right": "staff", "provider": "staff", "claim": "groups"}, "value must be"),
    "a value that is true": ({**RULES[1], "value": True}, "value must be the text"),
    "an empty value": ({**RULES[1], "value": ""}, "value must be the text"),
    "a claim that ends in a dot": ({**RULES[1], "claim": "a."}, "claim must be the name"),
    "a claim that is a list": ({**RULES[1], "claim": ["a"]}, "claim must be the name"),
    "subgroups of a claim": ({**RULES[1], "subgroups": True}, "goes with entitlement only"),
    "entitlements as texts": ({**RULES[1], "claim": "entitlements"}, "use entitlement, not claim"),
}


@pytest.mark.parametrize(("rule", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_rule_stops_the_start_and_says_which_and_how(rule: object, words: str) -> None:
    with pytest.raises(TraitError) as error:
        DaasAuthenticator(config=Config(DaasAuthenticator={"rights": [RULES[0], rule]}))
    assert "DaasAuthenticator.rights[1]" in str(error.value)
    assert words in str(error.value)


def test_a_rule_for_a_provider_that_is_not_there_is_said() -> None:
    settings = RightsSettings(rights=RULES, step_up={"staf": {"acr_values": ["m"]}})
    with pytest.raises(TraitError, match=r"rights: there is no provider 'default'; there is staff"):
        settings.right_rules({"staff", "umbrella"})
    known = {"staff", "umbrella", "default"}
    with pytest.raises(TraitError, match=r"step_up: there is no provider 'staf'"):
        settings.right_rules(known)
    settings.step_up = {}
    assert settings.right_rules(known) == parse_rules(RULES)
