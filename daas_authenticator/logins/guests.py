"""May somebody who watches another's session still do so? Asked again and again.

Part of the sweep. A guest holds a share of the hub's; the spawner knows the facility's rule. She
has nothing to save: she is sent out at once, unless only her provider refuses her.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm

from daas_authenticator.logins.notices import Reason

#: Why somebody is sent out of a session that does not run.
_ENDED = "session ended"


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody by *name*, with the hub's number of her share."""

    name: str
    share: int


class Guests:
    """Looks at all who watch sessions of the hub *app*, each every *every_seconds*.

    *refused* tells since when a user's provider refuses her, if it does.
    """

    def __init__(
        self,
        authenticator: Any,
        app: Any,
        refused: Callable[[Any], Awaitable[tuple[Reason | None, int]]],
        *,
        grace_seconds: int,
        every_seconds: float,
    ) -> None:
        self._authenticator = authenticator
        self._app = app
        self._refused = refused
        self._grace_seconds = grace_seconds
        self._every_seconds = every_seconds
        self._asked_at: dict[int, float] = {}

    def send_out_blocked(self, blocked: Collection[str]) -> None:
        """Send out who is *blocked*, and whoever's session has ended: nobody need be asked."""
        for share in self._app.db.query(orm.Share).all():
            if share.user is not None and share.user.name in blocked:
                self._send_out(share, Reason.BLOCKED)
            elif share.spawner.server is None:
                # What the database says: a hub that has just begun does not know its sessions yet.
                self._send_out(share, _ENDED)

    def due(self) -> list[Guest]:
        """Return who is to be looked at now."""
        shares = [share for share in self._app.db.query(orm.Share).all() if share.user]
        there = {share.id for share in shares}
        self._asked_at = {id_: at for id_, at in self._asked_at.items() if id_ in there}
        earliest = time.monotonic() - self._every_seconds
        return [
            Guest(share.user.name, share.id)
            for share in shares
            if self._asked_at.get(share.id, float("-inf")) <= earliest
        ]

    async def look_at(self, guest: Guest) -> None:
        """Send *guest* out if she may not watch any more. Raises `DaasError` if nobody can tell."""
        self._asked_at[guest.share] = time.monotonic()
        user = self._app.users.get(guest.name)
        share = self._app.db.get(orm.Share, guest.share)
        spawner = self._spawner(share) if share else None
        if user is None or spawner is None or not hasattr(spawner, "still_watched_by"):
            return
        reason, since = await self._refused(user)
        if reason is None or time.time() < since + self._grace_seconds:
            reason = None if await spawner.still_watched_by(user) else Reason.PROPOSAL
        # Meanwhile it may have been taken back by somebody else.
        share = self._app.db.get(orm.Share, guest.share)
        if reason is not None and share is not None:
            self._send_out(share, reason)

    def _spawner(self, share: orm.Share) -> Any:
        """Return the spawner of the session that *share* is for, while that runs."""
        owner = self._app.users.get(share.owner.name)
        spawner = owner.spawners.get(share.spawner.name) if owner else None
        return spawner if spawner is not None and spawner.active else None

    def _send_out(self, share: orm.Share, reason: str) -> None:
        name = share.user.name if share.user else ""
        session = f"{share.owner.name}/{share.spawner.name}"
        self._app.db.delete(share)
        self._app.db.commit()
        self._authenticator.log.warning("%s watches %s no more: %s", name, session, reason)
        self._authenticator.audit.record("sent out", name, "sweep", f"{session}: {reason}")
