"""Who could have which rights, and whose count now. In memory: nobody is raised after a restart.

Made by the authenticator, which notes what each login and renewal brings.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from daas_authenticator.rights.step_up import NEED_STEP_UP, StepUp, effective


@dataclass(frozen=True, slots=True)
class Held:
    """The rights that a person's provider gives her, and what it must say before all count."""

    rights: frozenset[str]
    step_up: StepUp

    @property
    def can_be_raised(self) -> bool:
        """Whether a second factor would bring her more."""
        more = self.rights & NEED_STEP_UP and not self.step_up.rights_without_step_up
        return bool(more and self.step_up.acr_values)


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
        self._raised: dict[str, int] = {}

    def note(self, name: str, held: Held) -> None:
        """Note what the provider of *name* has just said of her."""
        self._held[name] = held

    def held(self, name: str) -> Held:
        """Return what her provider last said of *name*."""
        return self._held.get(name, Held(frozenset(), StepUp()))

    def raise_until(self, name: str, until: int) -> None:
        """Let all rights of *name* count until then, in seconds since 1970."""
        self._raised[name] = until

    def lower(self, name: str) -> None:
        """Let them count no longer."""
        self._raised.pop(name, None)

    def raised_until(self, name: str) -> int | None:
        """Return until when *name* is raised; None when she is not."""
        until = self._raised.get(name)
        raised = until is not None and until > self._clock() and not self._public_until(name)
        return until if raised else None

    def effective(self, name: str, at_public: bool = False) -> frozenset[str]:
        """Return the rights of *name* that count now; few of them *at_public* computers."""
        held = self.held(name)
        if at_public or self._public_until(name):
            return held.rights - NEED_STEP_UP
        return effective(held.rights, held.step_up, self.raised_until(name), self._clock())
