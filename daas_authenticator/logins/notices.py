"""What somebody reads whose sessions are going to be ended, and when that will be.

Decided by the sweep, shown on the hub's pages, the portal's and inside sessions. Pure functions.
"""

import time
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why somebody loses her sessions.

    A provider refuses alike whose login is too old there, who was disabled and who was deleted.
    """

    BLOCKED = "blocked"
    REFUSED = "refused"
    PROPOSAL = "proposal"  # is not hers any more: one session ends
    IDLE = "idle"  # nobody uses it; its spawner gives the notice


@dataclass(frozen=True, slots=True)
class Grace:
    """How long sessions go on after their person has lost her right, in seconds."""

    blocked: int
    refused: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Sessions end at *ends_at*, in seconds since 1970; only *session*, by its title, if named."""

    reason: Reason
    ends_at: int
    session: str = ""

    def sentence(self, support: str) -> str:
        """Return what the person reads."""
        if self.reason is Reason.BLOCKED:
            return (
                f"You may not use the portal for now. Your sessions end at {_time(self.ends_at)}: "
                f"save your work. Ask {support}."
            )
        if self.reason is Reason.PROPOSAL:
            return (
                f"You are not a member of the proposal of {self.session} any more. That session "
                f"ends at {_time(self.ends_at)}: save your work. Ask your local contact."
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


def raised_sentence(ends_at: int) -> str:
    """Return what somebody reads while her rights count by a second factor."""
    return (
        f"Your administrator or staff rights count until {_time(ends_at)}. Give them up on “My "
        "account” when you are done."
    )


def duration(seconds: int) -> str:
    """Return *seconds* as a person says it, in whole hours or minutes and rather too few."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        number = seconds // length
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "a moment"


def _time(seconds: int) -> str:
    return time.strftime("%H:%M UTC on %-d %B", time.gmtime(seconds))


def notice(reason: Reason, since: int, told_at: int, grace: Grace) -> Notice:
    """Return the notice for a right that was lost at *since* and is told at *told_at*.

    However long ago it was lost, nobody gets less time from the notice than a blocked person.
    """
    if reason is not Reason.REFUSED:
        return Notice(reason, told_at + grace.blocked)
    return Notice(reason, max(since + grace.refused, told_at + grace.blocked))
