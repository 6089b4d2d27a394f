"""One connection to an LDAP server for one look-up: TLS first, then bind, then searches.

Called by `ldap.LdapAccounts` and `passwords.ldap.LdapWay`; blocks. RFC 4511 (protocol), RFC 4513
(TLS and bind), RFC 4515 (filters). Every fault becomes `ConnectionError` (no answer: the next
server is tried) or `DirectoryFault`, with a text for the log that names no password and no entry.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ldap3 import BASE, NONE, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import (
    LDAPBusyResult,
    LDAPCommunicationError,
    LDAPConstraintViolationResult,
    LDAPException,
    LDAPInappropriateAuthenticationResult,
    LDAPInvalidCredentialsResult,
    LDAPNoSuchObjectResult,
    LDAPOperationResult,
    LDAPResponseTimeoutError,
    LDAPSizeLimitExceededResult,
    LDAPStartTLSError,
    LDAPTimeLimitExceededResult,
    LDAPUnavailableResult,
    LDAPUnwillingToPerformResult,
)
from ldap3.core.results import RESULT_SUCCESS
from ldap3.utils.conv import escape_filter_chars

from daas_authenticator.accounts.lookup import DirectoryFault

_SILENCE = (
    LDAPCommunicationError,
    LDAPResponseTimeoutError,
    LDAPStartTLSError,
    LDAPBusyResult,
    LDAPUnavailableResult,
    LDAPTimeLimitExceededResult,
)
# How servers say that this entry may not bind: wrong, without a password, locked, expired.
_REFUSALS = (
    LDAPInvalidCredentialsResult,
    LDAPInappropriateAuthenticationResult,
    LDAPUnwillingToPerformResult,
    LDAPConstraintViolationResult,
)
# Active Directory gives these as octets; their digits are as good a text as any.
_OCTETS = frozenset({"objectguid", "objectsid"})


class BindRefused(DirectoryFault):
    """A server does not accept `bind_dn` and its password, or does not let it bind."""


@dataclass(frozen=True, slots=True)
class LdapServers:
    """Where the directory is and as whom it is asked. An empty *bind_dn* asks anonymously.

    A *password* counts instead of *password_file*, an empty one too: it is refused.
    """

    urls: tuple[str, ...]
    starttls: bool
    ca_file: str
    bind_dn: str
    password_file: str
    timeout_seconds: int
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. *values* has the attributes that were asked for, by their names there."""

    dn: str
    values: Mapping[str, tuple[str, ...]]

    def one(self, attribute: str) -> str:
        """Return the only value of *attribute*. Raises `DirectoryFault`."""
        values = self.values[attribute]
        if len(values) != 1:
            raise DirectoryFault(f"LDAP: an entry has {len(values)} values of {attribute}, not 1")
        return values[0]

    def number(self, attribute: str) -> int:
        """Return the only value of *attribute*, a number. Raises `DirectoryFault`."""
        value = self.one(attribute)
        if not (value.isascii() and value.isdigit()):
            raise DirectoryFault(f"LDAP: {attribute} of an entry is no number")
        return int(value)


class _VerifyingTls(Tls):
    """TLS by the standard library's own rules; the LDAP library's check names by itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self._context = context

    def wrap_socket(self, connection: Connection, do_handshake: bool = False) -> None:  # noqa: ARG002
        """Put *connection* into TLS, with the server's name and certificate verified."""
        host = connection.server.host.strip("[]")
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=host)


class Search:
    """A connection that has bound. Made by `connected`."""

    def __init__(self, connection: Connection, seconds: int) -> None:
        self._connection = connection
        self._seconds = seconds

    def below(self, base: str, query: str, wanted: Sequence[str], most: int) -> list[Entry]:
        """Return the entries below *base* for *query*. More than *most* are a `DirectoryFault`."""
        return self._search(base, query, SUBTREE, wanted, most)

    def at(self, dn: str, query: str, wanted: Sequence[str]) -> list[Entry]:
        """Return the entry *dn* if it is there and fits *query*."""
        with suppress(LDAPNoSuchObjectResult):
            return self._search(dn, query, BASE, wanted, 1)
        return []

    def _search(
        self,
        base: str,
        query: str,
        scope: Literal["BASE", "SUBTREE"],
        wanted: Sequence[str],
        most: int,
    ) -> list[Entry]:
        self._connection.search(
            base,
            query,
            scope,
            attributes=list(wanted),
            size_limit=most,
            time_limit=self._seconds,
        )
        result = self._connection.result
        # The library raises for most results, but not for half an answer or a referral.
        if result["result"] != RESULT_SUCCESS:
            raise LDAPOperationResult(
                result=result["result"], description=result["description"], dn="", message=""
            )
        found = [
            _entry(answer, wanted)
            for answer in self._connection.response or ()
            if answer["type"] == "searchResEntry"
        ]
        if len(found) > most:
            raise DirectoryFault("LDAP: a server gave more entries than were asked for")
        return found


