"""What the buttons of “My account” do: link, unlink, raise and lower rights, sign out elsewhere.

Registered by `routes`. Every change is a POST with the form's token.
"""

from functools import partial
from typing import Any

from jupyterhub.utils import url_path_join
from tornado.web import authenticated

from daas_authenticator.account_page import AccountPage, AccountPages
from daas_authenticator.login_flow import LoginFlow, Purpose
from daas_authenticator.logins.beginning import make_public
from daas_authenticator.logins.ending import end_logins, forget_scripts
from daas_authenticator.logins.login import Login
from daas_authenticator.logins.pages import leave
from daas_authenticator.passwords.forms import address_behind, why_no_passwords
from daas_authenticator.passwords.typed import Typed
from daas_authenticator.rights.raising import lower_rights
from daas_authenticator.web_errors import web_error
from daas_model.errors import BadRequest, DaasError, LoginFailed, TooManyAttempts


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
            if login.issuer in self.authenticator.passwords.issuers:
                self.redirect(url_path_join(self.hub.base_url, "account/prove"))
                return
            proof = LoginFlow(
                provider=login.provider, purpose=Purpose.PROVE, name=login.name, login=login.key
            )
            await self.go_to_provider(proof)
        except DaasError as error:
            raise web_error(error, self.log) from None


class ProvePage(AccountPages):
    """`/account/prove`: her password once more, for somebody who signed in with one."""

    @authenticated
    async def get(self) -> None:
        """Ask for it."""
        try:
            login = await self.login()
            self.authenticator.linking.wish(login.key, login.name)
        except DaasError as error:
            raise web_error(error, self.log) from None
        await self.show("prove.html", wrong="")

    @authenticated
    async def post(self) -> None:
        """Check it, and go on to the identity that is to be linked."""
        authenticator = self.authenticator
        try:
            login = await self.login()
            if why := why_no_passwords(self):
                raise LoginFailed(why, "Sign in with an identity provider, then link.")
            await self._check(login)
            wish = authenticator.linking.proved_by_password(login.key, login.name)
            onward = LoginFlow(
                provider=wish.provider, purpose=Purpose.LINK, name=login.name, login=login.key
            )
            await self.go_to_provider(onward)
        except (LoginFailed, TooManyAttempts) as error:
            self.log.warning("%s: %s", error.code, error.detail)
            self.set_status(error.status)
            await self.show("prove.html", wrong=f"{error.message} {error.action}")
        except DaasError as error:
            raise web_error(error, self.log) from None

    async def _check(self, login: Login) -> None:
        typed = Typed.from_form(self.request.body_arguments)
        identity = await self.authenticator.passwords.check(
            login.provider,
            typed,
            address_behind(self),
            lambda name: self.find_user(name) is not None,
        )
        await self.authenticator.check_belongs(identity, login.name)


class ConfirmPage(AccountPages):
    """`POST /account/confirm`: the last step of linking."""

    @authenticated
    async def post(self) -> None:
        """Link it."""
        authenticator = self.authenticator
        try:
            login = await self.login()
            shown = self.get_body_argument("subject", "")
            identity = authenticator.linking.take(login.key, login.name, shown)
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
            unlink = partial(people.store.unlink, keep_last=True)
            done = await people.ask(unlink, login.name, issuer, subject)
            gone = [
                one for one in await self.authenticator.register.of(login.name)
                if (one.issuer, one.subject) == (issuer, subject)
            ]  # fmt: skip
            await end_logins(self.authenticator, self.current_user, gone)
        except DaasError as error:
            raise web_error(error, self.log) from None
        if done:
            self.record("unlinked", f"{subject} at {issuer}")
        self.back("unlinked")


class RaisePage(AccountPages):
    """`POST /account/raise`: let all rights count for some minutes, after a second factor."""

    @authenticated
    async def post(self) -> None:
        """Go to the provider for it."""
        try:
            login = await self.login()
            wanted = " ".join(self.authenticator.step_up_of(login.provider).acr_values)
            await self.go_to_provider(_flow(login, login.provider, Purpose.RAISE, wanted))
        except DaasError as error:
            raise web_error(error, self.log) from None


class LowerPage(AccountPages):
    """`POST /account/lower`: give them up before their time."""

    @authenticated
    async def post(self) -> None:
        """Do."""
        lower_rights(self.authenticator, self.current_user)
        self.record("rights lowered")
        self.back("lowered")


class PublicPage(AccountPages):
    """`POST /account/public`: say that this computer is a public one, after having signed in."""

    @authenticated
    async def post(self) -> None:
        """Make this login short, and let few rights count."""
        try:
            await make_public(self, await self.login())
        except DaasError as error:
            raise web_error(error, self.log) from None
        lower_rights(self.authenticator, self.current_user)
        self.back("public")


#: What the buttons for all browsers say, the second with the tokens for scripts.
_EVERYWHERE = ("all", "all and tokens")


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
            gone = [one for one in logins if wanted in (*_EVERYWHERE, one.key)]
            if wanted == _EVERYWHERE[1]:
                forget_scripts(user)
            if login in gone:
                await leave(self, gone)
                return
            await end_logins(self.authenticator, user, gone)
        except DaasError as error:
            raise web_error(error, self.log) from None
        self.back("ended")


def _flow(login: Login, provider: str, purpose: Purpose, acr_values: str = "") -> LoginFlow:
    return LoginFlow(
        provider=provider,
        purpose=purpose,
        name=login.name,
        login=login.key,
        acr_values=acr_values,
    )


def _shown_name(claims: Any) -> str:
    """Return how the provider calls somebody, for her own eyes."""
    found = next(
        (claims[key] for key in ("name", "preferred_username", "email") if claims.get(key)), ""
    )
    return found if isinstance(found, str) and found.isprintable() else ""


HANDLERS: list[tuple[str, type[AccountPages]]] = [
    (r"/account/?", AccountPage),
    (r"/account/link/?", LinkPage),
    (r"/account/prove/?", ProvePage),
    (r"/account/confirm/?", ConfirmPage),
    (r"/account/unlink/?", UnlinkPage),
    (r"/account/raise/?", RaisePage),
    (r"/account/lower/?", LowerPage),
    (r"/account/public/?", PublicPage),
    (r"/account/end/?", EndPage),
]
