"""`daas people`: who is who here. Everything that changes something is written to the audit file.

A change holds for the running hub too: it looks when somebody signs in, and every few minutes.
"""

import argparse
import os
import pwd
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.links.lists import is_plain, moved, read_list, read_moves
from daas_authenticator.links.store import LEGACY_ISSUER, Known, Link
from daas_authenticator.passwords.settings import parse_password_ways
from daas_authenticator.providers import check_issuer
from daas_command.configuration import authenticator, become_owner, load
from daas_model.errors import BadRequest

Arguments = argparse.Namespace


class People:
    """The subcommands, on one hub's database."""

    def __init__(self, hub: DaasAuthenticator) -> None:
        self._hub = hub
        self._store = hub.people.store
        self._issuers = {way.id: way.issuer for way in parse_password_ways(hub.password_ways)}
        self._issuers |= {provider.id: provider.issuer for provider in hub.all_providers()}
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
        self._by = f"command:{user}"

    def show(self, wanted: Arguments) -> int:
        """Print what is known of a name."""
        known = self._known(wanted.name)
        print(known.name)
        if known.blocked_from is None:
            print("  may sign in")
        else:
            word = "blocked since" if known.is_blocked(time.time()) else "blocked from"
            print(f"  {word} {_date(known.blocked_from)}{_because(_shown(known.reason))}")
        for link in known.links:
            print(f"  {_shown(link.subject)} at {_shown(link.issuer)}")
            print(f"    linked {_date(link.linked_at)} by {link.linked_by}")
        if not known.links:
            print("  no identity: nobody can sign in with this name")
        return 0

    def link(self, wanted: Arguments) -> int:
        """Let an identity sign in as a name."""
        self._check_name(wanted.name)
        issuer = self._known_issuer(wanted.issuer)
        self._store.link(wanted.name, issuer, wanted.subject, self._by)
        self._record("linked", wanted.name, f"{wanted.subject} at {issuer}")
        print(f"{wanted.subject} at {issuer} signs in as {wanted.name} from now on.")
        return 0

    def unlink(self, wanted: Arguments) -> int:
        """Take an identity from a name; the name stays reserved."""
        issuer = self._issuer(wanted.issuer)
        if not self._store.unlink(wanted.name, issuer, wanted.subject):
            raise BadRequest(f"This identity is not linked to {wanted.name}.", "Nothing was done.")
        self._record("unlinked", wanted.name, f"{wanted.subject} at {issuer}")
        print(f"{wanted.subject} at {issuer} does not sign in as {wanted.name} any more.")
        if not self._known(wanted.name).links:
            print("The name stays reserved: only `daas people link` gives it to somebody.")
        return 0

    def block(self, wanted: Arguments) -> int:
        """Keep a name out, now or from a day on."""
        self._check_name(wanted.name)
        start, reason = wanted.start or int(time.time()), wanted.reason or ""
        self._store.block(wanted.name, start, reason)
        self._record("blocked", wanted.name, f"from {_date(start)}{_because(reason)}")
        print(f"{wanted.name} may not sign in from {_date(start)} on.")
        return 0

    def unblock(self, wanted: Arguments) -> int:
        """Let a name in again."""
        if not self._store.unblock(wanted.name):
            raise BadRequest(f"{wanted.name} is not blocked.", "Nothing was done.")
        self._record("unblocked", wanted.name)
        print(f"{wanted.name} may sign in again.")
        return 0

    def import_(self, wanted: Arguments) -> int:
        """Link what a facility's list says."""
        issuer = self._known_issuer(wanted.issuer) if wanted.issuer else ""
        new = []
        for entry in read_list(wanted.file, issuer, self._hub.validate_username, self._good_issuer):
            known = self._store.link_of(entry.issuer, entry.subject)
            if known is None:
                new.append(Link(entry.issuer, entry.subject, entry.name, 0, self._by))
            elif known.name != entry.name:
                raise BadRequest(
                    f"Line {entry.line} of the list: this identity is linked to {known.name}.",
                    "Nothing was changed. Unlink it first, or mend the list.",
                )
        return self._replace((), tuple(new), wanted.dry_run, "linked")

    def move(self, wanted: Arguments) -> int:
        """Take the links of a provider that was installed anew along."""
        links = self._store.links_from(self._issuer(wanted.old))
        moves = read_moves(wanted.file) if wanted.file else None
        gone, new, left = moved(links, moves, self._known_issuer(wanted.new))
        for link in left:
            print(f"stays: {link.name}, {_shown(link.subject)}")
        return self._replace(gone, new, wanted.dry_run, "moved")

    def _replace(
        self, gone: tuple[Link, ...], new: tuple[Link, ...], dry_run: bool, word: str
    ) -> int:
        for link in new:
            print(f"{word}: {link.name}, {_shown(link.subject)} at {link.issuer}")
        if dry_run:
            print(f"{len(new)} would be {word}. Nothing was changed.")
            return 0
        self._store.replace(gone, new)
        for link in new:
            self._record(word, link.name, f"{link.subject} at {link.issuer}")
        print(f"{len(new)} {word}.")
        return 0

    def _known(self, name: str) -> Known:
        known = self._store.person(name)
        if known is None:
            raise BadRequest(f"Nobody here has the name {name!r}.", "Nothing was done.")
        return known

    def _check_name(self, name: str) -> None:
        if not self._hub.validate_username(name):
            raise BadRequest(f"{name!r} cannot be an account here.", "Nothing was done.")

    def _issuer(self, given: str) -> str:
        """Return the issuer: *given* may be the id of a provider in the configuration."""
        return self._issuers.get(given, given)

    def _good_issuer(self, given: str) -> str:
        """Return the issuer as `_issuer` does; nothing when it cannot be one."""
        issuer = self._issuer(given)
        if issuer == LEGACY_ISSUER or issuer in self._issuers.values():
            return issuer
        try:
            return check_issuer(issuer)
        except ValueError:
            return ""

    def _known_issuer(self, given: str) -> str:
        if issuer := self._good_issuer(given):
            return issuer
        ids = ", ".join(sorted(self._issuers)) or "none"
        raise BadRequest(
            f"{given!r} is no provider here and no https address.",
            f"Nothing was done. Give an issuer's address, or one of the providers here: {ids}.",
        )

    def _record(self, action: str, name: str, detail: str = "") -> None:
        self._hub.audit.record(action, name, by=self._by, detail=detail)


