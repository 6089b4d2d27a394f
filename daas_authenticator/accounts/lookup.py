"""One way from a person to her account: ask the source, within a time limit, then check.

Called by `DaasAuthenticator.resolve_account`. What a source must do is the protocol
`AccountSource`; most are a `Directory`, which knows accounts by their names.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar, TypeVarTuple

from daas_authenticator.accounts.checks import AccountRules, checked
from daas_model.errors import AccountProblem
from daas_model.people import Account, Person
from daas_model.proposals import Proposal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Of their own: look-ups that hang, which nothing can interrupt, hold up other look-ups only.
_WORKERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="accounts")


class DirectoryFault(ValueError):
    """A directory's answer or its settings make no sense. The text is for the log: no number."""


class UnknownAccount(AccountProblem):
    """The directory answers, and has no account of that name."""


class Directory(Protocol):
    """Where local accounts are known by name. Each look-up may block.

    Raises `KeyError` for a name that is unknown, `ConnectionError` or `TimeoutError` when there
    is no answer, and `DirectoryFault` or `OSError` for one that cannot be used.
    """

    def account(self, name: str) -> Account:
        """Return the account called *name*, with all its groups that have a name."""
        ...

    def names_of(self, uid: int) -> frozenset[str]:
        """Return the names that own *uid*, as far as the directory tells them all."""
        ...


class AccountSource(Protocol):
    """Which account a person works as in a session with some proposals."""

    async def account_of(self, person: Person, proposals: tuple[Proposal, ...]) -> Account:
        """Return it as the source gives it, unchecked. Raises `DaasError`, or as `Directory`."""
        ...


class PersonalAccounts:
    """A source where everybody has an account of her own, of the same name, in a directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def account_of(self, person: Person, proposals: tuple[Proposal, ...]) -> Account:
        """Return the account called as *person*, whatever she opens."""
        del proposals
        return await off_the_loop(known_account, self._directory, person.name)


async def resolve_account(
    person: Person, proposals: tuple[Proposal, ...], source: AccountSource, rules: AccountRules
) -> Account:
    """Return the account that *person* works as in a session with *proposals*.

    Raises `AccountProblem`, and what else of `DaasError` the source raises.
    """
    try:
        async with asyncio.timeout(rules.timeout_seconds):
            account = await source.account_of(person, proposals)
    except (TimeoutError, ConnectionError) as error:
        raise AccountProblem(
            "The facility's directory of accounts does not answer.",
            "Try again in a few minutes. Your data is not affected.",
            detail=str(error) or f"no answer within {rules.timeout_seconds:g} s",
        ) from None
    except (OSError, ValueError) as error:
        raise AccountProblem(
            "The facility's directory of accounts cannot be read.",
            "Your data is not affected. Tell your facility's support the code.",
            detail=str(error) if isinstance(error, DirectoryFault) else type(error).__name__,
        ) from None
    return checked(account, rules)


def known_account(directory: Directory, name: str) -> Account:
    """Return the account *name* of *directory*. Blocks. Raises `AccountProblem`."""
    try:
        account = directory.account(name)
        names = directory.names_of(account.uid)
    except KeyError:
        raise UnknownAccount(
            f"There is no account called {name} at this facility.",
            detail="the directory does not know the name",
        ) from None
    # A directory that ignores case or follows aliases would hand out another person's files.
    if account.name != name or names != {name}:
        raise AccountProblem(
            f"The account {name} shares its number with another account.",
            detail="name to UID and back gives another name",
        )
    return account


async def off_the_loop(call: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return what *call* returns; the hub goes on answering meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(_WORKERS, call, *args)
