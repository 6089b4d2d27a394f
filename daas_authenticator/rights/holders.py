"""Who could have which rights, and whose count now. In memory: nobody is raised after a restart.

Made by the authenticator, which notes what each login and renewal brings.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from daas_authenticator.rights.step_up import NEED_STEP_UP, StepUp, effective


@dataclass(frozen=True, slots=True)
class Held:
    """The rights that a *provider* gives a person, and what it must say before all count."""

    provider: str
    rights: frozenset[str]
    step_up: StepUp

    @property
    def can_be_raised(self) -> bool:
        """Whether a second factor would bring her more."""
        more = self.rights & NEED_STEP_UP and not self.step_up.rights_without_step_up
        return bool(more and self.step_up.acr_values)


@dataclass(frozen=True, slots=True)
class _Raise:
    """By which provider somebody is raised, and until when: by both clocks, the earlier counts."""

    provider: str
    until: int
    until_monotonic: float


NOTHING = Held("", frozenset(), StepUp())


class Holders:
    """Rights by person. *public_until* tells whether somebody sits at a public computer."""

    def __init__(
        self,
        public_until: Callable[[str], int | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._public_until = public_until
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._raised: dict[str, _Raise] = {}

    def note(self, name: str, held: Held) -> None:
        """Note what the provider of *name* has just said of her."""
        self._held[name] = held

    def held(self, name: str) -> Held:
        """Return what her provider last said of *name*."""
        return self._held.get(name, NOTHING)

    def raise_until(self, name: str, until: int) -> None:
        """Let all rights that *name* holds by her provider count until then."""
        seconds = until - self._clock()
        self._raised[name] = _Raise(self.held(name).provider, until, time.monotonic() + seconds)

    def lower(self, name: str) -> None:
        """Let them count no longer."""
        self._raised.pop(name, None)

    def raised_until(self, name: str) -> int | None:
        """Return until when *name* is raised; None when she is not."""
        found = self._raised.get(name)
        if found is None or self._is_over(found) or self._public_until(name):
            return None
        # What one provider has seen counts for the rights that this one gives.
        return found.until if found.provider == self.held(name).provider else None

    def over(self) -> tuple[str, ...]:
        """Return, once, whose rights have ceased to count since the last time."""
        names = tuple(name for name, found in self._raised.items() if self._is_over(found))
        for name in names:
            del self._raised[name]
        return names

    def _is_over(self, found: _Raise) -> bool:
        # A clock that is set back, or a machine that slept, must not make it longer.
        return found.until <= self._clock() or found.until_monotonic <= time.monotonic()

    def effective(self, name: str, at_public: bool = False) -> frozenset[str]:
        """Return the rights of *name* that count now; few of them *at_public* computers."""
        held = self.held(name)
        if at_public or self._public_until(name):
            return held.rights - NEED_STEP_UP
        return effective(held.rights, held.step_up, self.raised_until(name), self._clock())
