"""Live states: one question to the hub per person, told to all her open pages.

The pages' small script writes the words into place; without it a reload shows the same.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

from jupyterhub.services.auth import HubOAuthenticated
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from daas_model.apps import Apps
from daas_model.errors import DaasError
from daas_portal.hub import HubClient
from daas_portal.views import session_views

INTERVAL_SECONDS = 2.0
HEARTBEAT_SECONDS = 20.0

States = dict[str, dict[str, str]]


@dataclass(slots=True)
class _Watch:
    pages: set[asyncio.Queue[States]] = field(default_factory=set)
    task: asyncio.Task[None] | None = None


class Watches:
    """Follows the sessions of the people who have a page open."""

    def __init__(self, hub: HubClient, apps: Apps) -> None:
        self._hub = hub
        self._apps = apps
        self._people: dict[str, _Watch] = {}

    def join(self, person: str) -> asyncio.Queue[States]:
        """Return a queue that gets the states of *person*'s sessions whenever they change."""
        page: asyncio.Queue[States] = asyncio.Queue()
        watch = self._people.setdefault(person, _Watch())
        watch.pages.add(page)
        if watch.task:
            watch.task.cancel()  # the new page wants the states now
        watch.task = asyncio.create_task(self._follow(person, watch))
        return page

    def leave(self, person: str, page: asyncio.Queue[States]) -> None:
        """Forget a page; the last one ends the questions."""
        watch = self._people[person]
        watch.pages.discard(page)
        if not watch.pages:
            if watch.task:
                watch.task.cancel()
            del self._people[person]

    async def _follow(self, person: str, watch: _Watch) -> None:
        told: States | None = None
        while True:
            with contextlib.suppress(DaasError):  # the next answer tells
                states = await self._states(person)
                if states != told:
                    told = states
                    for page in watch.pages:
                        page.put_nowait(states)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def _states(self, person: str) -> States:
        sessions, said = await asyncio.gather(self._hub.sessions(person), self._hub.states(person))
        return {
            view.name: {
                "state": view.state,
                "meaning": view.meaning,
                "title": view.title,
                "url": view.url,
            }
            for view in session_views(sessions, self._apps, said.sessions)
        }


class Events(HubOAuthenticated, RequestHandler):
    """`GET events`: server-sent events; whoever is not signed in gets 403, never a redirect."""

    async def get(self) -> None:
        """Send the states at once and whenever they change, until the page goes."""
        user = await self.hub_auth.get_user(self, sync=False)
        if user is None:
            self.set_status(403)
            return
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        watches: Watches = self.settings["watches"]
        page = watches.join(user["name"])
        try:
            await self._send(page)
        except StreamClosedError:
            pass
        finally:
            watches.leave(user["name"], page)

    async def _send(self, page: asyncio.Queue[States]) -> None:
        # Asked again each time: a login that has ended hears no more.
        while await self.hub_auth.get_user(self, sync=False) is not None:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    states = await page.get()
                self.write(f"data: {json.dumps(states)}\n\n")
            except TimeoutError:
                self.write(": still here\n\n")
            await self.flush()
