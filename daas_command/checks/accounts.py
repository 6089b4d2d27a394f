"""Names and accounts: the directory that is asked, and what a session's start would find for one.

Called by `check`. The look-up is `resolve_account`, as at a start; UID and GID are not printed.
"""

import os
import pwd
import time

from daas_authenticator.accounts.lookup import (
    Directory,
    PersonalAccounts,
    UnknownAccount,
    resolve_account,
)
from daas_authenticator.accounts.proposals import ProposalAccounts
from daas_authenticator.authenticator import DaasAuthenticator
from daas_catalogue.facility import Facility
from daas_command.checks.finding import Finding, Findings, ok, refused, warning, wrong
from daas_command.checks.hub import people_version
from daas_model.errors import AccountProblem, DaasError
from daas_model.people import Account, Person
from daas_model.proposals import Proposal

#: A name that no directory has; asking for it shows whether the directory answers.
NOBODY = "daas-check-is-nobody"
_SETTINGS = {
    "files": "Look at DaasAuthenticator.directory_folder.",
    "ldap": "Look at LdapAccounts: servers, ca_file, bind_dn, password_file, people_base.",
    "nss": "Ask `getent passwd` on this machine; look at nsswitch.conf and SSSD.",
}


async def directory_findings(hub: DaasAuthenticator) -> Findings:
    """Examine whether the source of accounts answers."""
    source = hub.account_source
    if source == "claims":
        issuer = hub.config.ClaimAccounts.get("issuer", "")
        known = issuer in {provider.issuer for provider in hub.all_providers()}
        mend = "Set ClaimAccounts.issuer exactly as the provider's issuer."
        yield (
            ok("account_source", "claims: a provider is asked at each start")
            if known
            else wrong("account_source", f"claims: {issuer} is no provider here", mend)
        )
        return
    if source == "proposals":
        source = ProposalAccounts(hub.make_directory, hub.validate_username, parent=hub).directory
    if source == "nss" and (alone := _of_a_pod(hub.min_uid)):
        yield alone
        return
    if source != "ldap":
        yield await _answers(hub, f"directory {source}", hub.make_directory(source), source)
        return
    whole = hub.make_directory("ldap")
    # Only the first that answers is asked: that another one is down would not be seen.
    for url in getattr(whole, "servers", ()):
        one: Directory = type(whole)(parent=hub, servers=[url])  # type: ignore[call-arg]
        yield await _answers(hub, url, one, "ldap")


def _of_a_pod(min_uid: int) -> Finding | None:
    """Say whether the hub's pod has users at all, where a source asks this machine for them."""
    nobody = 65534
    if "DAAS_VALUES" not in os.environ:
        return None
    if any(min_uid <= entry.pw_uid != nobody for entry in pwd.getpwall()):
        return None
    said = "nss asks the hub's own pod, which has no users of the facility"
    mend = "Set account_source (with accounts of proposals, their directory) to ldap or files."
    return wrong("account_source", said, mend)


async def _answers(hub: DaasAuthenticator, what: str, directory: Directory, source: str) -> Finding:
    person, rules = Person(NOBODY), hub.account_rules()
    try:
        await resolve_account(person, (), PersonalAccounts(directory), rules)
    except UnknownAccount:
        return ok(what, "answers")
    except AccountProblem as error:
        return refused(what, error, _SETTINGS[source])
    said = f"gives an account to {NOBODY}, a name that nobody has"
    return wrong(what, said, "Make it know the names of people only: look for wildcards.")


async def name_findings(
    hub: DaasAuthenticator, facility: Facility | None, name: str, proposal: str
) -> Findings:
    """Examine *name*: may it come in, and which account would its session have."""
    if not hub.validate_username(name):
        mend = "Look at DaasAuthenticator.name_pattern and reserved_names."
        yield wrong("name", f"{name} cannot be a name here", mend)
        return
    yield await _known(hub, name)
    proposals: tuple[Proposal, ...] = ()
    if proposal and facility is not None:
        try:
            proposals = await facility.catalogue.authorise(Person(name), (proposal,))
            yield ok("proposal", f"{name} may open {proposal}")
        except DaasError as error:
            mend = "Look whether the catalogue has it, and has her among its people."
            yield refused("proposal", error, mend)
            return
    yield await _account(hub, name, proposals)


async def _known(hub: DaasAuthenticator, name: str) -> Finding:
    if name in hub.blocked_users:
        mend = "Take her from DaasAuthenticator.blocked_users, if she may come in."
        return wrong("name", f"{name} is blocked", mend)
    version = await people_version(hub)
    if version not in ("ours", "none"):
        mend = "Start the hub once, or mend people_database."
        return warning("name", "people_database cannot be asked who has it", mend)
    known = await hub.people.ask(hub.people.store.person, name) if version == "ours" else None
    if known is None:
        return ok("name", f"{name} is nobody's yet")
    if known.is_blocked(time.time()):
        return wrong("name", f"{name} is blocked", f"To let her in: daas people unblock {name}")
    if not known.links:
        mend = f"Nobody can sign in with it: daas people link {name} …"
        return warning("name", f"{name} is reserved and has no identity", mend)
    return ok("name", f"{name} is known, with {len(known.links)} linked")


async def _account(hub: DaasAuthenticator, name: str, proposals: tuple[Proposal, ...]) -> Finding:
    what, source = "account", hub.account_source
    if source == "claims":
        mend = "Sign in and start a session: only then the provider can be asked."
        return warning(what, "claims cannot be asked without her login", mend)
    if source == "proposals" and not proposals:
        mend = "Add --proposal ID to see the account of a proposal."
        return warning(what, "each proposal has its own account", mend)
    try:
        account = await hub.resolve_account(Person(name), proposals)
    except UnknownAccount as error:
        return refused(what, error, "Add the account to the directory, or take another name.")
    except DaasError as error:
        mend = "Look at what account_source asks, at min_uid and at home_roots."
        return refused(what, error, mend)
    return ok(what, in_words(account))


def in_words(account: Account) -> str:
    """Return *account* without its numbers."""
    groups = ", ".join(sorted(account.groups)) or "none"
    return f"{account.name}, home {account.home}, groups {groups}"
