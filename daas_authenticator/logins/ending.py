"""Ends logins: the browsers' own, and with them what these browsers hold of the hub.

Used by the pages that sign out, by the provider's notice and by the sweep. A session asks the hub
whether its visitor's token is still good; deleting it here is what closes her pages there.
"""

from collections.abc import Collection
from typing import Any

from jupyterhub import orm
from jupyterhub.utils import new_token

from daas_authenticator.logins.login import Login, key_of
from daas_authenticator.rights.raising import lower_rights

#: Under this client stand the tokens that people made for their scripts, and the sessions' own.
_MADE_HERE = "jupyterhub"
#: All that a session's own token may do (JupyterHub's `Spawner.server_token_scopes`).
_OF_A_SESSION = ("access:servers!server=", "users:activity!user")


async def end_logins(
    authenticator: Any, user: Any, logins: Collection[Login], all_of_it: bool = True
) -> None:
    """End *logins* of the hub's *user*, and what the browsers hold in their name.

    Unless *all_of_it* is to end, sessions that are open stay open, and only pages ask to sign in.
    Rights by a second factor end with her last login. Raises `PeopleUnavailable` when that cannot
    be written down; it is done all the same, and written later.
    """
    register = authenticator.register
    if user is not None and logins:
        everywhere = set(await register.of(user.name)) <= set(logins)
        keys = None if everywhere and all_of_it else frozenset(login.key for login in logins)
        forget_tokens(user, keys, sessions_too=all_of_it)
        if everywhere:
            lower_rights(authenticator, user)
    await register.end(logins)


def forget_tokens(user: Any, keys: Collection[str] | None, sessions_too: bool = True) -> None:
    """Delete the tokens that the portal and the sessions hold for the browsers *keys*.

    None stands for all browsers of *user*. Then the hub's cookie, one for all of them, is
    changed too, so that no copy of it is good for anything.
    """
    database = user.db
    held = [
        token
        for token in user.api_tokens
        if token.client_id != _MADE_HERE
        and (sessions_too or token.client_id.startswith("service-"))
    ]
    codes = database.query(orm.OAuthCode).filter_by(user_id=user.id).all()
    for row in (*held, *codes):
        of_a_browser = row.session_id and key_of(row.session_id) in (keys or ())
        if keys is None or of_a_browser:
            database.delete(row)
    if keys is None:
        user.orm_user.cookie_id = new_token()
    database.commit()


def forget_scripts(user: Any) -> None:
    """Delete what *user* has made for her scripts; running sessions keep their own tokens."""
    addresses = {
        f"Server at {spawner.server.base_url}"
        for spawner in user.spawners.values()
        if spawner.active and spawner.server
    }
    for token in list(user.api_tokens):
        # People write the notes of their tokens, but not what the hub lets a session's do.
        own = token.note in addresses and all(
            scope.startswith(_OF_A_SESSION) for scope in token.scopes
        )
        if token.client_id == _MADE_HERE and not own:
            user.db.delete(token)
    user.db.commit()
