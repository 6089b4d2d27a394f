"""Who has keyboard and pointer, decided without a connection (S1, S10)."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from daas_desktop.door.hub import Hub, HubSettings, HubUnreachableError
from daas_desktop.picture.viewers import MOST_OF_A_GUEST, Viewer, Viewers
from daas_desktop.together import role, tell_hub
from daas_desktop.web import Changes


@dataclass
class Line:
    """Stands for a bridge: notes what it was told."""

    told: list[str] = field(default_factory=list)

    def let_go(self) -> None:
        self.told.append("let go")

    def send_out(self) -> None:
        self.told.append("out")


def pi(tab: str = "a") -> Viewer:
    return Viewer("pi", owner=True, tab=tab, connection=Line())


def grace() -> Viewer:
    return Viewer("grace", owner=False, tab="g", connection=Line())


@pytest.fixture
def viewers() -> Viewers:
    return Viewers()


def test_the_later_tab_of_the_person_takes_control_and_the_earlier_says_so(
    viewers: Viewers,
) -> None:
    first, second = pi("a"), pi("b")
    viewers.join(first)
    viewers.join(second)
    assert role(viewers, first) == {"control": False, "why": "tab", "by": "pi"}
    assert role(viewers, second)["control"] is True
    assert isinstance(first.connection, Line)
    assert first.connection.told == ["let go"]
    viewers.leave(second)
    assert viewers.controls(first)


def test_a_tab_that_comes_back_takes_control_from_nobody(viewers: Viewers) -> None:
    """The laptop at home wakes up while she, or her guest, works."""
    home, work = pi("home"), pi("work")
    viewers.join(home)
    viewers.join(work)
    viewers.leave(home)
    viewers.join(pi("home"))
    assert viewers.controls(work)


def test_a_tab_whose_line_was_cut_gets_its_control_back(viewers: Viewers) -> None:
    home, work = pi("home"), pi("work")
    viewers.join(home)
    viewers.join(work)
    viewers.leave(work)
    assert viewers.controls(home)
    again = pi("work")
    viewers.join(again)
    assert viewers.controls(again)


def test_a_guest_only_looks_until_she_is_given_control(viewers: Viewers) -> None:
    person, guest = pi(), grace()
    viewers.join(guest)
    assert role(viewers, guest) == {"control": False, "why": "watching", "by": ""}
    viewers.join(person)
    assert not viewers.controls(guest)
    viewers.give(guest)
    assert role(viewers, guest) == {"control": True, "why": "lent", "by": "pi"}
    assert role(viewers, person) == {"control": False, "why": "given", "by": "grace"}
    viewers.give(person)
    assert not viewers.controls(guest)
    assert isinstance(guest.connection, Line)
    assert guest.connection.told == ["let go"]


def test_control_falls_back_to_the_person_when_a_guest_leaves(viewers: Viewers) -> None:
    person, guest = pi(), grace()
    viewers.join(person)
    viewers.join(guest)
    viewers.give(guest)
    viewers.leave(guest)
    assert viewers.controls(person)


def test_nobody_has_control_when_only_guests_are_left(viewers: Viewers) -> None:
    person, guest = pi(), grace()
    viewers.join(person)
    viewers.join(guest)
    viewers.leave(person)
    assert not viewers.controls(guest)


def test_who_is_sent_out_stays_out_until_invited_anew(viewers: Viewers) -> None:
    person, guest = pi(), grace()
    viewers.join(person)
    viewers.join(guest)
    viewers.send_out("grace")
    assert isinstance(guest.connection, Line)
    assert guest.connection.told == ["out"]
    assert viewers.is_sent_out("grace")
    viewers.untold.clear()
    viewers.invite_anew()
    assert not viewers.is_sent_out("grace")


async def test_who_was_sent_out_while_the_hub_was_away_does_not_come_back_with_others(
    viewers: Viewers,
) -> None:
    """The hub still holds her right; it hears of her before anybody is invited anew."""
    hub = AwayHub(HubSettings("", "", "", "", "", "", "", frozenset(), ""))
    viewers.send_out("grace")
    with pytest.raises(HubUnreachableError):
        await tell_hub(viewers, hub)
    viewers.invite_anew()
    assert viewers.is_sent_out("grace")
    hub.away = False
    await tell_hub(viewers, hub)
    assert hub.heard == ["DELETE grace"]
    viewers.invite_anew()
    assert not viewers.is_sent_out("grace")
    await tell_hub(viewers, hub)
    assert hub.heard == ["DELETE grace"]


class AwayHub(Hub):
    """A hub that does not answer at first."""

    away = True

    def __init__(self, settings: HubSettings) -> None:
        super().__init__(settings)
        self.heard: list[str] = []

    async def call_invitations(self, method: str, name: str = "") -> Any:
        if self.away:
            raise HubUnreachableError("the hub answered 503", 503)
        self.heard.append(f"{method} {name}")
        return {}


def test_a_guest_has_a_few_pictures_and_no_more(viewers: Viewers) -> None:
    """A guest who opens hundreds would have the X server paint for her only."""
    for _ in range(MOST_OF_A_GUEST):
        assert viewers.has_room_for("grace")
        viewers.join(grace())
    assert not viewers.has_room_for("grace")
    assert viewers.has_room_for("other")
    viewers.leave(next(iter(viewers)))
    assert viewers.has_room_for("grace")


def test_the_person_cannot_be_sent_out_of_her_own_session(viewers: Viewers) -> None:
    person = pi()
    viewers.join(person)
    viewers.send_out("pi")
    assert isinstance(person.connection, Line)
    assert person.connection.told == []


def test_a_tab_is_found_by_its_newest_picture(viewers: Viewers) -> None:
    before, after = pi("a"), pi("a")
    viewers.join(before)
    viewers.join(after)
    assert viewers.of_tab("pi", "a") is after
    assert viewers.of_tab("somebody else", "a") is None
    assert viewers.of_tab("pi", "") is None


async def test_a_change_between_looking_and_waiting_is_not_missed() -> None:
    """A guest's page would say seconds later that she only watches."""
    changes = Changes()
    change = changes.upcoming()
    changes.announce()
    async with asyncio.timeout(1):
        await change.wait()
    assert not changes.upcoming().is_set()
