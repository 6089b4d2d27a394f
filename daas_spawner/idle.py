"""When a session that nobody uses ends, and what its person reads before. Kept by its spawner.

The session itself says when it was last in use; pictures are no use, so the proxy's own figure
counts only until it has said so.
"""

import time
from dataclasses import dataclass

#: The sentence stands on every page and in the picture from the first of these times on, and
#: changes at the second, so that who put it aside reads it again.
WARN_SECONDS = 900
LAST_CALL_SECONDS = 300


@dataclass(slots=True)
class Idle:
    """One session's rest, in seconds since 1970. *told_at* is when its person was first warned."""

    used_at: float = 0.0
    told_at: float | None = None

    def note_use(self, at: float, now: float) -> None:
        """Note that the session was in use at *at*, as it says itself; never later than *now*."""
        self.used_at = max(self.used_at, min(at, now))

    def ends_at(self, idle_seconds: float, known: float, now: float) -> float | None:
        """Return when the session ends, from the time of its warning on; None before that.

        *known* is what the hub knows of its use if the session said nothing. Nobody is warned for
        less than the whole time, even when a hub that was away finds a long rest.
        """
        warned = min(WARN_SECONDS, idle_seconds / 2)
        due = (self.used_at or known) + idle_seconds
        if now < due - warned:
            self.told_at = None
            return None
        if self.told_at is None:
            self.told_at = now
        return max(due, self.told_at + warned)


def warning(title: str, ends_at: float, now: float) -> str:
    """Return what the person reads while her session *title* is about to end."""
    at = time.strftime("%H:%M UTC", time.gmtime(ends_at))
    if ends_at - now > LAST_CALL_SECONDS:
        return (
            f"Nobody uses {title}, and nothing computes in it. It ends at {at} unless you use it."
        )
    return f"{title} ends at {at}, in less than 5 minutes. Press a key in it, or save your work."


def after_the_end(idle_seconds: float) -> str:
    """Return why the session does not run any more, for its card."""
    rest = (
        f"{idle_seconds / 3600:g} hours"
        if idle_seconds >= 7200
        else f"{idle_seconds / 60:g} minutes"
    )
    return f"Nobody used it for {rest}, so it was ended. Your files are kept."
