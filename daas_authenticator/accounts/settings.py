"""What an operator can set about accounts, and the source that these settings choose.

Base of `AuthenticatorSettings`; each source has its further settings in a class of its own.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import Any

from traitlets import Enum, Float, Integer, List, TraitError, Unicode, validate
from traitlets.config import Configurable

from daas_authenticator.accounts.checks import AccountRules
from daas_authenticator.accounts.claims import ClaimAccounts
from daas_authenticator.accounts.files import FilesDirectory
from daas_authenticator.accounts.lookup import AccountSource, Directory, PersonalAccounts
from daas_authenticator.accounts.nss import NssDirectory
from daas_authenticator.accounts.proposals import ProposalAccounts
from daas_authenticator.client import Identity


class AccountSettings(Configurable):
    """The settings; set them as `c.DaasAuthenticator.<name>`."""

    account_source = Enum(
        ("nss", "files", "ldap", "claims", "proposals"),
        default_value="nss",
        help="""Where UID, GID, groups and home of an account are looked up at each start.
        "nss": the machine's name service (LDAP, SSSD, files). "files": the files `passwd` and
        `group` in `directory_folder`, for demos and trainings. "ldap": an LDAP directory, set in
        `LdapAccounts`. "claims": what one identity provider says, set in `ClaimAccounts`.
        "proposals": one account per proposal, set in `ProposalAccounts`; a session then opens
        exactly one. Example: "ldap".""",
    ).tag(config=True)

    directory_folder = Unicode(
        help="""Folder with files `passwd` and `group` for the account source "files"; who can
        write there decides who is who. Example: "/etc/daas/accounts".""",
    ).tag(config=True)

    min_uid = Integer(
        1000,
        min=1,
        help="""Accounts with a smaller UID run no session: they belong to the system. 0 is
        always refused. Example: 500.""",
    ).tag(config=True)

    min_group_gid = Integer(
        1000,
        min=1,
        help="""Supplementary groups with a smaller GID (disk, docker, sudo) are not taken into
        sessions. Lower it where groups that own data have small numbers. Example: 500.""",
    ).tag(config=True)

    home_roots = List(
        Unicode(),
        ["/home"],
        help="""Folders below which homes must lie. A session sees the whole of its home folder: a
        directory that names `/` for somebody would show her the machine.
        Example: ["/home", "/users"].""",
    ).tag(config=True)

    lookup_timeout_seconds = Float(
        10.0,
        min=0.01,
        help="""How long the look-up of an account may take, in seconds; then the start is
        refused with a message. Example: 5.""",
    ).tag(config=True)

    @validate("home_roots")
    def _below_the_top(self, proposal: Any) -> list[str]:
        roots: list[str] = proposal["value"]
        if not all(PurePosixPath(root).is_absolute() and root.strip("/") for root in roots):
            raise TraitError("DaasAuthenticator.home_roots must be paths of folders below /")
        return roots

    def account_rules(self) -> AccountRules:
        """Return which accounts may run a session."""
        return AccountRules(
            min_uid=self.min_uid,
            min_group_gid=self.min_group_gid,
            timeout_seconds=self.lookup_timeout_seconds,
            home_roots=tuple(PurePosixPath(root) for root in self.home_roots),
        )

    def make_account_source(
        self, ask: Callable[[str], Awaitable[Identity]], is_name: Callable[[str], bool]
    ) -> AccountSource:
        """Return the source that `account_source` names.

        *ask* returns what a person's provider says of her now, *is_name* tells whether a name may
        be a local account. Raises `TraitError` when its settings cannot work.
        """
        if self.account_source == "claims":
            return ClaimAccounts(ask, parent=self)
        if self.account_source == "proposals":
            return ProposalAccounts(self.make_directory, is_name, parent=self)
        return PersonalAccounts(self.make_directory(self.account_source))

    def make_directory(self, name: str) -> Directory:
        """Return the directory that `account_source` calls *name*. Raises `TraitError`."""
        if name == "files":
            return FilesDirectory(Path(self.directory_folder))
        if name == "nss":
            return NssDirectory()
        try:
            # ldap3 is an extra: only whoever asks LDAP installs it.
            from daas_authenticator.accounts.ldap import LdapAccounts  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise TraitError(
                "Accounts from LDAP need ldap3: pip install 'daas-hub[ldap]'"
            ) from error
        return LdapAccounts(parent=self)
