"""Where a person wanted to go, when it is too long for a cookie. Kept in memory.

Used by the pages of a login. A cookie holds 4 kB with its name and signature, and proxies
refuse more than 16 kB of headers; a launch link with many proposals is longer than its share.
"""

import time
from collections.abc import Callable

from daas_authenticator.login_flow import LIFETIME_SECONDS

#: What fits the cookie of one of several waiting logins.
SHORT_CHARACTERS = 1500
# Anybody may start a login: what he can fill is bounded, to 8 MB.
_MOST_CHARACTERS = 8_000_000


class LongLinks:
    """Links by the state of their login, for ten minutes; the oldest go when it is full.

    A link that is gone costs a click: the login then ends on the home page.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: dict[str, tuple[float, str]] = {}
        self._characters = 0

    def keep(self, state: str, link: str) -> None:
        """Keep *link* for the login *state*."""
        self._links[state] = (self._clock(), link)
        self._characters += len(link)
        oldest = self._clock() - LIFETIME_SECONDS
        # In the order of their making, so the oldest stand first.
        while self._characters > _MOST_CHARACTERS or next(iter(self._links.values()))[0] < oldest:
            self.take(next(iter(self._links)))

    def take(self, state: str) -> str:
        """Return the link of *state*, once; nothing when there is none."""
        link = self._links.pop(state, (0.0, ""))[1]
        self._characters -= len(link)
        return link
