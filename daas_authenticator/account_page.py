"""“My account”: who I am here, by which rule, how I sign in and where I am signed in.

Registered by `DaasAuthenticator.get_handlers`. A GET shows, every change is a POST with the form's
token. Linking a further identity is in `links.linking`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jupyterhub.utils import url_path_join
from tornado.web import authenticated

from daas_authenticator.handlers import FlowCookies
from daas_authenticator.links.store import LEGACY_ISSUER, Link
from daas_authenticator.login_flow import LoginFlow, Purpose
from daas_authenticator.logins.ending import end_logins
from daas_authenticator.logins.login import Login
from daas_authenticator.logins.pages import leave
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
SAID = {
    "linked": "The identity is linked. You can sign in with it from now on.",
    "unlinked": "The identity is not linked to your account any more.",
    "ended": "That browser is signed out.",
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
            said=SAID.get(self.get_argument("said", ""), ""),
        )

    async def _account(self) -> AccountView:
        user = self.current_user
        if self.authenticator.account_source == "proposals":
            return AccountView()
        person = Person(user.name, frozenset(group.name for group in user.groups))
        try:
            account = await self.authenticator.resolve_account(person, ())
        except DaasError as error:
            self.log.warning("%s: %s", error.code, error.detail or error.message)
            return AccountView(problem=str(error))
        return AccountView(account.name, str(account.home), tuple(sorted(account.groups)))

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


class LinkPage(AccountPages):
    """`/account/link`: link a further identity."""

    @authenticated
    async def get(self) -> None:
        """Ask whether the identity that has just signed in is to be linked."""
        try:
            login = await self.login()
            wish = self.authenticator.linking.wish(login.key, login.name)
        except DaasError as error:
            raise web_error(error, self.log) from None
        if wish.identity is None:
            self.back()
            return
        await self.show(
            "link.html",
            title=wish.identity.provider.title,
            subject=wish.identity.subject,
            shown=_shown_name(wish.identity.claims),
        )

    @authenticated
    async def post(self) -> None:
        """Begin: she signs in again as who she is, and then with what is to be linked."""
        provider = self.get_body_argument("provider", "")
        try:
            login = await self.login()
            self.authenticator.ways.client(provider, to_link=True)
            self.authenticator.linking.begin(login.key, login.name, provider)
            proof = LoginFlow(provider=login.provider, purpose=Purpose.PROVE, name=login.name)
            await self.go_to_provider(proof)
        except DaasError as error:
            raise web_error(error, self.log) from None


class ConfirmPage(AccountPages):
    """`POST /account/confirm`: the last step of linking."""

    @authenticated
    async def post(self) -> None:
        """Link it."""
        authenticator = self.authenticator
        try:
            login = await self.login()
            identity = authenticator.linking.take(login.key, login.name)
            await authenticator.people.ask(
                authenticator.people.store.link,
                login.name, identity.issuer, identity.subject, login.name,
            )  # fmt: skip
        except DaasError as error:
            raise web_error(error, self.log) from None
        self.record("linked", f"{identity.subject} at {identity.issuer}")
        self.back("linked")


class UnlinkPage(AccountPages):
    """`POST /account/unlink`: an identity that shall not sign in here any more."""

    @authenticated
    async def post(self) -> None:
        """Unlink it, but neither the last one nor that of this login."""
        issuer, _, subject = self.get_body_argument("link", "").partition(" ")
        people = self.authenticator.people
        try:
            login = await self.login()
            known = await people.ask(people.store.person, login.name)
            if (issuer, subject) == (login.issuer, login.subject) or len(known.links) < 2:
                raise BadRequest(
                    "You are signed in with this identity, or it is your only one, so it stays.",
                    "Sign in with another one to unlink it.",
                )
            done = await people.ask(people.store.unlink, login.name, issuer, subject)
            gone = [
                one for one in await self.authenticator.register.of(login.name)
                if (one.issuer, one.subject) == (issuer, subject)
            ]  # fmt: skip
            await end_logins(self.authenticator.register, self.current_user, gone)
        except DaasError as error:
            raise web_error(error, self.log) from None
        if done:
            self.record("unlinked", f"{subject} at {issuer}")
        self.back("unlinked")


class EndPage(AccountPages):
    """`POST /account/end`: sign out one browser, or all of them."""

    @authenticated
    async def post(self) -> None:
        """End them. Sessions keep running."""
        register, user = self.authenticator.register, self.current_user
        wanted = self.get_body_argument("login", "")
        try:
            login = await self.login()
            logins = await register.of(user.name)
            gone = [one for one in logins if wanted in ("all", one.key)]
            if login in gone:
                await leave(self, gone)
                return
            await end_logins(register, user, gone)
        except DaasError as error:
            raise web_error(error, self.log) from None
        self.back("ended")


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


def _shown_name(claims: Any) -> str:
    """Return how the provider calls somebody, for her own eyes."""
    found = next(
        (claims[key] for key in ("name", "preferred_username", "email") if claims.get(key)), ""
    )
    return found if isinstance(found, str) and found.isprintable() else ""


HANDLERS: list[tuple[str, type[AccountPages]]] = [
    (r"/account/?", AccountPage),
    (r"/account/link/?", LinkPage),
    (r"/account/confirm/?", ConfirmPage),
    (r"/account/unlink/?", UnlinkPage),
    (r"/account/end/?", EndPage),
]
