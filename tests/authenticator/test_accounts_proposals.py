"""One account per proposal: which one, and exactly one."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from daas_authenticator.authenticator import DaasAuthenticator
from daas_model.errors import AccountProblem
from daas_model.people import Account, Person
from daas_model.proposals import Proposal, Storage
from tests.conftest import short_folder

from .slapd import BASE, READER, Slapd, group, person

PASSWD = """alice:x:20001:20001::/home/alice:/bin/bash
u2021001:x:50001:50001::/home/u2021001:/bin/bash
u2021002:x:50002:50002::/home/u2021002:/bin/bash
u2021003:x:0:50003::/home/u2021003:/bin/bash
backup:x:50004:50004::/home/backup:/bin/bash
"""
GROUP = "p2021001:x:50001:\np2021002:x:50002:\n"
NOWHERE = PurePosixPath("/nowhere")
HC_1 = Proposal(
    *("HC-1", "title", "abstract", "B01", ()),
    *("alice", frozenset(), frozenset(), frozenset(), Storage(NOWHERE, NOWHERE)),
)


def proposal(id_: str) -> Proposal:
    return dataclasses.replace(HC_1, id=id_)


async def resolve(folder: Path, *proposals: str, **settings: Any) -> Account:
    """Return the account of a session with *proposals*, from files in *folder*."""
    (folder / "passwd").write_text(PASSWD)
    (folder / "group").write_text(GROUP)
    own = {"account_source": "proposals", "directory_folder": str(folder)}
    accounts = {"directory": "files", **settings}
    config = Config({"DaasAuthenticator": own, "ProposalAccounts": accounts})
    authenticator = DaasAuthenticator(config=config)
    return await authenticator.resolve_account(
        Person("alice"), tuple(proposal(id_) for id_ in proposals)
    )


async def test_a_session_works_as_the_account_of_its_proposal(tmp_path: Path) -> None:
    account = await resolve(tmp_path, "2021001")
    assert (account.name, account.uid, account.gid) == ("u2021001", 50001, 50001)
    assert account.home == PurePosixPath("/home/u2021001")
    assert account.groups == {"p2021001": 50001}


@pytest.mark.parametrize("proposals", [(), ("2021001", "2021002")], ids=["none", "two"])
async def test_a_session_opens_exactly_one_proposal_and_is_told_why(
    tmp_path: Path, proposals: tuple[str, ...]
) -> None:
    with pytest.raises(AccountProblem) as refusal:
        await resolve(tmp_path, *proposals)
    assert "Each proposal has an account of its own here" in str(refusal.value)
    assert "exactly one proposal" in str(refusal.value)


REFUSED = {
    "an account that is missing": ("2021009", "no account called u2021009"),
    "root": ("2021003", "system account"),
    "what is no name": ("HC 1/../x", "cannot be used here"),
    "capital letters": ("HC-1", "cannot be used here"),
}


@pytest.mark.parametrize(("id_", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_an_account_that_cannot_be_used_refuses_the_start(
    tmp_path: Path, id_: str, words: str
) -> None:
    with pytest.raises(AccountProblem, match=words):
        await resolve(tmp_path, id_)


async def test_a_reserved_name_is_nobodys_proposal(tmp_path: Path) -> None:
    with pytest.raises(AccountProblem, match="cannot be used here"):
        await resolve(tmp_path, "backup", pattern="{proposal}")


async def test_a_file_may_name_the_accounts(tmp_path: Path) -> None:
    file = tmp_path / "map"
    file.write_text("# proposal  account\nHC-1  u2021001  # since May\n\nHC-2\tu2021002\n")
    names = [
        (await resolve(tmp_path, id_, map="file", map_file=str(file))).name
        for id_ in ("HC-1", "HC-2")
    ]
    assert names == ["u2021001", "u2021002"]
    with pytest.raises(AccountProblem, match="HC-3 has no account"):
        await resolve(tmp_path, "HC-3", map="file", map_file=str(file))


MAPS = {
    "one word": "HC-1",
    "three words": "HC-1 u2021001 u2021002",
    "one proposal twice": "HC-1 u2021001\nHC-1 u2021002",
    "one account for two proposals": "HC-1 u2021001\nHC-2 u2021001",
    "no file": None,
}


@pytest.mark.parametrize("text", MAPS.values(), ids=MAPS.keys())
async def test_a_map_that_makes_no_sense_refuses_the_start(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "map"
    if text is not None:
        file.write_text(text)
    with pytest.raises(AccountProblem, match="cannot be read"):
        await resolve(tmp_path, "HC-1", map="file", map_file=str(file))


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with short_folder() as folder:
        server = Slapd(folder)
        try:
            yield server.start(
                person("u2021001", 50001, 50001, "/home/u2021001", employeeNumber="HC-1"),
                person("u2021002", 50002, 50002, "/home/u2021002", employeeNumber="HC-2"),
                person("u2021003", 50003, 50003, "/home/u2021003", employeeNumber="HC-2"),
                group("p2021001", 50001),
            )
        finally:
            server.stop()


async def in_ldap(slapd: Slapd, id_: str) -> Account:
    ldap = {
        "servers": [slapd.tls],
        "ca_file": str(slapd.ca_file),
        "bind_dn": READER,
        "password_file": str(slapd.password_file),
        "people_base": f"ou=people,{BASE}",
        "groups_base": f"ou=groups,{BASE}",
    }
    config = Config(
        {
            "DaasAuthenticator": {"account_source": "proposals"},
            "ProposalAccounts": {"directory": "ldap", "map": "ldap"},
            "LdapAccounts": ldap,
        }
    )
    return await DaasAuthenticator(config=config).resolve_account(Person("alice"), (proposal(id_),))


async def test_the_directory_may_name_the_accounts(slapd: Slapd) -> None:
    account = await in_ldap(slapd, "HC-1")
    assert (account.name, account.uid) == ("u2021001", 50001)
    assert account.groups == {"p2021001": 50001}


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        pytest.param("HC-9", "HC-9 has no account", id="unknown"),
        pytest.param("HC-2", "cannot be read", id="two accounts"),
        pytest.param("*", "has no account", id="any"),
        pytest.param("x)(uid=u2021001", "has no account", id="more of a filter"),
    ],
)
async def test_a_proposal_that_the_directory_does_not_tell_refuses_the_start(
    slapd: Slapd, id_: str, words: str
) -> None:
    with pytest.raises(AccountProblem, match=words):
        await in_ldap(slapd, id_)


WRONG = {
    "a pattern without the proposal": {"pattern": "shared"},
    "a pattern with something else": {"pattern": "u{proposal}{person}"},
    "a pattern of more than a name": {"pattern": "{proposal}/x"},
    "a map without its file": {"map": "file"},
    "a map in LDAP beside other accounts": {"map": "ldap", "directory": "nss"},
    "a filter without the proposal": {"ldap_filter": "(uid=alice)"},
}


@pytest.mark.parametrize("settings", WRONG.values(), ids=WRONG.keys())
def test_settings_that_cannot_work_are_refused_when_the_hub_starts(
    settings: dict[str, Any],
) -> None:
    config = Config(
        {"DaasAuthenticator": {"account_source": "proposals"}, "ProposalAccounts": settings}
    )
    with pytest.raises(TraitError, match="ProposalAccounts"):
        DaasAuthenticator(config=config)
