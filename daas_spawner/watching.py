"""Watching together: how a session invites guests and sends them out, and where a guest comes in.

Pages and handlers of the hub. A session speaks with its own token and reaches itself only; a guest
signs in, is told what she is invited to, and goes on to the session's door.
"""

import re
from http.client import responses
from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from tornado.httputil import url_concat
from tornado.web import HTTPError

from daas_catalogue.facility import Facility
from daas_model.errors import DaasError, InvitationGone, StartRefused
from daas_model.launch import LaunchRequest
from daas_spawner import guests

_COOKIE = "daas-watch"
_COOKIE_SECONDS = 600
#: What the hub lets a session's own token do, and nothing else (`Spawner.server_token_scopes`).
_OF_A_SESSION = re.compile(r"access:servers!server=(?P<session>.+)|users:activity!user(?:=.+)?")


def session_of(token: orm.APIToken | None, owner: str) -> str:
    """Return the name of the session of *owner* whose own token this is; empty for any other.

    A browser's token for a session has another client, and belongs to whoever watches.
    """
    if token is None or token.client_id != "jupyterhub":
        return ""
    found = [_OF_A_SESSION.fullmatch(scope) for scope in token.scopes]
    sessions = {match["session"] for match in found if match and match["session"]}
    if not all(found) or len(sessions) != 1:
        return ""
    person, _, name = sessions.pop().partition("/")
    return str(name) if person == owner else ""


class _Watching:
    """What the handlers share; they are the hub's."""

    def facility(self: Any) -> Facility:
        found: Facility = Facility.instance(config=self.config)
        return found

    def running(self: Any, session: orm.Spawner | None) -> Any:
        """Return the spawner of *session* while it runs, else None."""
        owner = self.find_user(session.user.name) if session else None
        spawner = owner.spawners[session.name] if session and owner else None
        return spawner if spawner is not None and spawner.active else None

    def record(self: Any, action: str, name: str, by: str, session: orm.Spawner) -> None:
        """Write down who was invited, who came, who was sent out."""
        detail = f"{session.user.name}/{session.name}"
        self.authenticator.audit.record(action, name, by, detail)

    def web_error(self: Any, error: DaasError) -> HTTPError:
        """Return what makes the hub show *error*, as a page or as JSON."""
        self.log.warning("%s: %s", error.code, error.detail or error.message)
        answer = HTTPError(error.status, reason=responses[error.status])
        answer.jupyterhub_message = str(error)  # type: ignore[attr-defined]
        answer.daas_error = error  # type: ignore[attr-defined]
        return answer


class InvitationsPage(_Watching, APIHandler):
    """`/api/invitations`: asked by a session, with its own token, for itself."""

    async def post(self) -> None:
        """Make an invitation; return its address."""
        spawner = self.own_session()
        try:
            await self.authenticator.check_not_blocked(spawner.user.name)
            self.facility().check_watching(LaunchRequest.parse(spawner.user_options))
            code = guests.invite(spawner.orm_spawner)
        except DaasError as error:
            raise self.web_error(error) from None
        self.record("invited", spawner.user.name, spawner.user.name, spawner.orm_spawner)
        self.set_status(201)
        self.finish({"url": self._address(code), "expires_in_s": guests.LASTS_SECONDS})

    def delete(self, name: str = "") -> None:
        """Take back what *name* holds and all invitations; without a name, what everybody holds."""
        spawner = self.own_session()
        if name:
            out = [name] if guests.send_out(spawner.orm_spawner, name) else []
        else:
            out = guests.send_all_out(spawner.orm_spawner)
        for guest in out:
            self.record("sent out", guest, spawner.user.name, spawner.orm_spawner)
        self.set_status(204)

    def own_session(self) -> Any:
        """Return the spawner of the session that asks. Raises the hub's 403 for whoever else."""
        owner = self.current_user
        name = session_of(self.get_token(), owner.name) if isinstance(owner, User) else ""
        spawner = self.running(owner.orm_spawners.get(name)) if name else None
        if spawner is None:
            raise self.web_error(
                StartRefused("A session invites guests to itself only.", "Do it in the session.")
            )
        return spawner

    def _address(self, code: str) -> str:
        page = url_path_join(self.hub.base_url, "watch")
        if public := self.settings.get("public_url"):
            page = public._replace(path=page).geturl()
        return str(url_concat(page, {"code": code}))


class WatchPage(_Watching, BaseHandler):
    """`/watch`: what a guest is invited to; her word lets her in."""

    async def get(self) -> None:
        """Say whose session it is, to whoever may look at it; change nothing."""
        if code := self.get_query_argument("code", ""):
            self._keep_code(code)
            self.redirect(self._path())
            return
        if self.current_user is None:
            self.redirect(url_concat(self.get_login_url(), {"next": self._path()}))
            return
        code = self._kept_code()
        spawner = await self._invited_to(code)
        if spawner.user.name == self.current_user.name:
            self.redirect(spawner.user.server_url(spawner.name))
            return
        request = LaunchRequest.parse(spawner.user_options)
        page = await self.render_template(
            "watch.html",
            xsrf=self.xsrf_token.decode("ascii"),
            code=code,
            owner=spawner.user.name,
            app=self.facility().app(request.app).title,
            proposals=request.proposals,
        )
        self.finish(page)

    async def post(self) -> None:
        """Let her in and go to the session; the hub has checked the form's token."""
        if self.current_user is None:
            raise HTTPError(403)
        code = self.get_body_argument("code", "")
        spawner = await self._invited_to(code)
        guest, owner = self.current_user, spawner.user
        # Once more: it may have been taken back while the catalogue was asked.
        invited = guests.invitation(self.db, code)
        if invited is None:
            raise self.web_error(_gone())
        if guest.name != owner.name:
            guests.admit(invited, guest.orm_user)
            self.record("joined", guest.name, guest.name, spawner.orm_spawner)
        self.clear_cookie(_COOKIE, path=self._path())
        self.redirect(owner.server_url(spawner.name))

    async def _invited_to(self, code: str) -> Any:
        """Return the spawner of *code*'s session, if this person may look at it now."""
        guest = self.current_user
        try:
            await self.authenticator.check_not_blocked(guest.name)
            invited = guests.invitation(self.db, code)
            spawner = self.running(invited.spawner) if invited else None
            if spawner is None:
                raise _gone()
            if spawner.user.name != guest.name:
                request = LaunchRequest.parse(spawner.user_options)
                await self.facility().check_guest(guests.person_of(guest), request)
        except DaasError as error:
            raise self.web_error(error) from None
        return spawner

    def _keep_code(self, code: str) -> None:
        # In a cookie: an address stands in the browser's history, and in the log when a login
        # takes it along or something goes wrong.
        self._set_cookie(
            _COOKIE,
            code[: guests.LONGEST_CODE],
            path=self._path(),
            expires_days=None,
            max_age=_COOKIE_SECONDS,
            samesite="Lax",
        )

    def _kept_code(self) -> str:
        kept = self.get_signed_cookie(_COOKIE, max_age_days=_COOKIE_SECONDS / 86400)
        return kept.decode("ascii", "replace") if kept else ""

    def _path(self) -> str:
        return str(url_path_join(self.hub.base_url, "watch"))


def _gone() -> InvitationGone:
    return InvitationGone("This invitation is over, or was taken back.")


#: For the hub's `extra_handlers`, below its prefix.
HANDLERS = [
    (r"/api/invitations", InvitationsPage),
    (r"/api/invitations/([^/]+)", InvitationsPage),
    (r"/watch", WatchPage),
]
