"""What pages show: pure functions, by tables."""

from datetime import date
from pathlib import Path

import pytest

from daas_catalogue.facility import Facility
from daas_model.proposals import Visit
from daas_portal.hub import HubSession
from daas_portal.machines import choice
from daas_portal.views import buttons, dates_of, in_order, session_views, state_of

FACILITY = Facility(apps_folder=str(Path(__file__).parents[2] / "images"))
APPS = FACILITY.apps
OPTIONS = {"app": "pymca", "machine": "small", "proposals": ["p-1"]}


def session(name: str = "pymca-p-1", **model: object) -> HubSession:
    return HubSession.parse(name, {"user_options": OPTIONS, **model})


STATES = {
    "asked to start": ({"pending": "spawn"}, "Starting"),
    "ready": ({"ready": True}, "Running"),
    "being stopped": ({"ready": True, "pending": "stop"}, "Stopping"),
    "ended": ({}, "Stopped"),
}


@pytest.mark.parametrize(("model", "word"), STATES.values(), ids=STATES.keys())
def test_a_session_is_called_what_it_is(model: dict[str, object], word: str) -> None:
    assert state_of(session(**model)) == word


def test_what_runs_stands_before_what_has_ended() -> None:
    views = session_views({"a": session("a"), "b": session("b", ready=True)}, APPS)
    assert [view.state for view in views] == ["Running", "Stopped"]


STRANGE = {
    "no options": {"user_options": None},
    "options of somebody else's making": {"user_options": {"image": "x"}},
    "no title": {"display_name": None},
    "a start time that is none": {"started": "yesterday"},
}


@pytest.mark.parametrize("model", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_record_of_the_hub_is_shown_and_breaks_nothing(model: dict[str, object]) -> None:
    (view,) = session_views({"x": session("x", ready=True, **model)}, APPS)
    assert view.title
    assert view.started is None or view.request


RECORDS = {
    "one that the portal started": ("pymca-p-1", {}, True),
    "an administrator's refused start": ("x", {"user_options": {}}, False),
    "one with another's options": ("x", {}, False),
    "one that runs all the same": ("x", {"user_options": {}, "ready": True}, True),
}


@pytest.mark.parametrize(("name", "model", "ours"), RECORDS.values(), ids=RECORDS.keys())
def test_records_that_are_no_sessions_are_left_out(
    name: str, model: dict[str, object], ours: bool
) -> None:
    assert session(name, **model).is_ours is ours


def test_the_program_with_a_window_is_the_primary_button() -> None:
    where = choice(FACILITY, {}, "")
    shown = buttons(in_order(FACILITY.apps_offered), ("p-1",), where, ["jupyterlab-p-1"])
    assert [(button.app.name, button.primary, button.running) for button in shown] == [
        ("pymca", True, False),
        ("jupyterlab", False, True),
        ("terminal", False, False),
    ]


SPANS = {
    "one day": ("2026-11-04", "2026-11-04", "4 Nov 2026"),
    "in a month": ("2026-11-04", "2026-11-07", "4–7 Nov 2026"),
    "over the end of a month": ("2026-05-28", "2026-06-01", "28 May – 1 Jun 2026"),
    "over the end of a year": ("2026-12-30", "2027-01-02", "30 Dec 2026 – 2 Jan 2027"),
}


@pytest.mark.parametrize(("begins", "ends", "words"), SPANS.values(), ids=SPANS.keys())
def test_dates_are_read_at_a_glance(begins: str, ends: str, words: str) -> None:
    visit = Visit("v", date.fromisoformat(begins), date.fromisoformat(ends))
    assert dates_of((visit,)) == words


def test_a_proposal_without_a_visit_says_so() -> None:
    assert dates_of(()) == "no visit yet"
