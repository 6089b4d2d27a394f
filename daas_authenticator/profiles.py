"""What is alike at every installation of one kind of provider. Data only.

Read by `providers`. A facility names a profile and adds issuer and client; whatever stands in
its own values wins. No issuer stands here: they change, and a wrong one would be trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ClaimsFrom = Literal["userinfo", "id_token"]


@dataclass(frozen=True, slots=True)
class Profile:
    """The default values of a provider. Groups give rights, so most profiles read none.

    Where people choose their names themselves, a name says nothing about an account here:
    `names_people` is False, and they are linked first.
    """

    title: str
    for_whom: str
    scope: tuple[str, ...] = ("openid", "profile")
    username_claim: str = "preferred_username"
    groups_claim: str = ""
    claims_from: ClaimsFrom = "userinfo"
    link_only: bool = False
    names_people: bool = True


PROFILES: Mapping[str, Profile] = {
    "oidc": Profile(
        title="Single sign-on",
        for_whom="For everybody with an account there.",
    ),
    "keycloak": Profile(
        title="Facility account",
        for_whom="For staff and users with an account at this facility.",
        groups_claim="groups",
    ),
    "lemonldap": Profile(
        title="Facility account",
        for_whom="For staff and users with an account at this facility.",
        groups_claim="groups",
    ),
    # eduTEAMS sends all but `sub` by userinfo only.
    "umbrella": Profile(
        title="UmbrellaID",
        for_whom="For users of several light and neutron sources.",
        scope=("openid", "profile", "eduperson_entitlement"),
        names_people=False,
    ),
    "egi": Profile(
        title="EGI Check-in",
        for_whom="For members of universities and institutes, with the account from home.",
        scope=("openid", "profile", "voperson_id", "eduperson_entitlement"),
        names_people=False,
    ),
    # ORCID says who wrote a paper, not who is a member of a proposal.
    "orcid": Profile(
        title="ORCID iD",
        for_whom="For linking to your account; it cannot sign you in by itself.",
        scope=("openid",),
        username_claim="sub",
        link_only=True,
        names_people=False,
    ),
}
