"""Accounts: no default, no root, no system account, and no waiting for ever."""

import asyncio
import getpass
import os
import pwd
import time
from pathlib import Path, PurePosixPath

import pytest

from daas_authenticator.accounts import (
    AccountRules,
    Directory,
    FilesDirectory,
    NssDirectory,
    resolve_account,
)
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
"""
GROUP = """alice:x:20001:
p2021:x:30001:bob,alice
docker:x:998:alice
rootish:x:0:alice
"""


@pytest.fixture
def files(tmp_path: Path) -> FilesDirectory:
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "group").write_text(GROUP)
    return FilesDirectory(tmp_path)


async def test_an_account_comes_with_its_groups_but_without_the_machines(
    files: FilesDirectory,
) -> None:
    account = await resolve_account(Person("alice"), (), files, RULES)
    assert (account.uid, account.gid) == (20001, 20001)
    assert account.groups == {"p2021": 30001}
    assert account.home == PurePosixPath("/home/alice")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("nobody-here", "no account called", id="missing"),
        pytest.param("root", "system account", id="root"),
        pytest.param("toor", "shares its number", id="another name of root"),
        pytest.param("daemon1", "system account", id="below min_uid"),
        pytest.param("wheel0", "system account", id="group 0"),
        pytest.param("twin2", "shares its number", id="shares its UID"),
        pytest.param("nohome", "no usable home", id="no home"),
        pytest.param("dots", "no usable home", id="dots in the home"),
    ],
)
async def test_an_account_that_cannot_be_used_refuses_the_start(
    files: FilesDirectory, name: str, words: str
) -> None:
    with pytest.raises(AccountProblem, match=words) as refusal:
        await resolve_account(Person(name), (), files, RULES)
    assert not any(digit in str(refusal.value) for digit in ("2000", "999"))


async def test_root_stays_refused_however_low_the_floor_is_set(files: FilesDirectory) -> None:
    rules = AccountRules(min_uid=0, min_group_gid=0, timeout_seconds=5)
    with pytest.raises(AccountProblem, match="system account"):
        await resolve_account(Person("root"), (), files, rules)
    account = await resolve_account(Person("alice"), (), files, rules)
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
        await resolve_account(Person("alice"), (), FilesDirectory(tmp_path), RULES)


async def test_the_machines_own_accounts_are_found_and_come_back_to_the_same_name() -> None:
    name, entry = getpass.getuser(), pwd.getpwuid(os.getuid())
    account = NssDirectory().account(name)
    assert (account.uid, account.gid) == (entry.pw_uid, entry.pw_gid)
    assert NssDirectory().name_of(account.uid) == name


async def test_root_of_this_machine_is_refused() -> None:
    with pytest.raises(AccountProblem, match="system account"):
        await resolve_account(Person("root"), (), NssDirectory(), RULES)


class SlowDirectory:
    """A name service that hangs; the standard library gives no way to interrupt one."""

    def account(self, name: str) -> Account:
        time.sleep(0.5)
        raise KeyError(name)

    def name_of(self, uid: int) -> str:
        raise KeyError(uid)


async def test_a_directory_that_hangs_is_given_up_and_does_not_hold_the_hub() -> None:
    slow: Directory = SlowDirectory()
    rules = AccountRules(min_uid=1000, min_group_gid=1000, timeout_seconds=0.1)
    begun = time.monotonic()
    task = asyncio.ensure_future(resolve_account(Person("alice"), (), slow, rules))
    await asyncio.sleep(0)
    assert time.monotonic() - begun < 0.1
    with pytest.raises(AccountProblem, match="does not answer"):
        await task
    assert time.monotonic() - begun < 0.4
