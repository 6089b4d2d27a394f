"""Accounts from a real LDAP server: found, refused, and never waited for."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
from traitlets import TraitError

from daas_authenticator.accounts.checks import AccountRules
from daas_authenticator.accounts.ldap import LdapAccounts
from daas_authenticator.accounts.lookup import PersonalAccounts, resolve_account
from daas_model.errors import AccountProblem
from daas_model.people import Account, Person
from tests.conftest import short_folder

from .slapd import BASE, READER, READERS_PASSWORD, Slapd, group, person

BY_ENTRY = {"by-entry": 30002, "by-entry-too": 30004}
RULES = AccountRules(min_uid=1000, min_group_gid=1000, timeout_seconds=8)


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with short_folder() as folder:
        server = Slapd(folder)
        try:
            yield server.start(
                person("alice", 20001, 30000, "/home/alice"),
                person("Carol", 20003, 30000, "/home/carol"),
                person("system1", 999, 30000, "/home/system1"),
                person("rooted", 20004, 0, "/home/rooted"),
                person("toor", 0, 0, "/root"),
                person("twin1", 20005, 30000, "/home/twin1"),
                person("twin2", 20005, 30000, "/home/twin2"),
                person("minus1", 4294967295, 30000, "/home/minus1"),
                person("nowhere", 20006, 30000, "/"),
                person("alias", 20007, 30000, "/home/alias") + "uid: other\n",
                group("scientists", 30000),
                group("by-name", 30001, "alice", "bob"),
                group("by-entry", 30002, "alice", by_entry=True),
                group("by-entry-too", 30004, "alice", "alias", by_entry=True),
                group("not-hers", 30003, "bob"),
                group("docker", 998, "alice"),
            )
        finally:
            server.stop()


def accounts(slapd: Slapd, **settings: Any) -> LdapAccounts:
    """Return the directory as an operator would set it up, with *settings* that differ."""
    return LdapAccounts(
        **{
            "servers": [slapd.tls],
            "ca_file": str(slapd.ca_file),
            "bind_dn": READER,
            "password_file": str(slapd.password_file),
            "people_base": f"ou=people,{BASE}",
            "groups_base": f"ou=groups,{BASE}",
            "timeout_seconds": 2,
            **settings,
        }
    )


async def resolve(name: str, directory: LdapAccounts) -> Account:
    return await resolve_account(Person(name), (), PersonalAccounts(directory), RULES)


WAYS = {
    "TLS": lambda slapd: {"servers": [slapd.tls]},
    "STARTTLS": lambda slapd: {"servers": [slapd.plain]},
    "a socket of this machine": lambda slapd: {"servers": [slapd.local], "ca_file": ""},
    "plain on this machine": lambda slapd: {
        "servers": [slapd.plain],
        "starttls": False,
        "ca_file": "",
    },
    "the second server": lambda slapd: {"servers": ["ldaps://localhost:1", slapd.tls]},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_an_account_is_found_with_its_groups_by_every_way(slapd: Slapd, way: Any) -> None:
    account = await resolve("alice", accounts(slapd, **way(slapd)))
    assert (account.name, account.uid, account.gid) == ("alice", 20001, 30000)
    assert account.home == PurePosixPath("/home/alice")
    assert account.groups == {"scientists": 30000, "by-name": 30001, **BY_ENTRY}


async def test_groups_are_found_by_what_the_account_itself_names(slapd: Slapd) -> None:
    account = await resolve("alice", accounts(slapd, membership="memberOf"))
    assert account.groups == BY_ENTRY


async def test_another_schema_is_a_matter_of_filters_and_attribute_names(slapd: Slapd) -> None:
    directory = accounts(
        slapd,
        people_filter="(&(objectClass=person)(cn={name}))",
        groups_filter="(memberUid={name})",
        attributes={"name": "cn", "group_name": "CN"},
    )
    assert (await resolve("alice", directory)).groups == {"by-name": 30001}


REFUSED = {
    "missing": ("nobody-here", "no account called"),
    "root by another name": ("toor", "system account"),
    "below min_uid": ("system1", "system account"),
    "group 0": ("rooted", "system account"),
    "shares its UID": ("twin1", "shares its number"),
    "the number that leaves root as it is": ("minus1", "system account|cannot be read"),
    "the machine as a home": ("nowhere", "no usable home"),
    "another case": ("carol", "shares its number"),
    "a second name": ("other", "cannot be read"),
}


@pytest.mark.parametrize(("name", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_an_account_that_cannot_be_used_refuses_the_start(
    slapd: Slapd, name: str, words: str
) -> None:
    with pytest.raises(AccountProblem, match=words) as refusal:
        await resolve(name, accounts(slapd))
    said = f"{refusal.value} {refusal.value.detail}"
    assert not any(number in said for number in ("2000", "999", "30000", READERS_PASSWORD))


@pytest.mark.parametrize("name", ["*", "alice)(uid=*", "ali*", "alice\0", "*)(objectClass=*"])
async def test_a_name_cannot_add_to_the_filter(slapd: Slapd, name: str) -> None:
    with pytest.raises(AccountProblem, match="no account called"):
        await resolve(name, accounts(slapd))


@pytest.mark.parametrize("membership", ["search", "memberOf"])
async def test_too_many_groups_are_said_and_not_cut_off(slapd: Slapd, membership: str) -> None:
    directory = accounts(slapd, most_groups=1, membership=membership)
    with pytest.raises(AccountProblem, match="cannot be read") as refusal:
        await resolve("alice", directory)
    assert "more" in refusal.value.detail


FAULTS = {
    "an authority that it does not know": ({"ca_file": ""}, "certificate is not trusted"),
    "a certificate of another name": ({"servers": ["ldaps://127.0.0.1:{tls}"]}, "not trusted"),
    "STARTTLS with another's certificate": ({"servers": ["ldap://127.0.0.1:{port}"]}, "trusted"),
    "TLS on a port that speaks none": ({"servers": ["ldaps://localhost:{port}"]}, "LDAP"),
    "a wrong password": ({"bind_dn": f"cn=nobody,{BASE}"}, "does not accept bind_dn"),
    "nobody who may read": ({"bind_dn": ""}, "LDAPNoSuchObject|LDAPInsufficient"),
    "a base that is not there": ({"people_base": f"ou=nowhere,{BASE}"}, "LDAPNoSuchObject"),
    "an empty password": ({"password_file": "/dev/null"}, "password file is empty"),
    "a password file that is gone": (
        {"password_file": "/nowhere"},
        "password_file cannot be used: No such file",
    ),
    "an authority file that is gone": (
        {"ca_file": "/nowhere"},
        "ca_file cannot be used: No such file",
    ),
    "an authority file of something else": ({"ca_file": "/etc/passwd"}, "ca_file cannot be used"),
}


@pytest.mark.parametrize(("settings", "detail"), FAULTS.values(), ids=FAULTS.keys())
async def test_what_is_wrong_is_said_to_the_operator_and_not_to_the_person(
    slapd: Slapd, settings: dict[str, Any], detail: str
) -> None:
    if "servers" in settings:
        ports = {"port": slapd.port, "tls": slapd.tls_port}
        settings = {"servers": [url.format(**ports) for url in settings["servers"]]}
    with pytest.raises(AccountProblem, match="directory of accounts") as refusal:
        await resolve("alice", accounts(slapd, **settings))
    assert re.search(detail, refusal.value.detail), refusal.value.detail
    assert "LDAP" not in str(refusal.value)
    assert READERS_PASSWORD not in refusal.value.detail


async def test_a_server_that_died_is_said_within_seconds() -> None:
    with short_folder() as folder:
        server = Slapd(folder)
        try:
            server.start(person("alice", 20001, 30000, "/home/alice"))
            directory = accounts(server)
            assert (await resolve("alice", directory)).uid == 20001
            server.stop()
            begun = time.monotonic()
            with pytest.raises(AccountProblem, match="does not answer"):
                await resolve("alice", directory)
            assert time.monotonic() - begun < 2
        finally:
            server.stop()


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
async def test_a_server_that_takes_the_call_and_says_nothing_does_not_hold_the_hub(
    scheme: str, slapd: Slapd
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://localhost:{silent.getsockname()[1]}"
        directory = accounts(slapd, servers=[url], timeout_seconds=1)
        begun = time.monotonic()
        lookup = asyncio.ensure_future(resolve("alice", directory))
        longest = 0.0
        while not lookup.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        with pytest.raises(AccountProblem, match="does not answer"):
            await lookup
        assert time.monotonic() - begun < 5
        assert longest < 0.5


WRONG = {
    "no server": {"servers": []},
    "http": {"servers": ["http://ldap.facility.example"]},
    "a password in the address": {"servers": ["ldap://cn=root:pw@ldap.facility.example"]},
    "plain over the network": {"servers": ["ldap://ldap.facility.example"], "starttls": False},
    "a name without a password": {"password_file": ""},
    "a filter without the name": {"people_filter": "(objectClass=posixAccount)"},
    "a filter with another word": {"people_filter": "(uid={name.__class__})"},
    "a filter without brackets": {"people_filter": "uid={name}"},
    "an unknown attribute key": {"attributes": {"uidNumber": "uid"}},
}


@pytest.mark.parametrize("settings", WRONG.values(), ids=WRONG.keys())
def test_settings_that_cannot_work_are_refused_when_the_hub_starts(
    slapd: Slapd, settings: dict[str, Any]
) -> None:
    with pytest.raises(TraitError, match="LdapAccounts"):
        accounts(slapd, **settings)
