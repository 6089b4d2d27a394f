"""What a browser is when it comes: signed in by a login that stands, or not; and how one begins.

Used by the handlers that sign people in, and by the authenticator at every request.
"""

import time
from dataclasses import replace
from typing import Any

from daas_authenticator.kept_logins import kept_login
from daas_authenticator.logins.ending import end_logins
from daas_authenticator.logins.login import Login, browser_words, key_of
from daas_authenticator.logins.public import say_public
from daas_authenticator.logins.register import Register
from daas_authenticator.rights.applying import apply_rights

_DAY_SECONDS = 86400


async def begin_login(handler: Any, data: dict[str, Any], public: bool) -> Any:
    """Sign somebody in with what the authenticator takes, and return the hub's user.

    Raises what the authenticator raises. The browser gets a new session cookie unless its old
    one was hers already: a login must not go on in a session that was planted. On a *public*
    computer the login is short, and its cookies end with the browser.
    """
    authenticator = handler.authenticator
    before = await authenticator.register.login_of(handler.get_session_cookie())
    # What was called public stays so until its person says otherwise.
    public = public or (before is not None and before.public)
    user = await handler.login_user({**data, "public": public})
    if user is None:
        raise authenticator.not_allowed()
    if before is not None and before.name != user.name:
        await end_logins(authenticator, handler.find_user(before.name), [before])
    if public:
        _forget_with_the_browser(handler, user)
    login = await _login(handler, user, before, public)
    await _leave_others_a_grace(authenticator, login)
    await authenticator.register.begin(login)
    if public:
        # Another browser's renewal may have given them back meanwhile.
        apply_rights(user, authenticator.holders.effective(user.name))
    return user


async def _login(handler: Any, user: Any, before: Login | None, public: bool) -> Login:
    kept = kept_login(await user.get_auth_state())
    assert kept is not None
    now = time.time()
    return Login(
        key=key_of(_session_id(handler, user, before)),
        name=user.name,
        provider=kept.provider,
        issuer=kept.issuer,
        subject=kept.subject,
        sid=kept.sid,
        started_at=int(now),
        ends_at=int(now + _seconds(handler, public)),
        public=public,
        browser=browser_words(handler.request.headers.get("User-Agent", "")),
    )


async def _leave_others_a_grace(authenticator: Any, login: Login) -> None:
    """Let logins by her other identities run out: the hub can renew the newest one's only."""
    identity = (login.issuer, login.subject)
    hers = await authenticator.register.of(login.name)
    others = [one for one in hers if (one.issuer, one.subject) != identity]
    await authenticator.register.end_soon(others, authenticator.grace_seconds)


async def make_public(handler: Any, login: Login) -> None:
    """Make *login* of this browser a short one, as at a public computer."""
    _forget_with_the_browser(handler, handler.current_user)
    ends_at = min(login.ends_at, int(time.time() + _seconds(handler, public=True)))
    await handler.authenticator.register.begin(replace(login, public=True, ends_at=ends_at))


def _forget_with_the_browser(handler: Any, user: Any) -> None:
    """Send the hub's cookie once more, as one that ends when the browser is closed."""
    name, path = handler.hub.cookie_name, handler.hub.base_url
    handler._set_cookie(name, user.cookie_id, encrypted=True, path=path, expires_days=None)
    say_public(handler, public=True)


def _session_id(handler: Any, user: Any, before: Login | None) -> str:
    """Return the session cookie that the login gets: the browser's own where that was hers.

    Then what she has open since an older login, which has run out, is closed with this one.
    """
    given = handler.get_session_cookie()
    hers = before is not None and before.name == user.name
    if given and (hers or any(token.session_id == given for token in user.api_tokens)):
        return str(given)
    return str(handler.set_session_cookie())


def _seconds(handler: Any, public: bool) -> float:
    if public:
        return 60.0 * int(handler.authenticator.public_login_minutes)
    return _DAY_SECONDS * float(handler.settings.get("cookie_max_age_days", 14))


def not_her_own(handler: Any, user: Any) -> bool:
    """Tell whether somebody else asks for *user*: the portal, which starts a session for her."""
    return handler is None or getattr(handler, "_jupyterhub_user", None) is not user


def by_her_token(handler: Any, user: Any) -> bool:
    """Tell whether *user* asks with a token of hers: a session, the portal, a script."""
    return not not_her_own(handler, user) and bool(getattr(handler, "_token_authenticated", False))


async def stands(handler: Any, user: Any, register: Register) -> bool:
    """Tell whether the request of *handler* comes from a browser where *user* is signed in.

    Requests with a token carry their right with them; the hub's cookie is the same in all of a
    person's browsers and is worth nothing without a login of its own.
    """
    if not hasattr(handler, "_token_authenticated"):
        # The hub (6.1) reads this when a login ends, and not every handler has set it.
        handler._token_authenticated = False
    if by_her_token(handler, user) or not_her_own(handler, user):
        return True
    login = await register.login_of(handler.get_session_cookie())
    return login is not None and login.name == user.name
