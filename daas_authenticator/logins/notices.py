"""What somebody reads whose sessions are going to be ended, and when that will be.

Decided by the sweep, shown on the hub's pages, the portal's and inside sessions. Pure functions.
"""

import time
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why somebody loses her sessions."""

    BLOCKED = "blocked"
    REFUSED = (
        "refused"  # by the provider: expired there, disabled or deleted; it does not say which
    )


@dataclass(frozen=True, slots=True)
class Grace:
    """How long sessions go on after their person has lost her right, in seconds."""

    blocked: int
    refused: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Sessions end at *ends_at*, in seconds since 1970."""

    reason: Reason
    ends_at: int

    def sentence(self, support: str) -> str:
        """Return what the person reads."""
        if self.reason is Reason.BLOCKED:
            return (
                f"You may not use the portal for now. Your sessions end at {_time(self.ends_at)}: "
                f"save your work. Ask {support}."
            )
        return (
            f"Your login has ended. Sign in again before {_time(self.ends_at)}, or your sessions "
            "end then."
        )


def public_sentence(ends_at: int) -> str:
    """Return what somebody reads while she is signed in on a public computer."""
    return (
        f"You are signed in on a public computer until {_time(ends_at)}. Until then your account "
        "has no administrator or staff rights, here and elsewhere."
    )


def _time(seconds: int) -> str:
    return time.strftime("%H:%M UTC on %-d %B", time.gmtime(seconds))


def notice(reason: Reason, since: int, told_at: int, grace: Grace) -> Notice:
    """Return the notice for a right that was lost at *since* and is told at *told_at*.

    However long ago it was lost, nobody gets less time from the notice than a blocked person.
    """
    if reason is Reason.BLOCKED:
        return Notice(reason, told_at + grace.blocked)
    return Notice(reason, max(since + grace.refused, told_at + grace.blocked))
