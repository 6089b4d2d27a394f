"""Accounts from the machine's name service, which is another one here: Debian's libnss-wrapper.

It makes the C library read files of the test instead of the machine's /etc. It has to be there
when a process starts, so the look-ups have a process of their own.
"""

import ctypes.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("nss_wrapper") is None, reason="libnss-wrapper is not installed"
)

PASSWD = """root:x:0:0:root:/root:/bin/bash
alice:x:20001:30000:Alice:/home/alice:/bin/bash
Carol:x:20003:30000::/home/Carol:/bin/bash
system1:x:999:30000::/home/system1:/bin/bash
toor:x:0:30000::/home/toor:/bin/bash
twin1:x:20005:30000::/home/twin1:/bin/bash
twin2:x:20005:30000::/home/twin2:/bin/bash
rooted:x:20006:0::/home/rooted:/bin/bash
minus1:x:4294967295:30000::/home/minus1:/bin/bash
loner:x:20007:39999::/home/loner:/bin/bash
"""
GROUP = """root:x:0:
scientists:x:30000:
p2021:x:30001:bob,alice
theirs:x:30002:bob
docker:x:998:alice
"""
NAMES = ("alice", "loner", "nobody-here", "carol", "root", "toor", "system1")
NAMES += ("twin2", "rooted", "minus1")
ASK = """
import asyncio, json, sys
from daas_authenticator.authenticator import DaasAuthenticator
from daas_model.errors import AccountProblem
from daas_model.people import Person
for name in sys.argv[1:]:
    try:
        account = asyncio.run(DaasAuthenticator().resolve_account(Person(name), ()))
        print(json.dumps([account.uid, account.gid, dict(account.groups), str(account.home)]))
    except AccountProblem as problem:
        print(json.dumps(str(problem)))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the stock settings find for each of `NAMES` where `/etc` says what we want."""
    folder = tmp_path_factory.mktemp("etc")
    (folder / "passwd").write_text(PASSWD)
    (folder / "group").write_text(GROUP)
    wrapped = {
        "LD_PRELOAD": "libnss_wrapper.so",
        "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
        "NSS_WRAPPER_GROUP": str(folder / "group"),
        "PYTHONPATH": str(REPOSITORY),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK, *NAMES],
        env={**os.environ, **wrapped},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(NAMES, map(json.loads, done.stdout.splitlines()), strict=True))


def test_an_account_comes_with_its_groups_but_without_the_machines(found: dict[str, Any]) -> None:
    groups = {"scientists": 30000, "p2021": 30001}
    assert found["alice"] == [20001, 30000, groups, "/home/alice"]


def test_a_first_group_without_a_name_needs_none(found: dict[str, Any]) -> None:
    assert found["loner"] == [20007, 39999, {}, "/home/loner"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("nobody-here", "no account called", id="missing"),
        pytest.param("carol", "no account called", id="another case"),
        pytest.param("root", "system account", id="root"),
        pytest.param("toor", "shares its number", id="root by another name"),
        pytest.param("system1", "system account", id="below min_uid"),
        pytest.param("twin2", "shares its number", id="shares its UID"),
        pytest.param("rooted", "system account", id="group 0"),
        pytest.param("minus1", "account", id="the number that leaves root as it is"),
    ],
)
def test_an_account_that_cannot_be_used_refuses_the_start(
    found: dict[str, Any], name: str, words: str
) -> None:
    said = found[name]
    assert isinstance(said, str)
    assert words in said
    assert "DAAS-ACCOUNT" in said
