"""Lets somebody's rights count for some minutes, after a second factor, and takes them back.

Used by the page to which her provider sends her back, and by her buttons on “My account”.
"""

import asyncio
import time
from typing import Any

from daas_authenticator.client import Identity
from daas_authenticator.rights.applying import apply_rights
from daas_authenticator.rights.holders import Held
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
    holders.note(user.name, Held(rights, step_up))
    holders.raise_until(user.name, answer.until)
    apply_rights(user, holders.effective(user.name))
    until = time.strftime("%H:%M:%S UTC", time.gmtime(answer.until))
    authenticator.audit.record("rights raised", user.name, user.name, f"until {until}")

    def time_is_over() -> None:
        # She may have been raised once more meanwhile, or not be raised any longer.
        apply_rights(user, holders.effective(user.name))

    asyncio.get_running_loop().call_later(max(0.0, answer.until - time.time()), time_is_over)


def lower_rights(authenticator: Any, user: Any) -> None:
    """Let the rights of *user* that need a second factor count no longer."""
    authenticator.holders.lower(user.name)
    apply_rights(user, authenticator.holders.effective(user.name))
