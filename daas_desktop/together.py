"""Watching together: what each page is told of the others, and what the session's person may do.

Its handlers stand in `pages`, its events go with the program's state. Who has control is decided
in `picture.viewers`; who may come in at all is the hub's to say.
"""

import time
from collections.abc import Iterator
from typing import Any

from tornado.web import HTTPError

from daas_desktop.door.hub import Hub, HubUnreachableError
from daas_desktop.door.hub_login import Verdict
from daas_desktop.picture.viewers import Viewer, Viewers
from daas_desktop.web import Handler

OFF = "off"
LONGEST_NUMBER = 10


class Told:
    """What one page is told of the viewers, beside the program's state; *tab* is its own word."""

    def __init__(self, viewers: Viewers, visitor: Verdict, tab: str) -> None:
        self._viewers = viewers
        self._visitor = visitor
        self._tab = tab
        self._measured = (0.0, 0)

    def events(self) -> Iterator[tuple[str, object]]:
        """Give names and contents of the events that say how it is now."""
        me = self._me()
        if me is not None:
            yield "role", role(self._viewers, me)
            yield "link", self._link(me)
        if self._visitor.owner:
            yield "viewers", [_as_dict(self._viewers, one, me) for one in self._viewers]

    @property
    def connected(self) -> bool:
        """Say whether this page shows the picture."""
        return self._me() is not None

    def _me(self) -> Viewer | None:
        return self._viewers.of_tab(self._visitor.name, self._tab)

    def _link(self, me: Viewer) -> dict[str, int | None]:
        now = time.monotonic()
        before, sent = self._measured
        self._measured = now, me.bytes_sent
        rate = max(me.bytes_sent - sent, 0) / (now - before) if before else 0.0
        rtt = None if me.rtt_s is None else round(1000 * me.rtt_s)
        return {"rtt_ms": rtt, "bytes_per_s": round(rate)}


def role(viewers: Viewers, me: Viewer) -> dict[str, object]:
    """Say whether a viewer has control, and if not, why: *tab*, *given* or *watching*.

    To a guest it is *lent*. *by* is who has control; for that guest, whose session it is.
    """
    if viewers.controls(me):
        host = next((one.name for one in viewers if one.owner), "")
        return {"control": True, "why": "" if me.owner else "lent", "by": "" if me.owner else host}
    other = next((one for one in viewers if viewers.controls(one)), None)
    by = other.name if other is not None else ""
    if not me.owner:
        return {"control": False, "why": "watching", "by": by}
    return {"control": False, "why": "tab" if other is None or other.owner else "given", "by": by}


def _as_dict(viewers: Viewers, one: Viewer, me: Viewer | None) -> dict[str, Any]:
    return {
        "number": one.number,
        "name": one.name,
        "owner": one.owner,
        "control": viewers.controls(one),
        "here": one is me,
    }


class ControlHandler(Handler):
    """Takes keyboard and pointer into this tab, or gives them to a guest: `to`, her number."""

    for_owner = True

    def post(self) -> None:
        """Hand control over. 404 where there is no such viewer any more."""
        viewers = self.session.viewers
        number = self.get_query_argument("to", "")
        if number.isascii() and number.isdecimal() and len(number) < LONGEST_NUMBER:
            viewer = viewers.numbered(int(number))
        else:
            viewer = viewers.of_tab(self.visitor.name, self.get_query_argument("tab", ""))
        if viewer is None:
            self.send_error(404, reason="This viewer has left.")
            return
        viewers.give(viewer)
        self.set_status(204)


class GuestHandler(Handler):
    """A guest who is looking."""

    for_owner = True

    async def delete(self, number: str) -> None:
        """Send her out, here and at the hub. 404 if she has left."""
        viewers = self.session.viewers
        guest = viewers.numbered(int(number))
        if guest is None or guest.owner:
            self.send_error(404, reason="This viewer has left.")
            return
        # First here, where it works at once; the hub may be away.
        viewers.send_out(guest.name)
        try:
            await tell_hub(viewers, self.session.hub)
        except HubUnreachableError:
            self.send_error(
                503,
                reason="The guest is out and stays out while this session runs. The portal did not "
                "answer, so an open invitation was not taken back.",
            )
            return
        self.set_status(204)


async def tell_hub(viewers: Viewers, hub: Hub | None) -> None:
    """Have the hub take back the rights of all whom it does not know to be sent out.

    It takes the open invitations back with them. Raises HubUnreachableError.
    """
    for name in sorted(viewers.untold):
        if hub is not None:
            await hub.call_invitations("DELETE", name)
        viewers.untold.discard(name)


class InvitationsHandler(Handler):
    """Links by which others may come to look."""

    for_owner = True

    async def post(self) -> None:
        """Give a new link: {url, expires_in_s}. 403 where the facility allows none."""
        hub = self.session.hub
        if hub is None or self.session.login is None or self.session.watching == OFF:
            raise HTTPError(403, reason="Nobody can be invited here.")
        try:
            # Before: it would take the new invitation back as well, and without it whoever was
            # sent out while the hub was away would come back by an old one.
            await tell_hub(self.session.viewers, hub)
            answer = await hub.call_invitations("POST")
        except HubUnreachableError:
            answer = {}
        if answer is None:
            self.send_error(403, reason="The portal does not allow an invitation to this session.")
        elif not isinstance(answer.get("url"), str):
            self.send_error(503, reason="The portal did not answer. Try again.")
        else:
            self.session.viewers.invite_anew()
            self.write({"url": answer["url"], "expires_in_s": int(answer.get("expires_in_s", 0))})

    async def delete(self) -> None:
        """Take all invitations back and send all guests out."""
        for one in list(self.session.viewers):
            if not one.owner:
                self.session.viewers.send_out(one.name)
        hub = self.session.hub
        try:
            if hub is not None:
                await hub.call_invitations("DELETE")
            self.session.viewers.untold.clear()
        except HubUnreachableError:
            self.send_error(503, reason="The portal did not answer. Try again.")
            return
        self.set_status(204)
