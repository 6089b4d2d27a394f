"""Passwords by an LDAP directory: find the entry, then bind as it. RFC 4513, 5.1.3.

Made by `ways`, which imports it only when it is needed: ldap3 is an extra. Who it is, is what the
entry says; names with other letters than the entry's own lead to the same person.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from daas_authenticator.accounts.ldap_search import (
    BindRefused,
    Entry,
    LdapServers,
    Search,
    connected,
    filled,
)
from daas_authenticator.accounts.lookup import DirectoryFault
from daas_authenticator.passwords.identity import GROUPS_CLAIM, NAME_CLAIM, LocalIdentity
from daas_authenticator.passwords.settings import LdapValues
from daas_authenticator.passwords.typed import Typed, wrong
from daas_model.errors import LoginFailed, ProviderUnavailable

#: Of their own: passwords that hang hold up other passwords only.
_WORKERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="passwords")

# What directories note at an entry that may not be used. That somebody has tried too often is
# noted at the same places and passes; the bind tells it.
_LOCKS = ("pwdAccountLockedTime", "nsAccountLock", "userAccountControl")
_FOR_GOOD = "000001010000Z"  # draft-behera-ldap-password-policy, 5.3.3
_DISABLED = 0x2  # Active Directory, ADS_UF_ACCOUNTDISABLE


class LdapWay:
    """One directory. A `PasswordWay`."""

    def __init__(self, values: LdapValues) -> None:
        self.values = values
        self._servers = LdapServers(
            urls=values.servers,
            starttls=values.starttls,
            ca_file=values.ca_file,
            bind_dn=values.bind_dn,
            password_file=values.bind_password_file,
            password=values.bind_password,
            timeout_seconds=values.timeout_seconds,
        )

    async def check(self, typed: Typed) -> LocalIdentity:
        """Return whose name and password these are."""
        return await self._asked(lambda: self._check(typed))

    async def confirm(self, subject: str) -> LocalIdentity:
        """Return what the entry of *subject* says today."""
        return await self._asked(lambda: self._confirm(subject))

    def _check(self, typed: Typed) -> LocalIdentity:
        with connected(self._servers) as search:
            entry = self._entry(search, filled(self.values.people_filter, name=typed.name))
        if entry is None:
            raise wrong()
        as_herself = replace(self._servers, bind_dn=entry.dn, password=typed.password)
        try:
            with connected(as_herself):
                pass
        except BindRefused:
            raise wrong() from None
        return self._identity(entry)

    def _confirm(self, subject: str) -> LocalIdentity:
        of = self.values
        with connected(self._servers) as search:
            entry = self._entry(search, self._by_subject(subject))
            # The operator's filter may leave out those who may not come in any more.
            again = entry and self._entry(
                search, filled(of.people_filter, name=entry.one(of.name_attribute))
            )
        if again is None or again.one(of.subject_attribute) != subject:
            raise wrong("confirm: no such entry any more")
        return self._identity(again)

    def _by_subject(self, subject: str) -> str:
        attribute = self.values.subject_attribute
        if attribute.lower() in ("objectguid", "objectsid"):
            octets = "".join(f"\\{subject[i : i + 2]}" for i in range(0, len(subject), 2))
            return f"({attribute}={octets})"
        return f"({attribute}={filled('{subject}', subject=subject)})"

    def _entry(self, search: Search, query: str) -> Entry | None:
        of = self.values
        wanted = [of.name_attribute, of.subject_attribute, *_LOCKS]
        wanted += [of.groups_attribute] if of.groups_attribute else []
        entries = search.below(of.people_base, query, wanted, 2)
        if len(entries) > 1:
            raise DirectoryFault("LDAP: two entries fit people_filter")
        return entries[0] if entries else None

    def _identity(self, entry: Entry) -> LocalIdentity:
        of = self.values
        if is_locked(entry):
            raise wrong("the entry is locked")
        groups = entry.values[of.groups_attribute] if of.groups_attribute else ()
        claims = {NAME_CLAIM: entry.one(of.name_attribute), GROUPS_CLAIM: list(groups)}
        return LocalIdentity(of, entry.one(of.subject_attribute), claims)

    async def _asked(self, question: Callable[[], LocalIdentity]) -> LocalIdentity:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.values.timeout_seconds):
                return await loop.run_in_executor(_WORKERS, question)
        except LoginFailed:
            raise
        except (TimeoutError, ConnectionError) as error:
            raise _silent(str(error) or "no answer in time") from None
        except Exception as error:  # the library meets garbage with errors of every kind
            why = str(error) if isinstance(error, DirectoryFault) else type(error).__name__
            raise _silent(why) from None


def is_locked(entry: Entry) -> bool:
    """Tell whether an operator has locked *entry*: OpenLDAP, 389 and FreeIPA, Active Directory."""
    locked_time, lock, control = (entry.values[name] for name in _LOCKS)
    return (
        _FOR_GOOD in locked_time
        or "true" in (value.lower() for value in lock)
        or any(value.isdigit() and int(value) & _DISABLED for value in control)
    )


def _silent(why: str) -> ProviderUnavailable:
    return ProviderUnavailable("The facility's directory cannot check passwords now.", detail=why)
