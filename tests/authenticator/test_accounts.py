"""Accounts: no default, no root, no system account, and no waiting for ever."""

import asyncio
import getpass
import os
import pwd
import time
from pathlib import Path, PurePosixPath

import pytest
from traitlets import TraitError

from daas_authenticator.accounts.checks import AccountRules
from daas_authenticator.accounts.files import FilesDirectory
from daas_authenticator.accounts.lookup import Directory, PersonalAccounts, resolve_account
from daas_authenticator.accounts.nss import NssDirectory
from daas_authenticator.authenticator import DaasAuthenticator
from daas_model.errors import AccountProblem
from daas_model.people import Account, Person

RULES = AccountRules(min_uid=1000, min_group_gid=1000, timeout_seconds=5)
PASSWD = """# fictitious
alice:x:20001:20001:Alice:/home/alice:/bin/bash
root:x:0:0:root:/root:/bin/bash
toor:x:0:20001:root again:/root:/bin/bash
daemon1:x:999:999::/var:/bin/false
wheel0:x:20003:0::/home/wheel0:/bin/bash
twin1:x:20005:20005::/home/twin1:/bin/bash
twin2:x:20005:20005::/home/twin2:/bin/bash
nohome:x:20006:20006:::/bin/bash
dots:x:20007:20007::/home/../etc:/bin/bash
allhomes:x:20008:20008::/home:/bin/bash
machine:x:20009:20009::/:/bin/bash
elsewhere:x:20010:20010::/etc:/bin/bash
minus1:x:4294967295:20011::/home/minus1:/bin/bash
minus1g:x:20012:4294967295::/home/minus1g:/bin/bash
below0:x:-5:20013::/home/below0:/bin/bash
nobody2:x:65534:65534::/home/nobody2:/bin/bash
unnamed:x:20014:29999::/home/unnamed:/bin/bash
"""
GROUP = """alice:x:20001:
p2021:x:30001:bob,alice
docker:x:998:alice
rootish:x:0:alice
minus:x:4294967295:alice
evil,group:x:30002:alice
"""


@pytest.fixture
def files(tmp_path: Path) -> FilesDirectory:
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "group").write_text(GROUP)
    return FilesDirectory(tmp_path)


async def resolve(name: str, directory: Directory, rules: AccountRules = RULES) -> Account:
    return await resolve_account(Person(name), (), PersonalAccounts(directory), rules)


async def test_an_account_comes_with_its_groups_but_without_the_machines(
    files: FilesDirectory,
) -> None:
    account = await resolve("alice", files)
    assert (account.uid, account.gid) == (20001, 20001)
    assert account.groups == {"alice": 20001, "p2021": 30001, "30002": 30002}
    assert account.home == PurePosixPath("/home/alice")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("nobody-here", "no account called", id="missing"),
        pytest.param("root", "shares its number", id="root under two names"),
        pytest.param("toor", "shares its number", id="another name of root"),
        pytest.param("daemon1", "system account", id="below min_uid"),
        pytest.param("wheel0", "system account", id="group 0"),
        pytest.param("twin1", "shares its number", id="shares its UID"),
        pytest.param("twin2", "shares its number", id="shares its UID, the later"),
        pytest.param("nohome", "no usable home", id="no home"),
        pytest.param("dots", "no usable home", id="dots in the home"),
        pytest.param("allhomes", "no usable home", id="everybody's homes"),
        pytest.param("machine", "no usable home", id="the machine as a home"),
        pytest.param("elsewhere", "no usable home", id="a home elsewhere"),
        pytest.param("minus1", "system account", id="the UID that leaves root as it is"),
        pytest.param("minus1g", "system account", id="the GID that leaves root's as it is"),
        pytest.param("below0", "system account", id="a UID below 0"),
        pytest.param("nobody2", "system account", id="nobody"),
    ],
)
async def test_an_account_that_cannot_be_used_refuses_the_start(
    files: FilesDirectory, name: str, words: str
) -> None:
    with pytest.raises(AccountProblem, match=words) as refusal:
        await resolve(name, files)
    assert not any(digit in str(refusal.value) for digit in ("2000", "999"))


async def test_a_first_group_without_a_name_needs_none(files: FilesDirectory) -> None:
    account = await resolve("unnamed", files)
    assert (account.gid, account.groups) == (29999, {})


async def test_root_stays_refused_however_low_the_floor_is_set(files: FilesDirectory) -> None:
    rules = AccountRules(min_uid=0, min_group_gid=0, timeout_seconds=5)
    with pytest.raises(AccountProblem, match="system account"):
        await resolve("root", NssDirectory(), rules)
    account = await resolve("alice", files, rules)
    assert 0 not in account.groups.values()


@pytest.mark.parametrize(
    "content", ["alice:x:1:1", "alice:x:one:20001:A:/home/alice:/bin/sh", None]
)
async def test_a_directory_that_makes_no_sense_refuses_the_start(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "passwd").write_text(content)
        (tmp_path / "group").write_text("")
    with pytest.raises(AccountProblem, match="cannot be read"):
        await resolve("alice", FilesDirectory(tmp_path))


async def test_the_machines_own_accounts_are_found_and_come_back_to_the_same_name() -> None:
    name, entry = getpass.getuser(), pwd.getpwuid(os.getuid())
    account = NssDirectory().account(name)
    assert (account.uid, account.gid) == (entry.pw_uid, entry.pw_gid)
    assert NssDirectory().names_of(account.uid) == {name}


async def test_root_of_this_machine_is_refused() -> None:
    with pytest.raises(AccountProblem, match="system account"):
        await resolve("root", NssDirectory())


class SlowDirectory:
    """A name service that hangs; the standard library gives no way to interrupt one."""

    def account(self, name: str) -> Account:
        time.sleep(0.5)
        raise KeyError(name)

    def names_of(self, uid: int) -> frozenset[str]:
        raise KeyError(uid)


async def test_a_directory_that_hangs_is_given_up_and_does_not_hold_the_hub() -> None:
    slow: Directory = SlowDirectory()
    rules = AccountRules(min_uid=1000, min_group_gid=1000, timeout_seconds=0.1)
    begun = time.monotonic()
    task = asyncio.ensure_future(resolve("alice", slow, rules))
    await asyncio.sleep(0)
    assert time.monotonic() - begun < 0.1
    with pytest.raises(AccountProblem, match="does not answer"):
        await task
    assert time.monotonic() - begun < 0.4


async def test_look_ups_that_hang_hold_up_nothing_but_look_ups() -> None:
    slow = SlowDirectory()
    rules = AccountRules(min_uid=1000, min_group_gid=1000, timeout_seconds=0.1)
    hanging = [asyncio.ensure_future(resolve("alice", slow, rules)) for _ in range(40)]
    begun = time.monotonic()
    await asyncio.to_thread(time.sleep, 0)  # what the hub does elsewhere
    assert time.monotonic() - begun < 0.3
    said = await asyncio.gather(*hanging, return_exceptions=True)
    assert all("does not answer" in str(refusal) for refusal in said)


@pytest.mark.parametrize("roots", [["home"], ["/"], ["//"], [""]])
def test_homes_may_not_lie_anywhere_at_all(roots: list[str]) -> None:
    with pytest.raises(TraitError, match="home_roots"):
        DaasAuthenticator(home_roots=roots)
