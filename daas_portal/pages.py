"""One handler per page: parse, ask, render. A GET changes nothing; a POST answers 303."""

import asyncio
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from jupyterhub.services.auth import HubOAuthCallbackHandler
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated

from daas_model.launch import ONE_PROPOSAL
from daas_portal import views
from daas_portal.hub import HubSession, Refused
from daas_portal.machines import choice, chosen, fitting, machine_views, places
from daas_portal.page import Page

#: What a page may say after an action, by the word in its address.
SAID = {
    "stopped": "Stopped. What was saved in “processed” and in your home folder is kept.",
    "removed": "Removed from the list. Your files are kept.",
}


class Slash(RequestHandler):
    """The address without its slash works too."""

    def get(self) -> None:
        """Send to the address with the slash."""
        self.redirect(self.settings["portal"].prefix, permanent=False)


class Home(Page):
    """`GET /`: her sessions and her proposals."""

    @authenticated
    async def get(self) -> None:
        """Show the home page."""
        facility, person = self.portal.facility, self.person
        listing, sessions, said = await asyncio.gather(
            facility.catalogue.proposals_of(person),
            self.portal.hub.sessions(person.name),
            self.portal.hub.states(person.name),
        )
        where = choice(facility, said.engines, self.get_argument("machine", ""))
        running = [name for name, session in sessions.items() if session.ready or session.pending]
        self.show(
            "home.html",
            sessions=views.session_views(sessions, facility.apps, said.sessions, places(facility)),
            proposals=[
                views.proposal_view(proposal, person, facility.apps_offered, where, running)
                for proposal in listing.proposals
            ],
            one_proposal=ONE_PROPOSAL if facility.one_proposal_per_session else "",
            own=views.buttons(
                [
                    app
                    for app in views.in_order(facility.apps_offered)
                    if app.own_resources and facility.starts_without_proposal(person)
                ],
                (),
                where,
                running,
            ),
            where=where,
            catalogue_notice=listing.notice,
            said=SAID.get(self.get_argument("said", ""), ""),
        )


class Open(Page):
    """`/open?proposal=ID&app=pymca`: where a link from a facility's page arrives."""

    @authenticated
    async def get(self) -> None:
        """Show what would be opened, and one button. Nothing is started."""
        request = await self.launch_request()
        facility, opener = self.portal.facility, self.portal.opener
        proposals = await opener.check(self.person, request)
        running, said = await asyncio.gather(
            opener.running(self.person, request), self.portal.hub.states(self.person.name)
        )
        app = facility.app(request.app)
        machines = fitting(machine_views(facility, said.engines), facility, app)
        there = running.request.machine if running and running.request else request.machine
        self.show(
            "open.html",
            request=request,
            app=app,
            machines=machines,
            machine=chosen(machines, there),
            proposals=[
                (proposal, views.dates_of(proposal.visits), proposal.role_of(self.person.name))
                for proposal in proposals
            ],
            running=running,
        )

    @authenticated
    async def post(self) -> None:
        """Open it: a session that already runs, or a new one."""
        session = await self.portal.opener.open(self.person, await self.launch_request())
        target = session.url if session.ready else f"{self.portal.prefix}sessions/{session.name}"
        self.redirect(target, status=HTTPStatus.SEE_OTHER)


class Session(Page):
    """`/sessions/NAME`: the page of a session that is not ready yet."""

    @authenticated
    async def get(self, name: str) -> None:
        """Say how far it is, go there when it is ready, or say why it failed."""
        sessions, said = await asyncio.gather(
            self.portal.hub.sessions(self.person.name), self.portal.hub.states(self.person.name)
        )
        session = sessions.get(name)
        if session is None:
            raise Refused("This session does not run any more. Your files are kept.")
        if session.ready:
            self.redirect(session.url, status=HTTPStatus.SEE_OTHER)
            return
        reason = "" if session.pending else await self._why(session)
        self.show(
            "session.html",
            session=views.session_view(session, self.portal.facility.apps, said.sessions),
            reason=reason,
        )

    async def _why(self, session: HubSession) -> str:
        async for step in self.portal.hub.progress(self.person.name, session.name):
            if step.failed:
                return step.message.removeprefix("Spawn failed: ")
        return ""


class Stop(Page):
    """`POST /stop`: end a session, or take one that has ended off the list."""

    @authenticated
    async def post(self) -> None:
        """Stop it; one that is gone already is no error."""
        name = self.get_argument("session", "")
        sessions = await self.portal.hub.sessions(self.person.name)
        session = sessions.get(name)
        if session and session.pending == "spawn":
            await self.portal.hub.call_off(self.person.name, name)
        if session:
            await self.portal.hub.stop(self.person.name, name)
        ran = session is None or session.ready or session.pending == "spawn"
        said = "stopped" if ran else "removed"
        self.redirect(
            f"{self.portal.prefix}?{urlencode({'said': said})}", status=HTTPStatus.SEE_OTHER
        )


class Icon(Page):
    """`/apps/NAME/icon`: an app's picture, from its folder."""

    tells_notices = False

    async def get(self, name: str) -> None:
        """Send the picture of an app that is offered."""
        app = self.portal.facility.app(name)
        file = Path(self.portal.facility.apps_folder) / app.name / app.icon
        kind = {".svg": "image/svg+xml", ".png": "image/png"}.get(file.suffix)
        if kind is None or not file.is_file():
            raise HTTPError(404)
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "public, max-age=3600")
        self.finish(file.read_bytes())


class Static(Page, StaticFileHandler):
    """`/static/…`: the pages' own files, the same for everybody."""

    async def prepare(self) -> None:
        """Ask nobody's name."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002  tornado's signature
        """Let browsers keep them for an hour."""
        self.set_header("Cache-Control", "public, max-age=3600")


class Callback(Page, HubOAuthCallbackHandler):
    """`/oauth_callback`: the end of a sign-in, with errors as sentences."""

    async def prepare(self) -> None:
        """Nobody is signed in yet."""


class NotFound(Page):
    """Every other address."""

    async def get(self) -> None:
        """Say that there is no such page."""
        raise HTTPError(404)

    post = get
