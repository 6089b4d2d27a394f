"""What a browser is when it comes: signed in by a login that stands, or not; and how one begins.

Used by the handlers that sign people in, and by the authenticator at every request.
"""

import time
from typing import Any

from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.logins.login import Login, browser_words, key_of
from daas_authenticator.logins.register import Register

_DAY_SECONDS = 86400


async def begin_login(handler: Any, data: dict[str, Any]) -> Any:
    """Sign somebody in with what the authenticator takes, and return the hub's user.

    Raises what the authenticator raises. The browser gets a new session cookie unless its old
    one was hers already: a login must not go on in a session that was planted.
    """
    authenticator = handler.authenticator
    before = await authenticator.register.login_of(handler.get_session_cookie())
    user = await handler.login_user(data)
    if user is None:
        raise authenticator.not_allowed()
    if before is None or before.name != user.name:
        if before is not None:
            await authenticator.register.end([before])
        session_id = handler.set_session_cookie()
    else:
        session_id = handler.get_session_cookie()
    kept = KeptLogin.from_state(await user.get_auth_state())
    assert kept is not None
    now = int(time.time())
    await authenticator.register.begin(
        Login(
            key=key_of(session_id),
            name=user.name,
            provider=kept.provider,
            issuer=kept.issuer,
            subject=kept.subject,
            sid=kept.sid,
            started_at=now,
            ends_at=now + int(handler.settings.get("cookie_max_age_days", 14) * _DAY_SECONDS),
            public=False,
            browser=browser_words(handler.request.headers.get("User-Agent", "")),
        )
    )
    return user


def not_her_own(handler: Any, user: Any) -> bool:
    """Tell whether somebody else asks for *user*: the portal, which starts a session for her."""
    return handler is None or getattr(handler, "_jupyterhub_user", None) is not user


async def stands(handler: Any, user: Any, register: Register) -> bool:
    """Tell whether the request of *handler* comes from a browser where *user* is signed in.

    Requests with a token carry their right with them; the hub's cookie is the same in all of a
    person's browsers and is worth nothing without a login of its own.
    """
    if not hasattr(handler, "_token_authenticated"):
        # The hub (6.1) reads this when a login ends, and not every handler has set it.
        handler._token_authenticated = False
    if handler._token_authenticated or not_her_own(handler, user):
        return True
    login = await register.login_of(handler.get_session_cookie())
    return login is not None and login.name == user.name