@contextmanager
def connected(servers: LdapServers) -> Iterator[Search]:
    """Give a bound connection to the first of *servers* that answers."""
    silence: ConnectionError | None = None
    for url in servers.urls:
        try:
            connection = _bound(url, servers)
        except ConnectionError as error:
            silence = error
            continue
        try:
            with _as_our_errors(url):
                yield Search(connection, servers.timeout_seconds)
        finally:
            with suppress(LDAPException, OSError):
                connection.unbind()
        return
    raise silence or DirectoryFault("LdapAccounts.servers is empty")


def filled(query: str, **words: str) -> str:
    """Return the filter *query* with the *words* in it, which cannot add to its meaning."""
    return query.format(**{name: escape_filter_chars(word) for name, word in words.items()})


def _bound(url: str, servers: LdapServers) -> Connection:
    seconds = servers.timeout_seconds
    with _readable("ca_file"):
        tls = _VerifyingTls(ssl.create_default_context(cafile=servers.ca_file or None))
    with _as_our_errors(url):
        connection = Connection(
            Server(url, tls=tls, connect_timeout=seconds, get_info=NONE),
            user=servers.bind_dn or None,
            password=_password(servers),  # type: ignore[arg-type]  # its stubs forget octets
            raise_exceptions=True,
            receive_timeout=seconds,
            # A referral would hand the password to whomever the answer names.
            auto_referrals=False,
            check_names=False,
            read_only=True,
        )
        try:
            connection.open()
            if url.startswith("ldap://") and servers.starttls:
                connection.start_tls()
            _bind(connection, url)
        except BaseException:
            if connection.socket is not None:
                connection.socket.close()
            raise
    return connection


def _bind(connection: Connection, url: str) -> None:
    try:
        connection.bind()
    except _REFUSALS as error:
        raise BindRefused(
            f"LDAP: {url} does not accept bind_dn and password: {type(error).__name__}"
        ) from None
    # A referral and some other results are no errors for the library, and no yes either.
    if connection.result["result"] != RESULT_SUCCESS:
        raise DirectoryFault(f"LDAP: {url} did not bind: {connection.result['description']}")


def _password(servers: LdapServers) -> bytes | None:
    if not servers.bind_dn:
        return None
    password = servers.password
    if password is None:
        with _readable("password_file"):
            password = Path(servers.password_file).read_text("utf-8").rstrip("\r\n")
    if not password:
        # RFC 4513, 5.1.2: the server would take this for nobody, and say yes.
        file = " file" if servers.password is None else ""
        raise BindRefused(f"LDAP: the password{file} is empty")
    # As octets the library leaves it as it was typed.
    return password.encode()


@contextmanager
def _readable(setting: str) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or type(error).__name__
        raise DirectoryFault(f"LdapAccounts.{setting} cannot be used: {why}") from None


@contextmanager
def _as_our_errors(url: str) -> Iterator[None]:
    try:
        yield
    except LDAPSizeLimitExceededResult:
        raise DirectoryFault(f"LDAP: {url} has more entries for a search than allowed") from None
    except _SILENCE as error:
        certificate = "certificate" in str(error).lower()
        reason = "its certificate is not trusted" if certificate else type(error).__name__
        raise ConnectionError(f"LDAP: {url}: {reason}") from None
    except LDAPException as error:
        raise DirectoryFault(f"LDAP: {url}: {type(error).__name__}") from None


def _entry(answer: Mapping[str, object], wanted: Sequence[str]) -> Entry:
    given = answer["raw_attributes"]
    assert isinstance(given, Mapping)
    # Attribute names have no case (RFC 4512, 2.5): the server may write them its own way.
    values = {str(name).lower(): value for name, value in given.items()}
    try:
        texts = {
            name: tuple(
                value.hex() if name.lower() in _OCTETS else value.decode("utf-8")
                for value in values.get(name.lower(), ())
            )
            for name in wanted
        }
    except UnicodeDecodeError:
        raise DirectoryFault("LDAP: an attribute is no text") from None
    return Entry(str(answer["dn"]), texts)
