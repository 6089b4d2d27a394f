"""Does a running session's person still belong to its proposals? Asked again and again.

Part of the sweep. The spawner knows what a session has mounted and asks the catalogue; a session
whose proposal is not hers any more ends after a notice and a grace, and the others go on.
"""

import time
from typing import Any

from daas_authenticator.logins.notices import Grace, Notice, Reason, notice
from daas_model.errors import DaasError

_Key = tuple[str, str]


class Memberships:
    """Looks at sessions of the hub *app*, each every *every_seconds*."""

    def __init__(self, authenticator: Any, app: Any, grace: Grace, every_seconds: float) -> None:
        self._log = authenticator.log
        self._audit = authenticator.audit
        self._app = app
        self._grace = grace
        self._every_seconds = every_seconds
        self._asked_at: dict[_Key, float] = {}
        self._notices: dict[_Key, Notice] = {}

    def notices_of(self, name: str) -> list[Notice]:
        """Return which sessions *name* is going to lose, and when."""
        return [one for (whose, _), one in self._notices.items() if whose == name]

    async def look_at(self, user: Any) -> None:
        """Look at the sessions of *user* whose time has come."""
        running = {spawner.name: spawner for spawner in user.spawners.values() if spawner.active}
        for key in [key for key in self._asked_at if key[0] == user.name]:
            if key[1] not in running:
                del self._asked_at[key]
                self._notices.pop(key, None)
        earliest = time.monotonic() - self._every_seconds
        for name, spawner in running.items():
            key = (user.name, name)
            due = key in self._notices or self._asked_at.get(key, float("-inf")) <= earliest
            if due and hasattr(spawner, "still_allowed"):
                self._asked_at[key] = time.monotonic()
                await self._ask(user, spawner, key)

    async def _ask(self, user: Any, spawner: Any, key: _Key) -> None:
        try:
            allowed = await spawner.still_allowed()
        except DaasError as error:
            # A catalogue that cannot tell has taken nobody's right away.
            self._log.warning("%s: %s", error.code, error.detail or error.message)
            return
        if allowed:
            self._notices.pop(key, None)
            return
        now = int(time.time())
        if key not in self._notices:
            ends_at = notice(Reason.PROPOSAL, now, now, self._grace).ends_at
            title = spawner.orm_spawner.display_name or spawner.name
            self._notices[key] = Notice(Reason.PROPOSAL, ends_at, title)
            self._log.warning("Session %s of %s ends: proposal", spawner.name, user.name)
        if self._notices[key].ends_at <= now:
            await end_session(self._app, self._audit, user, spawner, Reason.PROPOSAL)
            self._notices.pop(key, None)


async def end_session(app: Any, audit: Any, user: Any, spawner: Any, reason: Reason) -> None:
    """End one session of the hub's *user*, unless it is just starting or ending."""
    if spawner.pending:
        return
    await app.proxy.delete_user(user, spawner.name)
    await user.stop(spawner.name)
    audit.record("session ended", user.name, "sweep", f"{spawner.name}: {reason}")
