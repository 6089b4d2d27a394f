"""Entitlements: read by AARC-G069 and AARC-G027, and what is malformed or alike gives nothing."""

import pytest

from daas_authenticator.rights.entitlements import MAX_LENGTH, Entitlement

NAMESPACE = ("geant", "facility.example")
BEGIN = "urn:geant:facility.example"
END = "#aai.facility.example"
AUTHORITY = "aai.facility.example"


def group(*path: str, role: str = "", authority: str = AUTHORITY) -> Entitlement:
    return Entitlement(NAMESPACE, "group", path, role, authority=authority)


def resource(*path: str, actions: frozenset[str] = frozenset()) -> Entitlement:
    return Entitlement(NAMESPACE, "res", path, actions=actions, authority=AUTHORITY)


def parsed(text: str) -> Entitlement:
    found = Entitlement.parse(text)
    assert found is not None, text
    return found


READ = {
    "a group": (f"{BEGIN}:group:daas{END}", group("daas")),
    "a role in it": (f"{BEGIN}:group:daas:role=admin{END}", group("daas", role="admin")),
    "a subgroup": (f"{BEGIN}:group:daas:b08{END}", group("daas", "b08")),
    "a role in a subgroup": (
        f"{BEGIN}:group:daas:b08:role=admin{END}",
        group("daas", "b08", role="admin"),
    ),
    "no authority, which G069 allows": (f"{BEGIN}:group:daas", group("daas", authority="")),
    "urn and identifier in capitals": (
        f"URN:GeAnt:facility.example:group:daas{END}",
        group("daas"),
    ),
    "a sub-namespace": (
        f"urn:geant:dfn.de:nfdi.de:group:daas{END}",
        Entitlement(("geant", "dfn.de", "nfdi.de"), "group", ("daas",), authority=AUTHORITY),
    ),
    "a name with an encoded blank and umlaut": (
        f"{BEGIN}:group:Minun%20Ryhm%C3%A4ni{END}",
        group("Minun Ryhmäni"),
    ),
    "the same with small digits": (f"{BEGIN}:group:Ryhm%c3%a4{END}", group("Ryhmä")),
    "a colon in a name": (f"{BEGIN}:group:a%3Arole=admin{END}", group("a:role=admin")),
    "a number sign in a name": (f"{BEGIN}:group:a%23b{END}", group("a#b")),
    "a group named as a role": (f"{BEGIN}:group:a:role%3Dadmin{END}", group("a", "role=admin")),
    "a group named group": (f"{BEGIN}:group:group:res{END}", group("group", "res")),
    "a percent sign is decoded once": (f"{BEGIN}:group:a%253Ab{END}", group("a%3Ab")),
    "an equals sign in a role": (f"{BEGIN}:group:a:role=b=c{END}", group("a", role="b=c")),
    "an authority with a path": (
        f"{BEGIN}:group:a#sso.example/realms/a",
        group("a", authority="sso.example/realms/a"),
    ),
    "a resource": (f"{BEGIN}:res:daas{END}", resource("daas")),
    "a child of it": (f"{BEGIN}:res:daas:gpu{END}", resource("daas", "gpu")),
    "actions": (
        f"{BEGIN}:res:daas:gpu:act:start,stop{END}",
        resource("daas", "gpu", actions=frozenset({"start", "stop"})),
    ),
    "a child named act": (
        f"{BEGIN}:res:daas:act:act:start{END}",
        resource("daas", "act", actions=frozenset({"start"})),
    ),
    "a comma in an action": (
        f"{BEGIN}:res:daas:act:a%2Cb{END}",
        resource("daas", actions=frozenset({"a,b"})),
    ),
    "a resource whose name looks like a role": (
        f"{BEGIN}:res:role=admin{END}",
        resource("role=admin"),
    ),
}


@pytest.mark.parametrize(("text", "meaning"), READ.values(), ids=READ.keys())
def test_an_entitlement_is_read_into_its_parts(text: str, meaning: Entitlement) -> None:
    assert Entitlement.parse(text) == meaning


