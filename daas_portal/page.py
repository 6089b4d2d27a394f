"""What all pages of the portal share: headers, templates, who asks, and errors as sentences.

Base of the handlers in `pages`.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RequestHandler

from daas_catalogue.facility import Facility
from daas_model.errors import DaasError, HubUnavailable
from daas_model.launch import LaunchRequest
from daas_model.people import Person
from daas_portal.hub import HubClient
from daas_portal.machines import chosen, fitting, machine_views
from daas_portal.opening import Opener

log = logging.getLogger("daas_portal")


@dataclass(frozen=True, slots=True)
class Portal:
    """What every page needs; *examples* says whether sessions have example data."""

    facility: Facility
    examples: bool
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
    """Return every page's headers.

    A form may lead to *session_origins*, as "Open" does, and small pictures of sessions come
    from there.
    """
    targets = f"'self' {session_origins}".strip()
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src {targets} data:; font-src 'self'; connect-src 'self'; "
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
        return Person.of_hub(self.current_user["name"], self.current_user.get("groups", ()))

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

    async def launch_request(self) -> LaunchRequest:
        """Return what the link or the form asks for. Raises `BadRequest`."""
        app = self.get_argument("app", "")
        return LaunchRequest.parse(
            {
                "app": app,
                "machine": self.get_argument("machine", "") or await self._machine_for(app),
                "proposals": [value for value in self.get_arguments("proposal") if value],
            }
        )

    async def _machine_for(self, app_name: str) -> str:
        """Return the machine of whoever named none: the first that the app can have now."""
        facility = self.portal.facility
        app = facility.apps_offered.get(app_name)
        if app is None:
            return facility.default_machine.name
        machines = fitting(machine_views(facility, {}), facility, app)
        if len(machines) > 1:
            problems = (await self.portal.hub.states(self.person.name)).engines
            machines = fitting(machine_views(facility, problems), facility, app)
        return chosen(machines).name


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
