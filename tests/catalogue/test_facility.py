"""What is offered: adding an app is adding a folder (A3)."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from traitlets.config import Config

from daas_catalogue.facility import Facility, read_apps
from daas_model.errors import (
    CatalogueProblem,
    NeedsProposal,
    UnknownApp,
    UnknownMachine,
    WatchingRefused,
)
from daas_model.launch import LaunchRequest
from daas_model.people import Person

IMAGES = Path(__file__).parents[2] / "images"
PROPOSALS = Path(__file__).parents[2] / "daas_demo" / "proposals"

APP = "title: Viewer\nsummary: Shows pictures.\nkind: desktop\ncommand: [viewer]\n"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    shutil.copytree(IMAGES, tmp_path / "images")
    return tmp_path / "images"


def test_a_new_folder_is_a_new_app(images: Path) -> None:
    before = set(read_apps(images))
    (images / "viewer").mkdir()
    (images / "viewer" / "app.yaml").write_text(APP, "utf-8")
    assert set(read_apps(images)) - before == {"viewer"}


def test_a_malformed_app_is_named_with_its_file(images: Path) -> None:
    (images / "viewer").mkdir()
    (images / "viewer" / "app.yaml").write_text(APP + "colour: red\n", "utf-8")
    with pytest.raises(CatalogueProblem, match=r"viewer/app\.yaml.*colour"):
        read_apps(images)


@pytest.mark.parametrize("app", sorted(read_apps(IMAGES)))
def test_every_app_of_ours_has_its_icon_and_its_requirements(app: str) -> None:
    folder, read = IMAGES / app, read_apps(IMAGES)[app]
    assert (folder / read.icon).is_file()
    packages = (IMAGES.parent / "Makefile").read_text("utf-8").split()
    from_debian = read.command[0] in packages
    requirements = folder / "requirements.txt"
    assert read.image_only or from_debian or requirements.read_text("utf-8").strip()


def test_an_unknown_connector_lists_those_that_are_installed(images: Path) -> None:
    facility = Facility(apps_folder=str(images), catalogue_name="icat9")
    with pytest.raises(CatalogueProblem, match="files"):
        _ = facility.catalogue


@pytest.mark.parametrize(
    ("settings", "only_one"),
    [
        pytest.param({}, False, id="by default"),
        pytest.param({"DaasAuthenticator": {"account_source": "ldap"}}, False, id="LDAP"),
        pytest.param({"DaasAuthenticator": {"account_source": "proposals"}}, True, id="proposals"),
        pytest.param({"Facility": {"one_proposal_per_session": True}}, True, id="said so"),
    ],
)
def test_a_session_opens_one_proposal_where_proposals_have_the_accounts(
    images: Path, settings: dict[str, dict[str, object]], only_one: bool
) -> None:
    facility = Facility(config=Config(settings), apps_folder=str(images))
    assert facility.one_proposal_per_session is only_one


def test_unknown_apps_and_machines_are_sentences(images: Path) -> None:
    facility = Facility(apps_folder=str(images))
    with pytest.raises(UnknownApp):
        facility.app("nope")
    with pytest.raises(UnknownMachine):
        facility.machine("nope")


def test_a_wrong_machine_in_the_configuration_stops_the_start(images: Path) -> None:
    config = Config({"Facility": {"machines_offered": {"small": {"title": "Small", "cpus": 0}}}})
    with pytest.raises(CatalogueProblem, match="cpus"):
        Facility(apps_folder=str(images), config=config)


ENGINES = {
    "here": {"title": "here", "kind": "local"},
    "boxes": {"title": "boxes", "kind": "docker", "address": "unix:///run/docker.sock"},
    "cluster": {
        "title": "cluster",
        "kind": "kubernetes",
        "namespace": "sessions",
        "hub_url": "http://hub:8082",
        "volumes": {"all": "/"},
    },
}


def with_machine(**entries: object) -> Facility:
    machines = {"gpu": {"title": "GPU", "cpus": 8, "memory_gib": 64, **entries}}
    settings = {"engines_offered": ENGINES, "machines_offered": machines}
    return Facility(apps_folder=str(IMAGES), config=Config({"Facility": settings}))


@pytest.mark.parametrize("entry", [{"gpus": 1}, {"node_labels": {"gpu": "a100"}}], ids=str)
@pytest.mark.parametrize("engine", [{}, {"engine": "here"}, {"engine": "boxes"}], ids=str)
def test_gpus_and_nodes_are_chosen_in_a_cluster_only(
    engine: dict[str, object], entry: dict[str, object]
) -> None:
    name = engine.get("engine", "here")
    with pytest.raises(CatalogueProblem) as said:
        with_machine(**engine, **entry)
    assert said.value.message == (
        f"The machine 'gpu' has 'gpus' or 'node_labels', and '{name}' is no cluster."
    )


def test_a_machine_of_a_cluster_may_have_gpus_and_labels() -> None:
    facility = with_machine(engine="cluster", gpus=1, node_labels={"gpu": "a100"})
    assert facility.machine("gpu").numbers == "8 CPU, 64 GB, 1 GPU"


@pytest.mark.parametrize(
    ("setting", "rights", "allowed"),
    [
        pytest.param("everyone", set(), True, id="everyone"),
        pytest.param("with-right", set(), False, id="no right"),
        pytest.param("with-right", {"local-contact"}, False, id="another right"),
        pytest.param("with-right", {"without-proposal"}, True, id="the right"),
        pytest.param("with-right", {"staff"}, True, id="staff"),
        pytest.param("nobody", {"staff", "without-proposal"}, False, id="nobody"),
    ],
)
def test_who_may_start_without_a_proposal(setting: str, rights: set[str], allowed: bool) -> None:
    facility = Facility(apps_folder=str(IMAGES), without_proposal=setting)
    person = Person("pi", rights=frozenset(rights))
    request = LaunchRequest(app="jupyterlab", machine="small", proposals=())
    assert facility.starts_without_proposal(person) is allowed
    if allowed:
        facility.check_proposals(person, request)
    else:
        with pytest.raises(NeedsProposal, match="without a proposal"):
            facility.check_proposals(person, request)
    facility.check_proposals(person, replace(request, proposals=("2026-0142",)))


def test_groups_of_the_hub_become_rights_again() -> None:
    person = Person.of_hub("pi", ["p1", "daas-right-staff"])
    assert (person.groups, person.rights) == ({"p1"}, {"staff"})


def watched(setting: str, folder: Path) -> Facility:
    """Return a facility whose one proposal, 2026-0142, is the person pi's."""
    shutil.copy(PROPOSALS / "2026-0142.yaml", folder)
    config = Config({"FilesCatalogue": {"folder": str(folder)}})
    return Facility(apps_folder=str(IMAGES), watching=setting, config=config)


