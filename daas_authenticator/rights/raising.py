"""Lets somebody's rights count for some minutes, after a second factor, and takes them back.

Used by the page to which her provider sends her back, and by her buttons on “My account”.
"""

import asyncio
import time
from typing import Any

from daas_authenticator.client import Identity
from daas_authenticator.rights.applying import apply_rights
from daas_authenticator.rights.holders import NOTHING, Held
from daas_authenticator.rights.rules import rights_of
from daas_authenticator.rights.step_up import NotRaised, raised
from daas_model.errors import LoginFailed


def raise_rights(authenticator: Any, user: Any, identity: Identity) -> None:
    """Let all rights of the hub's *user* count, when *identity* proves a second factor.

    Raises `LoginFailed` when her provider did not say so, or at a public computer.
    """
    provider, holders = identity.provider, authenticator.holders
    step_up = authenticator.step_up_of(provider.id)
    answer = raised(identity.login_claims, step_up, time.time())
    if isinstance(answer, NotRaised) or authenticator.register.public_until(user.name):
        raise LoginFailed(
            f"{provider.title} did not confirm a second factor just now, or you are signed in on "
            "a public computer, so nothing was changed.",
            "Sign in with your second factor, then try again.",
            detail=answer.why if isinstance(answer, NotRaised) else "at a public computer",
        )
    rights = rights_of(provider.id, identity.claims, authenticator.rules)
    holders.note(user.name, Held(provider.id, rights, step_up))
    holders.raise_until(user.name, answer.until)
    apply_rights(user, holders.effective(user.name))
    until = time.strftime("%H:%M:%S UTC", time.gmtime(answer.until))
    authenticator.audit.record("rights raised", user.name, user.name, f"until {until}")
    asyncio.get_running_loop().call_later(
        max(0.0, answer.until - time.time()) + 0.1, lower_those_whose_time_is_over, authenticator
    )


def lower_those_whose_time_is_over(authenticator: Any) -> None:
    """Take back what has ceased to count; the sweep calls this too, should a timer be late."""
    for name in authenticator.holders.over():
        user = authenticator.parent.users.get(name)
        if user is not None:
            apply_rights(user, authenticator.holders.effective(name))


def take_all_rights(authenticator: Any, user: Any) -> None:
    """Let *user* have no right from now on: she is blocked, or her provider refuses her."""
    authenticator.holders.lower(user.name)
    authenticator.holders.note(user.name, NOTHING)
    apply_rights(user, ())


def lower_rights(authenticator: Any, user: Any) -> None:
    """Let the rights of *user* that need a second factor count no longer."""
    authenticator.holders.lower(user.name)
    apply_rights(user, authenticator.holders.effective(user.name))
