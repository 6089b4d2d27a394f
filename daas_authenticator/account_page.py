"""“My account”: who I am here, by which rule, how I sign in and where I am signed in.

Registered by `routes`. Nothing is changed here: what its buttons do is in `account_forms`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jupyterhub.utils import url_path_join
from tornado.web import authenticated

from daas_authenticator.handlers import FlowCookies
from daas_authenticator.links.store import LEGACY_ISSUER, Link
from daas_authenticator.logins.login import Login
from daas_authenticator.rights.rules import RIGHTS
from daas_authenticator.web_errors import web_error
from daas_model.errors import BadRequest, DaasError
from daas_model.people import Person

#: Where an account comes from, by `DaasAuthenticator.account_source`.
RULES = {
    "files": "This facility's own list of accounts says so.",
    "nss": "This machine's directory of users says so.",
    "ldap": "The facility's directory (LDAP) says so.",
    "claims": "Your identity provider says so.",
    "proposals": "Each proposal has an account of its own, and a session works as that.",
}
RIGHT_WORDS = {
    "admin": "Administrator: see people and sessions, and stop sessions",
    "staff": "Staff",
    "local-contact": "Local contact",
    "without-proposal": "Start a session without a proposal",
}
SAID = {
    "linked": "The identity is linked. You can sign in with it from now on.",
    "unlinked": "The identity is not linked to your account any more.",
    "ended": "That browser is signed out.",
    "raised": "Your rights count for some minutes.",
    "lowered": "Your rights that need a second factor do not count any more.",
    "public": "This login is short now, and ends when you close the browser.",
}


@dataclass(frozen=True, slots=True)
class AccountView:
    """What the page says about the account: a name and groups, or why there is none."""

    name: str = ""
    home: str = ""
    groups: tuple[str, ...] = ()
    problem: str = ""


class AccountPages(FlowCookies):
    """What the pages of one's account share."""

    async def show(self, template: str, **values: Any) -> None:
        """Answer with a page that has forms."""
        xsrf = self.xsrf_token.decode("ascii")
        self.finish(await self.render_template(template, xsrf=xsrf, **values))

    def back(self, said: str = "") -> None:
        """Go to “My account”, which then says what was done."""
        self.redirect(
            url_path_join(self.hub.base_url, f"account?said={said}" if said else "account")
        )

    async def login(self) -> Login:
        """Return the login of this browser. Raises `BadRequest` when it has ended."""
        found: Login | None = await self.authenticator.register.login_of(self.get_session_cookie())
        if found is None:
            raise BadRequest("You are not signed in any more.", "Sign in, then begin again.")
        return found

    def record(self, action: str, detail: str = "") -> None:
        """Write down what this person did to her account."""
        name = self.current_user.name
        self.authenticator.audit.record(action, name, by=name, detail=detail)


class AccountPage(AccountPages):
    """`/account`: everything about one's own account."""

    @authenticated
    async def get(self) -> None:
        """Show it."""
        authenticator, name = self.authenticator, self.current_user.name
        try:
            known = await authenticator.people.ask(authenticator.people.store.person, name)
            login = await self.login()
            logins = await authenticator.register.of(name)
        except DaasError as error:
            raise web_error(error, self.log) from None
        links = known.links if known else ()
        linked = {link.issuer for link in links}
        await self.show(
            "account.html",
            account=await self._account(),
            groups=sorted(group.name for group in self.current_user.groups),
            rule=RULES[authenticator.account_source],
            links=[self._link_view(link, login, links) for link in links],
            logins=[
                _login_view(one, login, authenticator.ways.title_of(one.issuer)) for one in logins
            ],
            linkable=[p for p in authenticator.ways.providers() if p.issuer not in linked],
            rights=self._rights(),
            public=login.public,
            public_minutes=self.authenticator.public_login_minutes,
            said=SAID.get(self.get_argument("said", ""), ""),
        )

    async def _account(self) -> AccountView:
        user = self.current_user
        if self.authenticator.account_source == "proposals":
            return AccountView()
        person = Person.of_hub(user.name, (group.name for group in user.groups))
        try:
            account = await self.authenticator.resolve_account(person, ())
        except DaasError as error:
            self.log.warning("%s: %s", error.code, error.detail or error.message)
            return AccountView(problem=str(error))
        return AccountView(account.name, str(account.home), tuple(sorted(account.groups)))

    def _rights(self) -> dict[str, Any]:
        holders, name = self.authenticator.holders, self.current_user.name
        held, counting = holders.held(name), holders.effective(name)
        at_public = self.authenticator.register.public_until(name) is not None
        return {
            "at_public": at_public,
            "counting": [RIGHT_WORDS[right] for right in RIGHTS if right in counting],
            "waiting": [RIGHT_WORDS[right] for right in RIGHTS if right in held.rights - counting],
            "raised": holders.raised_until(name) is not None,
            "can_be_raised": held.can_be_raised and not at_public,
        }

    def _link_view(self, link: Link, login: Login, links: tuple[Link, ...]) -> dict[str, Any]:
        ways = self.authenticator.ways
        in_use = (link.issuer, link.subject) == (login.issuer, login.subject)
        old = link.issuer == LEGACY_ISSUER
        return {
            "title": "An older system" if old else ways.title_of(link.issuer),
            "subject": link.subject,
            "issuer": "" if old else link.issuer,
            "since": _date(link.linked_at),
            "in_use": in_use,
            "removable": not in_use and len(links) > 1,
            "value": f"{link.issuer} {link.subject}",
        }


def _login_view(login: Login, this: Login, title: str) -> dict[str, Any]:
    return {
        "key": login.key,
        "browser": login.browser,
        "since": _date(login.started_at),
        "way": title,
        "this": login.key == this.key,
    }


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %B %Y, %H:%M UTC")
