"""Ends sessions that nobody uses, and hears from sessions when they were last in use.

They say here, too, that their person ends them. Part of the sweep. When a session ends is the
spawner's to say; a spawner that cannot say is left alone. The hub's own figure of activity is not
used: its proxy counts pictures.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from jupyterhub.apihandlers.users import ActivityAPIHandler

from daas_authenticator.logins.memberships import end_session
from daas_authenticator.logins.notices import Reason


class ActivityPage(ActivityAPIHandler):
    """`/api/users/NAME/activity`: the hub's own page, and the spawner hears it too."""

    async def post(self, user_name: str) -> None:
        """Note when sessions were in use. The hub checks scope and body first."""
        super().post(user_name)
        user = self.find_user(user_name)
        servers = (self.get_json_body() or {}).get("servers") or {}
        for name, said in servers.items():
            spawner = user.spawners.get(name)
            if hasattr(spawner, "note_use"):
                # The hub takes more forms of a time than this one, which all its sessions write.
                with suppress(ValueError):
                    spawner.note_use(_moment(said["last_activity"]))
                if said.get("over") is True:
                    spawner.note_wish()


async def end_idle_sessions(app: Any, audit: Any, log: Any) -> None:
    """End what nobody has used for too long, after the warning that its spawner gave."""
    now = time.time()
    for user in list(app.users.values()):
        for spawner in [spawner for spawner in user.spawners.values() if spawner.active]:
            ends_at = spawner.idle_ends_at() if hasattr(spawner, "idle_ends_at") else None
            if ends_at is None or ends_at > now:
                continue
            try:
                spawner.say_idle()
                await end_session(app, audit, user, spawner, Reason.IDLE)
            except Exception:  # the others' turn comes all the same
                log.exception("Ending an idle session of %s failed.", user.name)


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