def add_to(commands: Any) -> None:
    """Add `people` to the parser's *commands*."""
    parser = commands.add_parser("people", help="who is who here: links, and who is blocked")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, method: Callable[[People, Arguments], int]) -> argparse.ArgumentParser:
        words = str(method.__doc__)
        found: argparse.ArgumentParser = actions.add_parser(name, help=words, description=words)
        found.set_defaults(run=lambda wanted: method(_people(wanted), wanted))
        return found

    for name, method in (("show", People.show), ("unblock", People.unblock)):
        action(name, method).add_argument("name", type=_line, help="the account's name")
    for name, method in (("link", People.link), ("unlink", People.unlink)):
        parser = action(name, method)
        parser.add_argument("name", type=_line, help="the account's name")
        issuer = "the issuer, or a provider's id"
        parser.add_argument("--issuer", type=_line, required=True, help=issuer)
        subject = "the person's `sub` there"
        parser.add_argument("--subject", type=_line, required=True, help=subject)
    parser = action("block", People.block)
    parser.add_argument("name", type=_line, help="the account's name")
    parser.add_argument("--from", dest="start", type=_day, help="a day: 2027-01-31; default: now")
    parser.add_argument("--reason", type=_line, help="for the record; she does not read it")
    parser = action("import", People.import_)
    parser.add_argument("file", type=Path, help="CSV with `name` and `sub` or `EAAHash`")
    whose = "whose `sub` it is: issuer or provider's id"
    parser.add_argument("--issuer", type=_line, help=whose)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser = action("move", People.move)
    parser.add_argument("file", type=Path, nargs="?", help="CSV with `old_sub` and `new_sub`")
    parser.add_argument("--from", dest="old", type=_line, required=True, help="the old issuer")
    new = "the new one, or a provider's id"
    parser.add_argument("--to", dest="new", type=_line, required=True, help=new)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def _people(wanted: Arguments) -> People:
    hub = authenticator(load(wanted.config))
    become_owner(hub.people_database)
    if make_url(hub.people_database).get_backend_name() != "sqlite" and os.geteuid() == 0:
        _become_writer(Path(hub.audit_file))
    if hub.database.version() == "none":
        raise BadRequest("The hub has not made its tables yet.", "Start the hub once; it does.")
    return People(hub)


def _become_writer(audit: Path) -> None:
    """Work as the user whose *audit*, or its folder, is: the hub could not write root's file."""
    try:
        owner = (audit if audit.exists() else audit.parent).stat()
    except OSError:
        raise BadRequest(
            f"There is no folder {audit.parent} for the audit file.",
            "Make it, as the hub's user, or change DaasAuthenticator.audit_file.",
        ) from None
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)


def _line(text: str) -> str:
    if is_plain(text):
        return text
    raise argparse.ArgumentTypeError(
        f"{ascii(text)[:80]} is empty, longer than 255 characters, or has control characters"
    )


def _shown(text: str) -> str:
    """Return *text* without what a terminal would obey: a provider's subject may hold it."""
    return text if text.isprintable() else ascii(text)


def _day(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day like 2027-01-31") from None


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
