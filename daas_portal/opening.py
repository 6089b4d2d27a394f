"""What "Open" does: check, find the session that already runs, or have one started.

A double click, two tabs and a script at once open one session.
"""

import asyncio
import contextlib
from collections import defaultdict

from daas_catalogue.facility import Facility
from daas_model.errors import DaasError
from daas_model.launch import LaunchRequest, display_name
from daas_model.people import Person
from daas_model.proposals import Proposal
from daas_portal.hub import HubClient, HubSession, Refused, refused
from daas_portal.machines import machine_views, require_working

#: A start that takes longer shows its progress on a page of its own.
PATIENCE_SECONDS = 2.0


class Opener:
    """Opens sessions for people."""

    def __init__(self, facility: Facility, hub: HubClient) -> None:
        self._facility = facility
        self._hub = hub
        self._asking: set[asyncio.Future[None]] = set()
        self._one_at_a_time: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def check(self, person: Person, request: LaunchRequest) -> tuple[Proposal, ...]:
        """Return the proposals of *request*. Raises what a page shows when it may not be opened."""
        app = self._facility.app(request.app)
        self._facility.check_machine(app, self._facility.machine(request.machine))
        self._facility.check_proposals(person, request)
        return await self._facility.catalogue.authorise(person, request.proposals)

    async def running(self, person: Person, request: LaunchRequest) -> HubSession | None:
        """Return the session that *request* would re-use, if it runs or starts."""
        session = (await self._hub.sessions(person.name)).get(request.server_name)
        return session if session and (session.ready or session.pending == "spawn") else None

    async def open(self, person: Person, request: LaunchRequest) -> HubSession:
        """Return the session for *request*, started if need be; it may still be starting.

        Raises a `DaasError` that says why not; then nothing is left behind.
        """
        await self.check(person, request)
        async with self._one_at_a_time[person.name, request.server_name]:
            session = await self.running(person, request)
            if session is None and (fetching := await self._start(person, request)):
                return fetching
            session = await self._wait(person, request)
        if session is None:
            raise Refused("The session ended while it started. Your data is not affected.")
        return session

    async def _start(self, person: Person, request: LaunchRequest) -> HubSession | None:
        """Have it started; return it only if there is something to wait for that a page tells.

        Raises what a page shows when it was refused.
        """
        asking = asyncio.ensure_future(self._ask(person, request))
        self._asking.add(asking)
        asking.add_done_callback(self._forget)
        # The hub answers when it runs, or after 10 s.
        while not (await asyncio.wait({asking}, timeout=PATIENCE_SECONDS))[0]:
            said = (await self._hub.states(person.name)).sessions
            if request.server_name in said and (session := await self.running(person, request)):
                return session
        try:
            await asking
        except Refused:
            # The hub keeps what was asked for and would use it again: forget it.
            with contextlib.suppress(DaasError):
                await self._hub.stop(person.name, request.server_name)
            raise
        return None

    def _forget(self, asking: asyncio.Future[None]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # has been raised, or the session's own page tells it

    async def _ask(self, person: Person, request: LaunchRequest) -> None:
        problems = (await self._hub.states(person.name)).engines
        for machine in machine_views(self._facility, problems):
            if machine.name == request.machine:
                require_working(machine)
        title = display_name(self._facility.app(request.app).title, request.proposals)
        await self._hub.start(person.name, request, title)

    async def _wait(self, person: Person, request: LaunchRequest) -> HubSession | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                async for step in self._hub.progress(person.name, request.server_name):
                    if step.failed:
                        raise refused(step.message.removeprefix("Spawn failed: "))
                    if step.ready:
                        break
        return await self.running(person, request)
