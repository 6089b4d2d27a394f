"""Accounts asked from an LDAP server directly, for hubs whose machine does not know the people.

`posixAccount` and `posixGroup` of RFC 2307 and its successor rfc2307bis; other schemas (Active
Directory, FreeIPA) by filters and attribute names.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from traitlets import Bool, Dict, Enum, Integer, List, TraitError, Unicode, validate
from traitlets.config import Configurable

from daas_authenticator.accounts.ldap_addresses import are_addresses, in_the_clear
from daas_authenticator.accounts.ldap_filters import checked_filter
from daas_authenticator.accounts.ldap_search import Entry, LdapServers, Search, connected, filled
from daas_authenticator.accounts.lookup import DirectoryFault
from daas_model.people import Account

#: Ours → the attribute of RFC 2307.
ATTRIBUTES = {
    "name": "uid",
    "uid": "uidNumber",
    "gid": "gidNumber",
    "home": "homeDirectory",
    "group_name": "cn",
    "group_gid": "gidNumber",
    "member_of": "memberOf",
}


class LdapAccounts(Configurable):
    """Asks an LDAP directory for accounts and groups. A `Directory`."""

    servers = List(
        Unicode(),
        help="""Addresses of the directory's servers; the first that answers is asked. `ldaps://`
        speaks TLS, `ldap://` goes over to it (STARTTLS), `ldapi://` is a socket of this machine.
        Example: ["ldaps://ldap1.facility.example", "ldaps://ldap2.facility.example"].""",
    ).tag(config=True)
    starttls = Bool(
        True,
        help="""Whether `ldap://` goes over to TLS before anything is asked. False is refused
        unless all servers are on this machine: who reads along could change a UID.
        Example: False.""",
    ).tag(config=True)
    ca_file = Unicode(
        help="""File with the certificates of the authorities that may sign the servers'
        certificates, in PEM; empty for the machine's own. Example: "/etc/daas/facility-ca.pem".""",
    ).tag(config=True)
    bind_dn = Unicode(
        help="""As whom the directory is asked; empty asks anonymously. It needs to read accounts
        and groups and nothing else. Example: "cn=daas,ou=services,dc=facility,dc=example".""",
    ).tag(config=True)
    password_file = Unicode(
        help="""File whose one line is the password of `bind_dn`; read at each look-up, so that
        it can be changed at any time. Example: "/etc/daas/ldap-password".""",
    ).tag(config=True)
    people_base = Unicode(
        help="""Entry below which the accounts are. Example: "ou=people,dc=facility,dc=example".""",
    ).tag(config=True)
    people_filter = Unicode(
        "(&(objectClass=posixAccount)(uid={name}))",
        help="""Filter that finds one account; `{name}` is replaced, and may not be left out.
        Example: "(&(objectClass=user)(sAMAccountName={name}))".""",
    ).tag(config=True)
    groups_base = Unicode(
        help="""Entry below which the groups are. Not used when `membership` is "memberOf".
        Example: "ou=groups,dc=facility,dc=example".""",
    ).tag(config=True)
    groups_filter = Unicode(
        "(&(objectClass=posixGroup)(|(memberUid={name})(member={dn})(gidNumber={gid})))",
        help="""Filter that finds an account's groups; its name, its entry and its GID are put in.
        The default finds both ways of RFC 2307 and rfc2307bis.
        Example: "(&(objectClass=posixGroup)(memberUid={name}))".""",
    ).tag(config=True)
    membership = Enum(
        ("search", "memberOf"),
        "search",
        help="""How groups are found. "search": by `groups_filter`. "memberOf": the entries that
        the account itself names; those without a GID are left out. Example: "memberOf".""",
    ).tag(config=True)
    attributes = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help=f"""Names of attributes that differ from RFC 2307. Keys: {", ".join(ATTRIBUTES)}.
        Example: {{"name": "sAMAccountName", "home": "unixHomeDirectory"}}.""",
    ).tag(config=True)
    most_groups = Integer(
        1000,
        min=1,
        help="""How many groups an account may have; with more the start is refused, because a
        session that lacks some would fail later. Example: 200.""",
    ).tag(config=True)
    timeout_seconds = Integer(
        3,
        min=1,
        help="""How long one server may take for each answer, in seconds; then the next one is
        asked. `DaasAuthenticator.lookup_timeout_seconds` limits all of it. Example: 2.""",
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not self.servers:
            raise TraitError("LdapAccounts.servers must name a server")
        if in_the_clear(self.servers, self.starttls):
            raise TraitError("LdapAccounts.starttls may be False on this machine only")
        if self.bind_dn and not self.password_file:
            raise TraitError("LdapAccounts.bind_dn needs a password_file")
        self._attributes = {**ATTRIBUTES, **self.attributes}

    @validate("servers")
    def _addresses(self, proposal: Any) -> list[str]:
        urls: list[str] = proposal["value"]
        if not are_addresses(urls):
            raise TraitError("LdapAccounts.servers must be ldaps://, ldap:// or ldapi:// addresses")
        return urls

    @validate("attributes")
    def _known(self, proposal: Any) -> dict[str, str]:
        names: dict[str, str] = proposal["value"]
        if set(names) - set(ATTRIBUTES):
            raise TraitError(f"LdapAccounts.attributes has the keys {', '.join(ATTRIBUTES)} only")
        return names

    @validate("people_filter", "groups_filter")
    def _has_the_name(self, proposal: Any) -> str:
        query: str = proposal["value"]
        allowed = {"name"} if proposal["trait"].name == "people_filter" else {"name", "dn", "gid"}
        return checked_filter(query, allowed, f"LdapAccounts.{proposal['trait'].name}")

    def account(self, name: str) -> Account:
        """Return the account called *name*."""
        of = self._attributes
        with connected(self._servers()) as search:
            entry = self._only(search, filled(self.people_filter, name=name))
            if entry is None:
                raise KeyError("no such name")
            return Account(
                name=entry.one(of["name"]),
                uid=entry.number(of["uid"]),
                gid=entry.number(of["gid"]),
                groups=self._groups(search, entry),
                home=PurePosixPath(entry.one(of["home"])),
            )

    def names_of(self, uid: int) -> frozenset[str]:
        """Return the names of all entries with *uid*."""
        of = self._attributes
        with connected(self._servers()) as search:
            entries = search.below(self.people_base, f"({of['uid']}={uid})", [of["name"]], 10)
        return frozenset(name for entry in entries for name in entry.values[of["name"]])

    def name_by(self, query: str, **words: str) -> str:
        """Return the name of the one account that *query* finds, filled with *words*."""
        with connected(self._servers()) as search:
            entry = self._only(search, filled(query, **words))
        if entry is None:
            raise KeyError("no such entry")
        return entry.one(self._attributes["name"])

    def _only(self, search: Search, query: str) -> Entry | None:
        of = self._attributes
        wanted = [of[word] for word in ("name", "uid", "gid", "home")]
        if self.membership == "memberOf":
            wanted.append(of["member_of"])
        entries = search.below(self.people_base, query, wanted, 2)
        if len(entries) > 1:
            raise DirectoryFault("LDAP: two accounts fit one filter")
        return entries[0] if entries else None

    def _groups(self, search: Search, entry: Entry) -> Mapping[str, int]:
        of = self._attributes
        wanted = [of["group_name"], of["group_gid"]]
        if self.membership == "memberOf":
            dns = entry.values[of["member_of"]]
            if len(dns) > self.most_groups:
                raise DirectoryFault("LDAP: an account has more groups than most_groups")
            with_gid = f"({of['group_gid']}=*)"
            found = [group for dn in dns for group in search.at(dn, with_gid, wanted)]
        else:
            words = {"name": entry.one(of["name"]), "gid": entry.one(of["gid"]), "dn": entry.dn}
            query = filled(self.groups_filter, **words)
            found = search.below(self.groups_base, query, wanted, self.most_groups)
        return {
            name: group.number(of["group_gid"])
            for group in found
            for name in group.values[of["group_name"]]
        }

    def _servers(self) -> LdapServers:
        return LdapServers(
            urls=tuple(self.servers),
            starttls=self.starttls,
            ca_file=self.ca_file,
            bind_dn=self.bind_dn,
            password_file=self.password_file,
            timeout_seconds=self.timeout_seconds,
        )
