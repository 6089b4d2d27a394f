"""Which address is which page: all that this package serves below the hub's prefix.

Asked by `DaasAuthenticator.get_handlers`; the hub matches these before its own.
"""

from typing import Any

from daas_authenticator import account_forms, portal_redirects
from daas_authenticator.handlers import CallbackHandler, LoginHandler, SignInPage
from daas_authenticator.logins.idle import ActivityPage
from daas_authenticator.logins.pages import (
    BackchannelPage,
    NoticesPage,
    SignedOutPage,
    SignOutPage,
)
from daas_authenticator.long_links import LongLinks
from daas_authenticator.passwords.pages import PasswordPage

_NAME = "[a-z][a-z0-9-]{0,31}"
_ID = f"(?P<provider>{_NAME})"


def handlers() -> list[tuple[Any, ...]]:
    """Return the pages of a login, of one's account, and those that lead to the portal."""
    links = {"long_links": LongLinks()}
    return [
        (r"/login", SignInPage),
        (f"/password/(?P<way>{_NAME})/login", PasswordPage),
        (r"/oauth_login", LoginHandler, links),
        (r"/oauth_callback", CallbackHandler, links),
        (r"/oauth_backchannel", BackchannelPage),
        (f"/oidc/{_ID}/login", LoginHandler, links),
        (f"/oidc/{_ID}/callback", CallbackHandler, links),
        (f"/oidc/{_ID}/backchannel", BackchannelPage),
        (r"/logout", SignOutPage),
        (r"/signed-out", SignedOutPage),
        (r"/api/notices", NoticesPage),
        (r"/api/users/([^/]+)/activity", ActivityPage),
        *((path, page, links) for path, page in account_forms.HANDLERS),
        *portal_redirects.HANDLERS,
    ]
