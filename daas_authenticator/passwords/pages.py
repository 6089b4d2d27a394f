"""The page that takes a name and a password. Registered by `DaasAuthenticator.get_handlers`.

It is the sign-in page once more: what went wrong stands above the form that was sent.
"""

from typing import Any

from daas_authenticator.handlers import SignInPage
from daas_authenticator.login_flow import safe_path
from daas_authenticator.logins.beginning import begin_login
from daas_authenticator.passwords.forms import address_behind, why_no_passwords
from daas_authenticator.passwords.typed import Typed, typed_name
from daas_authenticator.web_errors import web_error
from daas_model.errors import DaasError, LoginFailed, TooManyAttempts


class PasswordPage(SignInPage):
    """Signs somebody in by one password way; the hub has checked the form's token."""

    async def get(self, way: str = "") -> None:
        """Show the ways: this address has nothing of its own to show."""
        del way
        await super().get()

    async def post(self, way: str = "") -> None:
        """Sign in and go on, or show the form again with what went wrong."""
        try:
            user = await self._sign_in(way)
        except DaasError as error:
            await self._again(way, error)
            return
        self._jupyterhub_user = user
        wanted = safe_path(self._validate_next_url(self.get_query_argument("next", "")))
        self.redirect(wanted or self.get_next_url(user))

    async def _sign_in(self, way: str) -> Any:
        if why := why_no_passwords(self):
            # Before what was typed is looked at.
            raise LoginFailed(why, "Choose another way to sign in.")
        typed = Typed.from_form(self.request.body_arguments)
        login = {"password_way": way, "typed": typed, "address": address_behind(self)}
        return await begin_login(self, login, self.is_public())

    async def _again(self, way: str, error: DaasError) -> None:
        self.set_status(web_error(error, self.log).status_code)
        if isinstance(error, TooManyAttempts):
            self.set_header("Retry-After", error.retry_seconds)
        self.finish(
            await self._render(
                failed={
                    "way": way,
                    "error": f"{error.message} {error.action}",
                    "name": typed_name(self.request.body_arguments),
                }
            )
        )

    def append_query_parameters(self, url: str, exclude: Any = None) -> str:  # noqa: ARG002
        """Keep what came with a form out of the address of the page that follows."""
        return url
