"""Everybody who looks at the picture, and which one of them has keyboard and pointer.

Filled by the bridge, shown and changed by `together`. Nothing here does I/O.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

#: Each picture takes the X server's time and memory, and two descriptors of ours.
MOST_OF_A_GUEST = 8


class Connection(Protocol):
    """What carries one viewer's picture."""

    def let_go(self) -> None:
        """Let go of all keys and buttons that this viewer holds."""

    def send_out(self) -> None:
        """End the visit."""


@dataclass(eq=False, slots=True)
class Viewer:
    """One connected picture. *tab* is the page's own word for itself, alike in all it asks.

    *owner* says whether the session belongs to this person. *rtt_s* is the last measured round
    trip, behind the pictures on their way, and *least_rtt_s* the line's own; *bytes_sent* is all
    that was sent to it.
    """

    name: str
    owner: bool
    tab: str
    connection: Connection
    number: int = field(default_factory=itertools.count(1).__next__)
    rtt_s: float | None = None
    least_rtt_s: float | None = None
    bytes_sent: int = 0


class Viewers:
    """One of them at most has control: its keys and pointer count, and the screen has its size.

    The person whose session it is takes control wherever she opens it, and can give it to a guest
    and take it back. A tab that only comes back, such as a laptop's that wakes up, takes it from
    nobody. A guest only looks until then. *changed* is called after each change.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._connected: list[Viewer] = []
        self._sent_out: set[str] = set()
        #: Who was sent out without the hub having heard it: she still holds her right there.
        self.untold: set[str] = set()
        self._in_control: Viewer | None = None
        self._tabs: set[str] = set()
        self._lost_by = ""

    def __iter__(self) -> Iterator[Viewer]:
        return iter(self._connected)

    def join(self, viewer: Viewer) -> None:
        """Add a viewer. Her own newest tab is where the person is."""
        self._connected.append(viewer)
        if viewer.owner and self._takes_over(viewer.tab):
            self._hand_over(viewer)
        if viewer.owner and viewer.tab:
            self._tabs.add(viewer.tab)
        self._changed()

    def _takes_over(self, tab: str) -> bool:
        if tab not in self._tabs or self._in_control is None:
            return True
        # It had control until its line was cut, or its old connection has not yet been missed.
        return tab in (self._lost_by, self._in_control.tab)

    def has_room_for(self, name: str) -> bool:
        """Say whether a guest may have one more picture."""
        of_hers = [one for one in self._connected if one.name == name and not one.owner]
        return name not in self._sent_out and len(of_hers) < MOST_OF_A_GUEST

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; control falls back to the person's newest tab, if there is one."""
        self._connected.remove(viewer)
        if viewer is self._in_control:
            own = [one for one in self._connected if one.owner]
            self._in_control = own[-1] if own else None
            self._lost_by = viewer.tab if viewer.owner else ""
        self._changed()

    def controls(self, viewer: Viewer) -> bool:
        """Say whether what this viewer types and points at counts."""
        return viewer is self._in_control

    def of_tab(self, name: str, tab: str) -> Viewer | None:
        """Give the newest picture of one person's tab."""
        hers = (one for one in reversed(self._connected) if (one.name, one.tab) == (name, tab))
        return next(hers, None) if tab else None

    def numbered(self, number: int) -> Viewer | None:
        """Give the viewer with this number."""
        return next((one for one in self._connected if one.number == number), None)

    def give(self, viewer: Viewer) -> None:
        """Give control to a viewer; whoever had it has no key pressed any more."""
        self._hand_over(viewer)
        self._changed()

    def send_out(self, name: str) -> None:
        """End all visits of a guest, who is not let in again until she is invited anew."""
        self._sent_out.add(name)
        self.untold.add(name)
        for one in [one for one in self._connected if one.name == name and not one.owner]:
            one.connection.send_out()
        self._changed()

    def invite_anew(self) -> None:
        """Let in who was sent out, if the hub does; it has heard of them."""
        self._sent_out &= self.untold

    def is_sent_out(self, name: str) -> bool:
        """Say whether a guest was sent out."""
        return name in self._sent_out

    def _hand_over(self, viewer: Viewer) -> None:
        before, self._in_control = self._in_control, viewer
        self._lost_by = ""
        if before is not None and before is not viewer:
            before.connection.let_go()