@pytest.mark.parametrize(
    ("setting", "name", "proposals", "allowed"),
    [
        pytest.param("proposal", "pi", ("2026-0142",), True, id="of the proposal"),
        pytest.param("proposal", "guest", ("2026-0142",), False, id="of no proposal"),
        pytest.param("proposal", "pi", ("2026-0142", "2026-9"), False, id="of one of two"),
        pytest.param("proposal", "guest", (), True, id="a session without a proposal"),
        pytest.param("anyone", "guest", ("2026-0142",), True, id="anyone"),
        pytest.param("off", "pi", ("2026-0142",), False, id="off"),
    ],
)
async def test_who_may_look_at_a_session_when_invited(
    tmp_path: Path, setting: str, name: str, proposals: tuple[str, ...], allowed: bool
) -> None:
    facility = watched(setting, tmp_path)
    request = LaunchRequest(app="pymca", machine="small", proposals=proposals)
    if allowed:
        await facility.check_guest(Person(name), request)
        return
    with pytest.raises(WatchingRefused) as refused:
        await facility.check_guest(Person(name), request)
    assert "2026-" not in str(refused.value)


@pytest.mark.parametrize("setting", ["proposal", "anyone", "off"])
async def test_nobody_is_invited_to_an_app_that_has_no_way_to_look_on(
    tmp_path: Path, setting: str
) -> None:
    request = LaunchRequest(app="jupyterlab", machine="small", proposals=())
    with pytest.raises(WatchingRefused):
        watched(setting, tmp_path).check_watching(request)
