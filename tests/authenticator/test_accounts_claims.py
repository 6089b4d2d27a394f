"""Accounts from claims: believed from one issuer, read exactly, and asked for each time."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config, Configurable

from daas_authenticator.accounts.checks import AccountRules
from daas_authenticator.accounts.claims import ClaimAccounts
from daas_authenticator.accounts.lookup import resolve_account
from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.client import Identity, Tokens
from daas_authenticator.providers import Provider
from daas_model.errors import AccountProblem, DaasError, LoginFailed, ProviderUnavailable
from daas_model.people import Account, Person

from .conftest import LyingProvider

ISSUER = "https://sso.facility.example/realms/users"
CLAIMS = {
    "sub": "a1",
    "uidNumber": 20001,
    "gidNumber": "30000",
    "homeDirectory": ["/home/alice"],
    "posixGroups": ["p2021:30001", "docker:998", "a:b:30002"],
}
RULES = AccountRules(min_uid=1000, min_group_gid=1000, timeout_seconds=5)


async def resolve(claims: dict[str, Any], issuer: str = ISSUER) -> Account:
    async def ask(name: str) -> Identity:
        provider = Provider("p", "", "", issuer, "hub", "", (), "", "")
        return Identity(provider, "a1", "", claims, Tokens("", None, None))

    source = ClaimAccounts(ask, issuer=ISSUER, groups_claim="posixGroups")
    return await resolve_account(Person("alice"), (), source, RULES)


async def test_numbers_may_be_numbers_their_digits_or_lists_of_one() -> None:
    account = await resolve(CLAIMS)
    assert (account.name, account.uid, account.gid) == ("alice", 20001, 30000)
    assert account.home == PurePosixPath("/home/alice")
    assert account.groups == {"p2021": 30001, "30002": 30002}


async def test_groups_may_be_a_mapping_or_missing() -> None:
    assert (await resolve({**CLAIMS, "posixGroups": {"p2": 30001}})).groups == {"p2": 30001}
    assert (await resolve({**CLAIMS, "posixGroups": None})).groups == {}


UNUSABLE = {
    "no UID": {"uidNumber": None},
    "a UID that is true": {"uidNumber": True},
    "a UID with a fraction": {"uidNumber": 20001.0},
    "a UID in words": {"uidNumber": "alice"},
    "a UID with a sign": {"uidNumber": "+20001"},
    "a UID in other digits": {"uidNumber": "٢٠٠٠١"},
    "a UID of a thousand digits": {"uidNumber": "9" * 1000},
    "two UIDs": {"uidNumber": [20001, 20002]},
    "a UID in a mapping": {"uidNumber": {"value": 20001}},
    "root": {"uidNumber": 0},
    "a system account": {"uidNumber": 999},
    "a UID below 0": {"uidNumber": -1},
    "the number that leaves root as it is": {"uidNumber": 2**32 - 1},
    "a number that becomes 0 in 32 bits": {"uidNumber": 2**32},
    "no GID": {"gidNumber": ""},
    "root's group": {"gidNumber": "0"},
    "no home": {"homeDirectory": None},
    "the machine as a home": {"homeDirectory": "/"},
    "a home elsewhere": {"homeDirectory": "/etc"},
    "a home out of the homes": {"homeDirectory": "/home/../etc"},
    "a home with a line end": {"homeDirectory": "/home/alice\n/etc"},
    "a home relative to somewhere": {"homeDirectory": "home/alice"},
    "a group without a number": {"posixGroups": ["p2021"]},
    "a group without a name": {"posixGroups": [":30001"]},
    "groups in a number": {"posixGroups": 30001},
    "a group that is a list": {"posixGroups": [["p2021", 30001]]},
}


@pytest.mark.parametrize("claims", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_claims_that_cannot_be_used_refuse_the_start(claims: dict[str, Any]) -> None:
    with pytest.raises(AccountProblem) as refusal:
        await resolve({**CLAIMS, **claims})
    said = f"{refusal.value} {refusal.value.detail}"
    assert not any(number in said for number in ("2000", "999", "3000", "42949"))


@pytest.mark.parametrize(
    "issuer", ["https://other.example", f"{ISSUER}/", ISSUER.replace("https", "http"), ""]
)
async def test_another_issuers_claims_are_not_believed(issuer: str) -> None:
    with pytest.raises(AccountProblem, match="no account at this facility"):
        await resolve(CLAIMS, issuer)


@pytest.mark.parametrize("issuer", ["", "http://sso.example", "sso.example"])
def test_claims_without_a_named_issuer_stop_the_hubs_start(issuer: str) -> None:
    config = Config(
        {"DaasAuthenticator": {"account_source": "claims"}, "ClaimAccounts": {"issuer": issuer}}
    )
    with pytest.raises(TraitError, match=r"ClaimAccounts\.issuer"):
        DaasAuthenticator(config=config)


class Hub(Configurable):
    """As much of the hub as the authenticator asks for: what is kept of a person's login."""

    state: dict[str, Any] | None = None

    @property
    def users(self) -> dict[str, "Hub"]:
        return {"alice": self}

    async def get_auth_state(self) -> dict[str, Any] | None:
        return self.state


def authenticator(provider: LyingProvider, **login: Any) -> DaasAuthenticator:
    """Return one whose hub knows alice's *login*."""
    hub = Hub()
    hub.config.DaasAuthenticator.account_source = "claims"
    hub.config.DaasAuthenticator.issuer = provider.issuer
    hub.config.ClaimAccounts.issuer = provider.issuer
    hub.state = {"issuer": provider.issuer, "sub": "a1", "access_token": "good", **login}
    return DaasAuthenticator(parent=hub)


async def test_the_provider_is_asked_anew_with_the_persons_own_token(
    provider: LyingProvider,
) -> None:
    ours = authenticator(provider)
    provider.userinfo = dict(CLAIMS)
    assert (await ours.resolve_account(Person("alice"), ())).uid == 20001
    provider.userinfo["uidNumber"] = 20002
    assert (await ours.resolve_account(Person("alice"), ())).uid == 20002
    assert provider.asked.count("userinfo") == 2


LOGINS: dict[str, tuple[dict[str, Any], type[DaasError]]] = {
    "another subject": ({"sub": "somebody-else"}, LoginFailed),
    "another issuer's login": ({"issuer": "https://other.example"}, LoginFailed),
    "no token": ({"access_token": ""}, LoginFailed),
    "a token that is not accepted": ({"access_token": "spent"}, LoginFailed),
}


@pytest.mark.parametrize(("login", "error"), LOGINS.values(), ids=LOGINS.keys())
async def test_a_login_that_is_not_good_gives_no_account(
    provider: LyingProvider, login: dict[str, Any], error: type[DaasError]
) -> None:
    provider.userinfo = dict(CLAIMS)
    provider.expired.add("spent")
    with pytest.raises(error):
        await authenticator(provider, **login).resolve_account(Person("alice"), ())


async def test_somebody_who_never_signed_in_has_no_account(provider: LyingProvider) -> None:
    provider.userinfo = dict(CLAIMS)
    with pytest.raises(LoginFailed):
        await authenticator(provider).resolve_account(Person("bob"), ())


async def test_a_provider_that_is_down_refuses_the_start(provider: LyingProvider) -> None:
    provider.status["userinfo"] = 503
    with pytest.raises(ProviderUnavailable):
        await authenticator(provider).resolve_account(Person("alice"), ())
