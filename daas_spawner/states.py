"""What pages say of sessions and engines beyond the hub's own states, for the portal's service.

The spawner notes why a session ended. In memory: a hub that was restarted knows what runs, but no
more why something does not.
"""

import asyncio
import time
from pathlib import Path

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User

from daas_catalogue.facility import Facility
from daas_model.errors import StartRefused
from daas_spawner.backends import problems_of
from daas_spawner.one_door import asked_by_portal

#: S8: said of a session that nobody stopped here.
ENDED = "It ended by itself or from outside the portal. Your files are kept."
ENDED_BY_PERSON = "You ended it on its own page. Your files are kept."

#: What a start has begun is ended within this time; the portal waits a little longer.
CALLED_OFF_SECONDS = 8.0

_why: dict[tuple[str, str], str] = {}


def note(person: str, session: str, why: str) -> None:
    """Keep *why* a session of *person* does not run; empty when it is being started again."""
    if why:
        _why[person, session] = why
    else:
        _why.pop((person, session), None)


def sentences_of(user: User) -> dict[str, str]:
    """Return what there is to say of the sessions of *user*, by their names."""
    said = {}
    for name in user.orm_spawners:
        spawner = user.spawners.get(name)
        if spawner is not None and spawner.pending == "spawn":
            words = spawner.progress_words
        else:
            words = "" if spawner is not None and spawner.ready else _why.get((user.name, name), "")
        if words:
            said[name] = words
    return said


class _ForPortal(APIHandler):
    """What the portal's service asks the spawner, beyond the hub's own API."""

    def is_portal(self) -> bool:
        """Tell whether it asks; whoever else has been refused then."""
        if asked_by_portal(self):
            return True
        self.set_status(StartRefused.status)
        self.finish({"status": StartRefused.status, "message": "For the portal's service only."})
        return False


class StatesPage(_ForPortal):
    """`/api/states/PERSON`: asked by the portal with each of its pages."""

    async def get(self, person: str) -> None:
        """Return the engines that are away, each with its reason, and sentences of sessions."""
        if not self.is_portal():
            return
        facility = Facility.instance(config=self.config)
        run_folder = Path(self.config.DaasSpawner.run_folder)
        engines = await problems_of(facility.engines.values(), run_folder)
        user = self.find_user(person)
        self.finish({"engines": engines, "sessions": sentences_of(user) if user else {}})


class StartPage(_ForPortal):
    """`/api/starts/PERSON/SESSION`: a start that the portal calls off."""

    async def delete(self, person: str, session: str) -> None:
        """Answer once the session is not being started any more: 204, or 503 if that takes long."""
        if not self.is_portal():
            return
        user = self.find_user(person)
        spawner = user.spawners.get(session) if user else None
        until = time.monotonic() + CALLED_OFF_SECONDS
        while spawner is not None and spawner.pending == "spawn" and time.monotonic() < until:
            spawner.call_off()  # again, for the hub itself may not have come to it yet
            await asyncio.sleep(0.05)
        self.set_status(204)
        if spawner is not None and spawner.pending == "spawn":
            self.set_status(503)
            self.finish({"status": 503, "message": "It is being stopped. Look again in a minute."})


#: For the hub's `extra_handlers`, below its prefix.
HANDLERS = [
    (r"/api/states/([^/]*)", StatesPage),
    (r"/api/starts/([^/]+)/([^/]+)", StartPage),
]
