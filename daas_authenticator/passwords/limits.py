"""How often somebody may try a password: per name and address, per name, per address.

Used by `ways.PasswordWays`. All in the hub's memory and bounded; a restart forgets it. An attempt
counts before it is checked, so that a hundred at once are not a hundred guesses.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import ip_address

from daas_model.errors import TooManyAttempts

_MOST_KEYS = 20_000
_MINUTE = 60
_DAY = 24 * 60 * _MINUTE


@dataclass(frozen=True, slots=True)
class Rule:
    """After *most* failures in *window_seconds*, none for *lock_seconds* since the last."""

    most: int
    window_seconds: int
    lock_seconds: int


#: Who has forgotten her password, or somebody beside her.
PAIR = Rule(most=5, window_seconds=15 * _MINUTE, lock_seconds=15 * _MINUTE)
#: One computer that tries many names; an institute may stand behind one address.
ADDRESS = Rule(most=20, window_seconds=15 * _MINUTE, lock_seconds=15 * _MINUTE)
#: Many computers that try one name: some 300 guesses a day. Later and shorter than the others,
#: because it could be used to keep her out; where she has signed in from, it does not count.
NAME = Rule(most=25, window_seconds=_DAY, lock_seconds=5 * _MINUTE)


class Failures:
    """The failures of one rule, by what it counts. The oldest are forgotten first."""

    def __init__(self, rule: Rule, most_keys: int = _MOST_KEYS) -> None:
        self._rule = rule
        self._most_keys = most_keys
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def wait(self, key: Hashable, now: float) -> float:
        """Return for how many seconds *key* must not try; 0 or less when it may."""
        times = self._times.get(key)
        if times is None or len(times) < self._rule.most:
            return 0
        if times[0] <= now - self._rule.window_seconds:
            return 0
        return times[-1] + self._rule.lock_seconds - now

    def add(self, key: Hashable, now: float) -> None:
        """Count a failure."""
        times = self._times.setdefault(key, deque(maxlen=self._rule.most))
        times.append(now)
        self._times.move_to_end(key)
        if len(self._times) > self._most_keys:
            self._times.popitem(last=False)

    def remove(self, key: Hashable, when: float) -> None:
        """Take back the failure of *when*, which was none."""
        times = self._times.get(key)
        if times and when in times:
            times.remove(when)

    def forget(self, key: Hashable) -> None:
        """Forget all failures of *key*."""
        self._times.pop(key, None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that was counted; what comes of it is told to `Limits`."""

    way: str
    name: str
    address: str
    when: float

    @property
    def pair(self) -> Hashable:
        """What the strictest rule counts."""
        return (self.way, self.name, self.address)


class Limits:
    """Counts attempts, and refuses those that are too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pairs, self._names, self._addresses = map(Failures, (PAIR, NAME, ADDRESS))
        self._at_home: OrderedDict[Hashable, None] = OrderedDict()

    def begin(self, way: str, name: str, address: str) -> Attempt:
        """Count an attempt as failed, for the moment. Raises `TooManyAttempts`."""
        now = self._clock()
        attempt = Attempt(way, name, network(address), now)
        counted = self._counted(attempt)
        wait = max(failures.wait(key, now) for failures, key in counted)
        if wait > 0:
            minutes = math.ceil(wait / _MINUTE)
            raise TooManyAttempts(
                "There were too many attempts to sign in.",
                f"Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again.",
                retry_seconds=math.ceil(wait),
            )
        for failures, key in counted:
            failures.add(key, now)
        return attempt

    def succeeded(self, attempt: Attempt) -> None:
        """Forget the failures of this name at this address, and remember that she was here."""
        self.undo(attempt)
        self._pairs.forget(attempt.pair)
        self._at_home[attempt.pair] = None
        self._at_home.move_to_end(attempt.pair)
        if len(self._at_home) > _MOST_KEYS:
            self._at_home.popitem(last=False)

    def undo(self, attempt: Attempt) -> None:
        """Do not count *attempt*: the password was never judged."""
        for failures, key in self._counted(attempt):
            failures.remove(key, attempt.when)

    def _counted(self, attempt: Attempt) -> list[tuple[Failures, Hashable]]:
        counted = [(self._pairs, attempt.pair), (self._addresses, attempt.address)]
        if attempt.pair not in self._at_home:
            counted.append((self._names, (attempt.way, attempt.name)))
        return counted


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64 that one subscriber has whole."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return f"{ip_address(int(ip) >> 64 << 64)}/64"
