"""Which machines a page offers: by the app, by the engine, and by what is away. Tables."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from daas_catalogue.facility import Facility
from daas_model.errors import EngineProblem, UnknownApp, UnknownMachine
from daas_portal.hub import HubSession, HubStates
from daas_portal.machines import (
    Choice,
    choice,
    chosen,
    fitting,
    machine_views,
    places,
    require_working,
)
from daas_portal.views import OpenButton, buttons, in_order, session_view
from tests.portal.two_engines import IMAGE_ONLY

IMAGES = Path(__file__).parents[2] / "images"
HERE = {"title": "here", "kind": "local"}
CONTAINERS = {"title": "containers", "kind": "docker", "address": "unix:///run/none.sock"}
SMALL = {"title": "Small", "cpus": 2, "memory_gib": 4}
LARGE = {"title": "Large", "cpus": 8, "memory_gib": 32}
AWAY = {"containers": "“containers” does not answer."}


@pytest.fixture
def apps(tmp_path: Path) -> str:
    shutil.copytree(IMAGES / "pymca", tmp_path / "pymca")
    (tmp_path / "viewer").mkdir()
    (tmp_path / "viewer" / "app.yaml").write_text(IMAGE_ONLY.replace("CrystFEL", "Viewer"), "utf-8")
    return str(tmp_path)


@pytest.fixture
def facility(apps: str) -> Facility:
    """Small is here, large in containers; the viewer is an image only."""
    return Facility(
        apps_folder=apps,
        engines_offered={"here": HERE, "containers": CONTAINERS},
        machines_offered={"small": SMALL, "large": {**LARGE, "engine": "containers"}},
    )


@pytest.fixture
def one_engine(apps: str) -> Facility:
    return Facility(apps_folder=apps, machines_offered={"small": SMALL, "large": LARGE})


def test_a_machine_is_called_with_its_engine_only_where_there_are_several(
    facility: Facility, one_engine: Facility
) -> None:
    titles = [view.title for view in machine_views(facility, {})]
    assert titles == ["Small — here", "Large — containers"]
    assert [view.title for view in machine_views(one_engine, {})] == ["Small", "Large"]


def test_an_engine_that_no_machine_uses_lengthens_no_title(apps: str) -> None:
    both = {"here": HERE, "containers": CONTAINERS}
    facility = Facility(apps_folder=apps, engines_offered=both, machines_offered={"s": SMALL})
    assert [view.title for view in machine_views(facility, {})] == ["Small"]


def test_an_app_that_is_an_image_only_has_machines_in_containers_only(facility: Facility) -> None:
    views = machine_views(facility, {})
    viewer = fitting(views, facility, facility.app("viewer"))
    assert [view.name for view in viewer] == ["large"]
    assert len(fitting(views, facility, facility.app("pymca"))) == 2
    with pytest.raises(UnknownMachine, match="does not run on the machine “Small — here”"):
        facility.check_machine(facility.app("viewer"), facility.machine("small"))


def test_an_app_that_no_machine_can_run_is_not_there(one_engine: Facility) -> None:
    assert list(one_engine.apps_offered) == ["pymca"]
    assert list(choice(one_engine, {}, "").of_app) == ["pymca"]
    with pytest.raises(UnknownApp, match="There is no app"):
        one_engine.app("viewer")


CHOICES = {
    "nobody chose": ({}, "", "small"),
    "one that answers": (AWAY, "small", "small"),
    "another one": ({}, "large", "large"),
    "one that is away": (AWAY, "large", "small"),
    "one that does not exist": ({}, "huge", "small"),
    "all are away": ({"here": "x", **AWAY}, "large", "large"),
}


@pytest.mark.parametrize(("problems", "wanted", "name"), CHOICES.values(), ids=CHOICES.keys())
def test_a_page_chooses_what_can_be_used(
    facility: Facility, problems: dict[str, str], wanted: str, name: str
) -> None:
    assert chosen(machine_views(facility, problems), wanted).name == name


def of(shown: tuple[OpenButton, ...], app: str) -> OpenButton:
    return next(button for button in shown if button.app.name == app)


def shown(facility: Facility, where: Choice, *running: str) -> tuple[OpenButton, ...]:
    return buttons(in_order(facility.apps_offered), ("p-1",), where, running)


def test_a_button_says_when_its_app_runs_elsewhere(facility: Facility) -> None:
    made = shown(facility, choice(facility, {}, "small"))
    assert (of(made, "viewer").machine.title, of(made, "viewer").elsewhere) == (
        "Large — containers",
        True,
    )
    assert not of(made, "pymca").elsewhere
    made = shown(facility, choice(facility, {}, "large"))
    assert {button.machine.name for button in made} == {"large"}
    assert not any(button.elsewhere for button in made)


def test_an_engine_that_is_away_disables_its_own_apps_and_nothing_else(facility: Facility) -> None:
    made = shown(facility, choice(facility, AWAY, ""))
    assert of(made, "viewer").problem == AWAY["containers"]
    assert of(made, "pymca").problem == ""
    assert [button.app.name for button in made if button.primary] == ["pymca"]


def test_what_runs_already_can_be_gone_to_though_its_engine_is_away(facility: Facility) -> None:
    made = shown(facility, choice(facility, AWAY, ""), "viewer-p-1")
    assert of(made, "viewer").running
    assert of(made, "viewer").problem == ""


def test_a_start_on_an_engine_that_is_away_is_refused_in_one_sentence(facility: Facility) -> None:
    small, large = machine_views(facility, AWAY)
    require_working(small)
    with pytest.raises(EngineProblem, match="“Large — containers” cannot be used now") as refused:
        require_working(large)
    assert refused.value.code == "DAAS-ENGINE"


def test_cards_say_where_a_session_runs_if_there_is_more_than_one_place(
    facility: Facility, apps: str
) -> None:
    options = {"app": "pymca", "machine": "large", "proposals": []}
    session = HubSession.parse("pymca", {"user_options": options, "ready": True})
    view = session_view(session, facility.apps, places=places(facility))
    assert view.where == "Large — containers"
    one = Facility(apps_folder=apps, machines_offered={"large": LARGE})
    assert session_view(session, one.apps, places=places(one)).where == ""
    gone = replace(session, request=None)
    assert session_view(gone, facility.apps, places=places(facility)).where == ""


SAID = {
    "how far it is": ({"pending": "spawn"}, "Fetching PyMca: layer 2 of 5, 120 of 400 MB"),
    "why it ended": ({}, "It ended by itself or from outside the portal."),
}


@pytest.mark.parametrize(("model", "words"), SAID.values(), ids=SAID.keys())
def test_what_the_hub_says_of_a_session_stands_on_its_card(
    facility: Facility, model: dict[str, object], words: str
) -> None:
    session = HubSession.parse("pymca", model)
    said = HubStates.parse({"engines": {}, "sessions": {"pymca": words, "other": "x"}}).sessions
    assert session_view(session, facility.apps, said).meaning == words
    assert session_view(session, facility.apps).meaning != words
