"""What every account must pass, whoever named its numbers. Pure; called by `lookup`.

A source may be mistaken or lie: a session with a wrong UID opens somebody else's files, and one
with UID 0 opens the machine.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from daas_model.errors import AccountProblem
from daas_model.people import Account

#: The largest number that is one. The next, -1 to the kernel, means "leave it as it is": a
#: process of root that is given it stays root.
HIGHEST_NUMBER = 2**32 - 2
#: Whom file servers take for everybody they do not know.
NOBODY = 65534

# What cannot stand in a line of group(5): a name must not become a second line.
_GROUP_NAME = re.compile(r"[^\x00-\x20:,\x7f][^\x00-\x1f:,\x7f]{0,254}")


@dataclass(frozen=True, slots=True)
class AccountRules:
    """Which accounts may run a session. Homes lie below one of *home_roots*."""

    min_uid: int
    min_group_gid: int
    timeout_seconds: float
    home_roots: tuple[PurePosixPath, ...] = (PurePosixPath("/home"),)


def checked(account: Account, rules: AccountRules) -> Account:
    """Return *account* without the machine's own groups. Raises `AccountProblem`."""
    least = max(rules.min_uid, 1)
    if not (_is_number(account.uid, least) and _is_number(account.gid, 1)):
        raise AccountProblem(
            f"The account {account.name} is a system account and cannot run sessions.",
            detail="UID below min_uid, or UID or GID that belongs to root, nobody or nothing",
        )
    if not _is_home(account.home, rules.home_roots):
        raise AccountProblem(
            f"The account {account.name} has no usable home folder.",
            detail="home is no folder below DaasAuthenticator.home_roots",
        )
    groups = _groups(account.groups, max(rules.min_group_gid, 1))
    return Account(account.name, account.uid, account.gid, groups, account.home)


def _is_number(number: int, least: int) -> bool:
    return least <= number <= HIGHEST_NUMBER and number != NOBODY


def _is_home(home: PurePosixPath, roots: tuple[PurePosixPath, ...]) -> bool:
    if not str(home).isprintable() or ".." in home.parts:
        return False
    return any(root != home and home.is_relative_to(root) for root in roots)


def _groups(groups: Mapping[str, int], least: int) -> dict[str, int]:
    """Groups of the machine (disk, docker, sudo) are rights over it, not over data."""
    return {
        name if _GROUP_NAME.fullmatch(name) else str(gid): gid
        for name, gid in groups.items()
        if _is_number(gid, least)
    }
