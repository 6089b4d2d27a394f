"""When a right that is dangerous in the wrong hands counts: with a second factor, just now.

The authenticator asks before it gives such a right and while it lasts. Pure functions. All is read
from the verified ID token: what a login was asked for proves nothing, what was signed does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daas_authenticator.id_token import LEEWAY_SECONDS
from daas_authenticator.rights.rules import ADMIN, STAFF

#: The rights that count only while their holder is raised. The others open nobody else's things.
NEED_STEP_UP = frozenset({ADMIN, STAFF})
#: How long a login with the second factor may lie back when it arrives here.
RECENT_SECONDS = 300
LONGEST_SECONDS = 900

_KEYS = {"acr_values", "raised_seconds", "rights_without_step_up"}


@dataclass(frozen=True, slots=True)
class StepUp:
    """What one provider must say before rights from it count, and for how long they do."""

    acr_values: tuple[str, ...] = ()
    raised_seconds: int = LONGEST_SECONDS
    rights_without_step_up: bool = False


@dataclass(frozen=True, slots=True)
class Raised:
    """The rights count until this time (seconds since 1970), and not a second longer."""

    until: int


@dataclass(frozen=True, slots=True)
class NotRaised:
    """The rights do not count. *why* is for the log, and holds nothing that the token said."""

    why: str


def raised(id_token: Mapping[str, Any], step_up: StepUp, now: float) -> Raised | NotRaised:
    """Return until when the person of the verified *id_token* is raised, or why she is not."""
    if not step_up.acr_values:
        return NotRaised("no acr_values are set for this provider in step_up")
    acr, auth_time, this_second = id_token.get("acr"), id_token.get("auth_time"), int(now)
    if isinstance(acr, list) and len(acr) == 1:
        acr = acr[0]  # brokers that speak SAML behind send single values as lists
    if not isinstance(acr, str) or acr not in step_up.acr_values:
        return NotRaised("the ID token's acr is missing or not one of step_up's acr_values")
    if not isinstance(auth_time, int) or isinstance(auth_time, bool):
        return NotRaised("the ID token's auth_time is missing or no whole number")
    if auth_time > this_second + LEEWAY_SECONDS:
        return NotRaised("auth_time lies in the future; compare the clocks of hub and provider")
    if auth_time < this_second - RECENT_SECONDS:
        return NotRaised("the provider did not ask again: auth_time is too long ago")
    # A provider whose clock is ahead makes it no longer.
    return Raised(min(auth_time, this_second) + step_up.raised_seconds)


def effective(
    rights: frozenset[str], step_up: StepUp, raised_until: float | None, now: float
) -> frozenset[str]:
    """Return those of *rights* that count now, for somebody raised until then, or not at all."""
    if step_up.rights_without_step_up or (raised_until is not None and now < raised_until):
        return rights
    return rights - NEED_STEP_UP


def parse_step_up(entries: Mapping[str, object]) -> dict[str, StepUp]:
    """Return the setting `step_up`, by provider. Raises `ValueError` that says what is wrong."""
    return {
        provider: _step_up(entry, f"step_up[{provider!r}]") for provider, entry in entries.items()
    }


def _step_up(entry: object, where: str) -> StepUp:
    if not isinstance(entry, Mapping):
        raise ValueError(f'{where} must be a mapping such as {{"acr_values": ["…"]}}')
    unknown = {str(key) for key in entry} - _KEYS
    if unknown:
        raise ValueError(f"{where}: there is no {', '.join(sorted(unknown))}")
    acr_values = entry.get("acr_values", ())
    if (
        not isinstance(acr_values, Sequence)
        or isinstance(acr_values, str)
        or not all(
            isinstance(acr, str) and acr and not set(acr) & set(" \t\r\n") for acr in acr_values
        )
    ):
        raise ValueError(
            f'{where}: acr_values must be a list such as ["https://refeds.org/profile/mfa"]'
        )
    seconds = entry.get("raised_seconds", LONGEST_SECONDS)
    if type(seconds) is not int or not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"{where}: raised_seconds must be a whole number up to {LONGEST_SECONDS}")
    without = entry.get("rights_without_step_up", False)
    if not isinstance(without, bool):
        raise ValueError(f"{where}: rights_without_step_up must be True or False")
    if without is bool(acr_values):
        raise ValueError(f"{where}: give either acr_values or rights_without_step_up = True")
    return StepUp(tuple(acr_values), seconds, without)
