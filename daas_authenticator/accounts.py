"""From a person to the local account she works as: UID, GID, groups, home.

The spawner asks at each start, through `DaasAuthenticator.resolve_account`. Nothing is cached
or stored, and there is no default: a look-up that fails refuses the start.
"""

import asyncio
import grp
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from daas_model.errors import AccountProblem
from daas_model.people import Account, Person
from daas_model.proposals import Proposal


class Directory(Protocol):
    """Where local accounts are known. Each look-up may block; `KeyError` means unknown."""

    def account(self, name: str) -> Account:
        """Return the account called *name*."""
        ...

    def name_of(self, uid: int) -> str:
        """Return the name that owns *uid*."""
        ...


class NssDirectory:
    """The accounts of this machine, from its name service (LDAP, SSSD, files)."""

    def account(self, name: str) -> Account:
        """Return the account called *name*."""
        entry = pwd.getpwnam(name)
        groups: dict[str, int] = {}
        for gid in os.getgrouplist(name, entry.pw_gid):
            if gid != entry.pw_gid:
                groups[_nss_group(gid)] = gid
        home = PurePosixPath(entry.pw_dir)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, home)

    def name_of(self, uid: int) -> str:
        """Return the name that owns *uid*."""
        return pwd.getpwuid(uid).pw_name


class FilesDirectory:
    """Accounts in files `passwd` and `group` of *folder*, in the format of passwd(5), group(5).

    For the demo and for trainings, where nobody is added to the machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def account(self, name: str) -> Account:
        """Return the account called *name*."""
        fields = next((f for f in self._lines("passwd", 7) if f[0] == name), None)
        if fields is None:
            raise KeyError("no such name")
        gid = int(fields[3])
        groups = {
            group[0]: int(group[2])
            for group in self._lines("group", 4)
            if name in group[3].split(",") and int(group[2]) != gid
        }
        return Account(name, int(fields[2]), gid, groups, PurePosixPath(fields[5]))

    def name_of(self, uid: int) -> str:
        """Return the name that owns *uid*: the first, as the C library does."""
        for fields in self._lines("passwd", 7):
            if int(fields[2]) == uid:
                return fields[0]
        raise KeyError("no such UID")

    def _lines(self, file: str, fields: int) -> list[list[str]]:
        lines = [
            line.split(":")
            for line in (self._folder / file).read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")
        ]
        if any(len(line) != fields for line in lines):
            raise ValueError(f"a line of the file {file} has not {fields} fields")
        return lines


SOURCES: Mapping[str, Callable[[Path], Directory]] = {
    "nss": lambda _folder: NssDirectory(),
    "files": FilesDirectory,
}


@dataclass(frozen=True, slots=True)
class AccountRules:
    """Which accounts may run a session."""

    min_uid: int
    min_group_gid: int
    timeout_seconds: float


async def resolve_account(
    person: Person, proposals: Iterable[Proposal], directory: Directory, rules: AccountRules
) -> Account:
    """Return the account that *person* works as.

    *proposals* do not matter to these directories; a facility with one account per proposal
    has one that looks at them. Raises `AccountProblem`.
    """
    del proposals
    try:
        async with asyncio.timeout(rules.timeout_seconds):
            # A name service may ask the network: the hub must go on answering meanwhile.
            return await asyncio.to_thread(_checked_account, person.name, directory, rules)
    except TimeoutError:
        raise AccountProblem(
            "The facility's directory of accounts does not answer.",
            "Try again in a few minutes. Your data is not affected.",
            detail=f"no answer within {rules.timeout_seconds:g} s",
        ) from None
    except KeyError:
        raise AccountProblem(
            f"There is no account called {person.name} at this facility.",
            detail="the directory does not know the name",
        ) from None
    except (OSError, ValueError) as error:
        raise AccountProblem(
            "The facility's directory of accounts cannot be read.",
            "Your data is not affected. Tell your facility's support the code.",
            detail=type(error).__name__,
        ) from None


def _checked_account(name: str, directory: Directory, rules: AccountRules) -> Account:
    account = directory.account(name)
    # A directory that ignores case or follows aliases would hand out another person's files.
    if account.name != name or directory.name_of(account.uid) != name:
        raise AccountProblem(
            f"The account {name} shares its number with another account.",
            detail="name to UID and back gives another name",
        )
    if account.uid < max(rules.min_uid, 1) or account.gid < 1:
        raise AccountProblem(
            f"The account {name} is a system account and cannot run sessions.",
            detail="UID below min_uid, or GID 0",
        )
    if not account.home.is_absolute() or ".." in account.home.parts:
        raise AccountProblem(f"The account {name} has no usable home folder.")
    # Groups of the machine (disk, docker, sudo) are rights over it, not over data.
    groups = {n: gid for n, gid in account.groups.items() if gid >= max(rules.min_group_gid, 1)}
    return Account(account.name, account.uid, account.gid, groups, account.home)


def _nss_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)  # a file server may know a number that has no name here
