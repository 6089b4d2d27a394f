"""One handler per page: parse, ask, render. A GET changes nothing; a POST answers 303."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment
from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated

from daas_catalogue.facility import Facility
from daas_model.errors import BadRequest, DaasError, HubUnavailable
from daas_model.launch import ONE_PROPOSAL, LaunchRequest
from daas_model.people import Person
from daas_portal import views
from daas_portal.hub import HubClient, HubSession, Refused
from daas_portal.opening import Opener

log = logging.getLogger("daas_portal")

#: What a page may say after an action, by the word in its address.
SAID = {
    "stopped": "Stopped. What was saved in “processed” and in your home folder is kept.",
    "removed": "Removed from the list. Your files are kept.",
}


@dataclass(frozen=True, slots=True)
class Portal:
    """What every page needs."""

    facility: Facility
    hub: HubClient
    opener: Opener
    templates: Environment
    title: str
    notice: str
    weaknesses: tuple[str, ...]
    support: str
    prefix: str
    headers: Mapping[str, str]


def security_headers(session_origins: str) -> dict[str, str]:
    """Return every page's headers; a form may lead to *session_origins*, as "Open" does."""
    targets = f"'self' {session_origins}".strip()
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def log_request(handler: RequestHandler) -> None:
    """Log one line per answer: who, what, how long; never what stands behind the `?`."""
    user = handler.current_user or {}
    log.info(
        "%d %s %s (%s) %.0f ms",
        handler.get_status(),
        handler.request.method,
        handler.request.path,
        user.get("name", "-"),
        1000 * handler.request.request_time(),
    )


class Page(HubOAuthenticated, RequestHandler):
    """What all pages share: headers, templates, who asks, and errors as sentences."""

    #: Whether it is a page that people read.
    tells_notices = True
    _notices: tuple[str, ...] = ()

    @property
    def portal(self) -> Portal:
        """The portal's parts."""
        portal: Portal = self.settings["portal"]
        return portal

    @property
    def person(self) -> Person:
        """Who asks, from the hub; never from anything else that the browser sent."""
        return Person(self.current_user["name"], frozenset(self.current_user.get("groups", ())))

    def set_default_headers(self) -> None:
        """Load nothing from elsewhere, keep no page, be framed by nobody."""
        for name, value in self.portal.headers.items():
            self.set_header(name, value)

    async def prepare(self) -> None:
        """Ask the hub who this is without holding up other pages."""
        try:
            self.current_user = await self.hub_auth.get_user(self, sync=False)
        except HTTPError as error:
            if error.status_code < 500:
                raise
            raise HubUnavailable("The portal cannot reach the hub just now.") from error
        if self.current_user and self.request.method == "GET" and self.tells_notices:
            with suppress(DaasError):  # a page without its notices is better than none
                self._notices = await self.portal.hub.notices(self.hub_auth.get_token(self))

    def check_xsrf_cookie(self) -> None:
        """Ask for the form's token, but not of a script: nobody's browser adds this header."""
        if "Authorization" not in self.request.headers:
            super().check_xsrf_cookie()

    def show(self, template: str, **values: Any) -> None:  # a template takes anything
        """Answer with a page."""
        user = self.current_user or {}
        self.finish(
            self.portal.templates.get_template(template).render(
                portal=self.portal,
                user=user.get("name", ""),
                admin="admin-ui" in user.get("scopes", ()),
                xsrf=self.xsrf_token.decode() if user else "",
                static=lambda name: f"{self.portal.prefix}static/{name}",
                hub=self.hub_auth.hub_prefix,
                notices=self._notices,
                **values,
            )
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with a sentence: what happened, what it means, what to do; no traceback."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, DaasError):
            self.set_status(error.status)
            log.info("%s %s", error, error.detail)
            self.show("error.html", heading=error.message, action=error.action, code=error.code)
            return
        heading, action = _plain(status_code)
        self.show("error.html", heading=heading, action=action, code=f"DAAS-{status_code}")

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A `DaasError` is an answer, not a fault: no traceback in the log."""
        if not isinstance(value, DaasError):
            super().log_exception(typ, value, tb)

    def launch_request(self) -> LaunchRequest:
        """Return what the link or the form asks for. Raises `BadRequest`."""
        return LaunchRequest.parse(
            {
                "app": self.get_argument("app", ""),
                "machine": self.get_argument("machine", "")
                or self.portal.facility.default_machine.name,
                "proposals": [value for value in self.get_arguments("proposal") if value],
            }
        )


def _plain(status: int) -> tuple[str, str]:
    if status == 404:
        return "This page does not exist.", "It may have moved. Go to your home page."
    if status == 405:
        return "This page cannot be opened like this.", "Go to your home page."
    if status == 403:
        return (
            "The page was open for too long, so nothing was done.",
            "Go back, reload the page and press the button again.",
        )
    if status < 500:
        return "This is not something the portal understands.", "Go to your home page."
    return (
        "Something went wrong here. Your data and your sessions are not affected.",
        "Try again. If it happens again, tell your facility's support the code and the time.",
    )


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
        listing = await facility.catalogue.proposals_of(person)
        sessions = await self.portal.hub.sessions(person.name)
        machine = facility.default_machine
        running = [name for name, session in sessions.items() if session.ready or session.pending]
        self.show(
            "home.html",
            sessions=views.session_views(sessions, facility.apps),
            proposals=[
                views.proposal_view(proposal, person, facility.apps, machine.name, running)
                for proposal in listing.proposals
            ],
            one_proposal=ONE_PROPOSAL if facility.one_proposal_per_session else "",
            own=views.buttons(
                [app for app in views.in_order(facility.apps) if app.own_resources],
                (),
                machine.name,
                running,
            ),
            machine=machine,
            catalogue_notice=listing.notice,
            said=SAID.get(self.get_argument("said", ""), ""),
        )


class Open(Page):
    """`/open?proposal=ID&app=pymca`: where a link from a facility's page arrives."""

    @authenticated
    async def get(self) -> None:
        """Show what would be opened, and one button. Nothing is started."""
        request = self.launch_request()
        proposals = await self.portal.opener.check(self.person, request)
        self.show(
            "open.html",
            request=request,
            app=self.portal.facility.app(request.app),
            machine=self.portal.facility.machine(request.machine),
            proposals=[
                (proposal, views.dates_of(proposal.visits), proposal.role_of(self.person.name))
                for proposal in proposals
            ],
            running=await self.portal.opener.running(self.person, request),
        )

    @authenticated
    async def post(self) -> None:
        """Open it: a session that already runs, or a new one."""
        session = await self.portal.opener.open(self.person, self.launch_request())
        target = session.url if session.ready else f"{self.portal.prefix}sessions/{session.name}"
        self.redirect(target, status=HTTPStatus.SEE_OTHER)


class Session(Page):
    """`/sessions/NAME`: the page of a session that is not ready yet."""

    @authenticated
    async def get(self, name: str) -> None:
        """Say how far it is, go there when it is ready, or say why it failed."""
        session = (await self.portal.hub.sessions(self.person.name)).get(name)
        if session is None:
            raise Refused("This session does not run any more. Your files are kept.")
        if session.ready:
            self.redirect(session.url, status=HTTPStatus.SEE_OTHER)
            return
        reason = "" if session.pending else await self._why(session)
        self.show(
            "session.html",
            session=views.session_view(session, self.portal.facility.apps),
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
            raise BadRequest(
                "The session is still starting, so it cannot be stopped yet.",
                "Wait until it runs, then stop it.",
            )
        if session:
            await self.portal.hub.stop(self.person.name, name)
        said = "removed" if session and not session.ready else "stopped"
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
