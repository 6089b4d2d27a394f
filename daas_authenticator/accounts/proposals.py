"""One account per proposal, shared by everybody who may open it (ALBA's `u2xxxxxx`).

Who may open the proposal is the catalogue's answer; here is only as whom. Such an account holds
the rights of its proposal alone, so a session opens exactly one.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from traitlets import Enum, TraitError, Unicode, validate
from traitlets.config import Configurable

from daas_authenticator.accounts.ldap_filters import checked_filter
from daas_authenticator.accounts.lookup import (
    Directory,
    DirectoryFault,
    known_account,
    off_the_loop,
)
from daas_model.errors import AccountProblem
from daas_model.launch import require_one_proposal
from daas_model.people import Account, Person
from daas_model.proposals import Proposal


@runtime_checkable
class FindsNames(Protocol):
    """A directory that can be searched by other things than names: `ldap.LdapAccounts`."""

    def name_by(self, query: str, **words: str) -> str:
        """Return the name of the one account that *query* finds, filled with *words*."""
        ...


class ProposalAccounts(Configurable):
    """Finds a proposal's account. An `AccountSource`.

    *directory* makes the directory of that name; *is_name* tells whether a name may be used.
    """

    directory = Enum(
        ("nss", "files", "ldap"),
        "nss",
        help="""Where the proposals' accounts are looked up, once their names are known; as in
        `DaasAuthenticator.account_source`. Example: "ldap".""",
    ).tag(config=True)
    map = Enum(
        ("pattern", "file", "ldap"),
        "pattern",
        help="""How a proposal's account is named. "pattern": by `pattern`. "file": in `map_file`.
        "ldap": the entry that `ldap_filter` finds. Example: "file".""",
    ).tag(config=True)
    pattern = Unicode(
        "u{proposal}",
        help="""Name of a proposal's account; `{proposal}` is its number in the catalogue. A
        pattern of which a person's name can be made would lend her account to others.
        Example: "u{proposal}".""",
    ).tag(config=True)
    map_file = Unicode(
        help="""File with a proposal and its account in each line; `#` begins a comment. It is read
        at each start; who can write it decides whose files a session opens.
        Example: "/etc/daas/proposal-accounts".""",
    ).tag(config=True)
    ldap_filter = Unicode(
        "(&(objectClass=posixAccount)(employeeNumber={proposal}))",
        help="""Filter below `LdapAccounts.people_base` that finds a proposal's account by its
        number. Example: "(&(objectClass=posixAccount)(description=proposal {proposal}))".""",
    ).tag(config=True)

    def __init__(
        self, directory: Callable[[str], Directory], is_name: Callable[[str], bool], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if self.map == "file" and not self.map_file:
            raise TraitError("ProposalAccounts.map_file must name the file")
        if self.map == "ldap" and self.directory != "ldap":
            raise TraitError('ProposalAccounts.map "ldap" needs ProposalAccounts.directory "ldap"')
        self._directory = directory(self.directory)
        self._is_name = is_name

    @validate("pattern")
    def _with_proposal(self, proposal: Any) -> str:
        pattern: str = proposal["value"]
        if not re.fullmatch(r"[a-z0-9_.-]*\{proposal\}[a-z0-9_.-]*", pattern):
            raise TraitError("ProposalAccounts.pattern must be small letters with one {proposal}")
        return pattern

    @validate("ldap_filter")
    def _usable_filter(self, proposal: Any) -> str:
        query: str = proposal["value"]
        return checked_filter(query, {"proposal"}, "ProposalAccounts.ldap_filter")

    async def account_of(self, person: Person, proposals: tuple[Proposal, ...]) -> Account:
        """Return the account of the one proposal, whoever opens it."""
        del person
        require_one_proposal(proposals)
        return await off_the_loop(self._account, proposals[0].id)

    def _account(self, proposal: str) -> Account:
        try:
            name = self._name(proposal)
        except KeyError:
            raise AccountProblem(
                f"Proposal {proposal} has no account at this facility yet.",
                "It can take a day after the proposal was accepted. Then ask your local contact.",
                detail=f"ProposalAccounts.map {self.map!r} does not know it",
            ) from None
        if not self._is_name(name):
            raise AccountProblem(
                f"The account of proposal {proposal} cannot be used here.",
                detail="its name is reserved or no local name",
            )
        return known_account(self._directory, name)

    def _name(self, proposal: str) -> str:
        if self.map == "file":
            return read_map(Path(self.map_file))[proposal]
        if self.map == "ldap":
            assert isinstance(self._directory, FindsNames)
            return self._directory.name_by(self.ldap_filter, proposal=proposal)
        return self.pattern.format(proposal=proposal)


def read_map(file: Path) -> dict[str, str]:
    """Return the accounts in *file* by their proposals. Raises `DirectoryFault`, `OSError`."""
    accounts: dict[str, str] = {}
    for place, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] in accounts or words[1] in accounts.values():
            # An account for two proposals would carry the rights of one into the other.
            raise DirectoryFault(
                f"map_file, line {place}: not one proposal and one account, or one of them twice"
            )
        accounts[words[0]] = words[1]
    return accounts