MALFORMED = {
    "nothing": "",
    "no text": 42,
    "a list": [f"{BEGIN}:group:daas{END}"],
    "null": None,
    "a plain group": "daas",
    "no urn": f"geant:facility.example:group:daas{END}",
    "no namespace": f"urn:geant:group:daas{END}",
    "no identifier": f"urn::facility.example:group:daas{END}",
    "an identifier of one letter": f"urn:g:facility.example:group:daas{END}",
    "an identifier of 33 letters": f"urn:{'g' * 33}:facility.example:group:daas{END}",
    "neither group nor resource": f"{BEGIN}:daas{END}",
    "the keyword in capitals": f"{BEGIN}:GROUP:daas{END}",
    "the keyword encoded": f"{BEGIN}:%67roup:daas{END}",
    "no group": f"{BEGIN}:group{END}",
    "an empty group": f"{BEGIN}:group:{END}",
    "an empty subgroup": f"{BEGIN}:group:daas::b08{END}",
    "an empty end": f"{BEGIN}:group:daas:{END}",
    "a role without a group": f"{BEGIN}:group:role=admin{END}",
    "an empty role": f"{BEGIN}:group:daas:role={END}",
    "a role in the middle": f"{BEGIN}:group:role=admin:daas{END}",
    "two roles": f"{BEGIN}:group:daas:role=admin:role=user{END}",
    "an empty authority": f"{BEGIN}:group:daas#",
    "two authorities": f"{BEGIN}:group:daas#evil.example{END}",
    "an empty resource": f"{BEGIN}:res:{END}",
    "no actions": f"{BEGIN}:res:daas:act{END}",
    "an empty action": f"{BEGIN}:res:daas:act:start,{END}",
    "something after the actions": f"{BEGIN}:res:daas:act:start:more{END}",
    "a percent sign alone": f"{BEGIN}:group:da%as{END}",
    "a percent sign and one digit": f"{BEGIN}:group:daas%4{END}",
    "no UTF-8": f"{BEGIN}:group:daas%ff{END}",
    "half a letter": f"{BEGIN}:group:daas%ED%A0%80{END}",
    "an encoded NUL": f"{BEGIN}:group:daas%00{END}",
    "an encoded line end": f"{BEGIN}:group:daas%0A{END}",
    "an encoded direction mark": f"{BEGIN}:group:daas%E2%80%AE{END}",
    "a line end in the authority": f"{BEGIN}:group:daas{END}%0Ax",
    "a blank": f"{BEGIN}:group:da as{END}",
    "blanks around": f" {BEGIN}:group:daas{END} ",
    "a line end behind": f"{BEGIN}:group:daas{END}\n",
    "a letter that is not encoded": f"{BEGIN}:group:dåas{END}",
    "a question": f"{BEGIN}:group:daas?=a{END}",
    "a Kelvin sign in the identifier": f"urn:\u212a1:facility.example:group:daas{END}",
    "half a character": f"{BEGIN}:group:daas\ud800{END}",
    "a letter too long": f"{BEGIN}:group:{'d' * (MAX_LENGTH + 1 - len(BEGIN + END) - 7)}{END}",
    "a million colons": f"{BEGIN}:group{':' * 1_000_000}",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_no_entitlement(text: object) -> None:
    assert Entitlement.parse(text) is None


def test_the_longest_text_is_read() -> None:
    name = "d" * (MAX_LENGTH - len(BEGIN + END) - 7)
    assert Entitlement.parse(f"{BEGIN}:group:{name}{END}") == group(name)


MEETS = {
    "the same": (f"{BEGIN}:group:daas{END}", f"{BEGIN}:group:daas{END}"),
    "the same, written otherwise": (f"URN:GEANT:facility.example:group:d%61as{END}", "daas"),
    "a role is a membership": (f"{BEGIN}:group:daas:role=member{END}", f"{BEGIN}:group:daas{END}"),
    "all actions that are asked": (
        f"{BEGIN}:res:daas:act:stop,start{END}",
        f"{BEGIN}:res:daas:act:start{END}",
    ),
    "a capability as a whole": (f"{BEGIN}:res:daas{END}", f"{BEGIN}:res:daas{END}"),
}


@pytest.mark.parametrize(("held", "asked"), MEETS.values(), ids=MEETS.keys())
def test_it_meets_what_is_asked(held: str, asked: str) -> None:
    asked = f"{BEGIN}:group:daas{END}" if asked == "daas" else asked
    assert parsed(held).meets(parsed(asked))


ADMIN = f"{BEGIN}:group:daas:role=admin{END}"
FAILS = {
    "another namespace": f"urn:geant:evil.example:group:daas:role=admin{END}",
    "a sub-namespace": f"{BEGIN}:evil:group:daas:role=admin{END}",
    "another identifier": f"urn:mace:facility.example:group:daas:role=admin{END}",
    "the namespace in capitals": f"urn:geant:Facility.example:group:daas:role=admin{END}",
    "another authority": f"{BEGIN}:group:daas:role=admin#evil.example",
    "no authority": f"{BEGIN}:group:daas:role=admin",
    "the authority in capitals": f"{BEGIN}:group:daas:role=admin{END.upper()}",
    "another group": f"{BEGIN}:group:daas2:role=admin{END}",
    "the group in capitals": f"{BEGIN}:group:DAAS:role=admin{END}",
    "a Cyrillic letter": f"{BEGIN}:group:d%D0%B0as:role=admin{END}",
    "another way to write a letter": f"{BEGIN}:group:daa%CC%8As:role=admin{END}",
    "no role": f"{BEGIN}:group:daas{END}",
    "another role": f"{BEGIN}:group:daas:role=administrator{END}",
    "the role in a subgroup": f"{BEGIN}:group:daas:b08:role=admin{END}",
    "a group named as the role": f"{BEGIN}:group:daas:role%3Dadmin{END}",
    "a name that ends as the role": f"{BEGIN}:group:daas%3Arole=admin{END}",
    "the authority within a name": f"{BEGIN}:group:daas:role=admin%23aai.facility.example",
    "a resource": f"{BEGIN}:res:daas:role=admin{END}",
}


@pytest.mark.parametrize("held", FAILS.values(), ids=FAILS.keys())
@pytest.mark.parametrize("subgroups", [False, True])
def test_what_only_looks_alike_does_not_meet_it(held: str, subgroups: bool) -> None:
    assert not parsed(held).meets(parsed(ADMIN), subgroups=subgroups)


def test_a_subgroup_counts_for_its_parent_only_where_that_is_said() -> None:
    parent, child = parsed(f"{BEGIN}:group:daas{END}"), parsed(f"{BEGIN}:group:daas:b08{END}")
    assert not child.meets(parent)
    assert child.meets(parent, subgroups=True)
    assert not parent.meets(child, subgroups=True)
    assert parsed(f"{BEGIN}:group:daas:b08:role=x{END}").meets(parent, subgroups=True)
    assert not parsed(f"{BEGIN}:group:daasb08{END}").meets(parent, subgroups=True)


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        pytest.param("res:daas:act:start", "res:daas", id="some actions are not all"),
        pytest.param("res:daas:act:start", "res:daas:act:start,stop", id="one is missing"),
        pytest.param("res:daas", "res:daas:act:start", id="none is said"),
        pytest.param("res:daas:gpu", "res:daas", id="a child"),
        pytest.param("res:daas", "res:daas:gpu", id="a parent"),
    ],
)
def test_a_capability_is_what_it_says_and_no_more(held: str, asked: str) -> None:
    assert not parsed(f"{BEGIN}:{held}{END}").meets(parsed(f"{BEGIN}:{asked}{END}"))
