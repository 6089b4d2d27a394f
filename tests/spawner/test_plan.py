"""plan_session, the pure function: what a session gets, and nothing else (D3–D6, D8, A4)."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from daas_catalogue.facility import read_apps
from daas_model.apps import App, Desktop, Machine
from daas_model.errors import AccountProblem
from daas_model.launch import LaunchRequest
from daas_model.people import Account
from daas_model.proposals import Storage
from daas_spawner.plan import Mount, SessionPlan, Surroundings, plan_session

APPS = read_apps(Path(__file__).parents[2] / "images")
SMALL = Machine("small", "Small", 2, 4)
PI = Account("pi", 61001, 61001, {"p-1": 62001, "p-2": 62002}, PurePosixPath("/nfs/home/pi"))
AROUND = Surroundings(
    environment_folder=PurePosixPath("/opt/env"),
    programs=(Mount(PurePosixPath("/opt/env"), PurePosixPath("/opt/env"), read_only=True),),
    hub_folder=PurePosixPath("/run/x/hub"),
    apps_folder=PurePosixPath("/opt/images"),
    examples=PurePosixPath("/opt/examples"),
    hub={"JUPYTERHUB_API_TOKEN": "a-secret", "JUPYTERHUB_USER": "pi"},
)


def storage(*proposals: str) -> dict[str, Storage]:
    return {
        id_: Storage(
            PurePosixPath(f"/data/{id_}/raw"), PurePosixPath(f"/data/{id_}/processed"), id_
        )
        for id_ in proposals
    }


def plan(app: str = "pymca", *proposals: str, account: Account = PI) -> SessionPlan:
    request = LaunchRequest(app, "small", proposals)
    return plan_session(request, APPS, SMALL, storage(*proposals), account, AROUND)


WRITABLE = {
    "no proposal": ((), {"/home/pi"}),
    "one proposal": (("p-1",), {"/home/pi", "/proposals/p-1/processed"}),
    "two proposals": (
        ("p-1", "p-2"),
        {
            "/home/pi",
            "/proposals/p-1/processed",
            "/proposals/p-2/processed",
        },
    ),
}


@pytest.mark.parametrize(("proposals", "writable"), WRITABLE.values(), ids=WRITABLE.keys())
def test_home_and_processed_are_all_that_can_be_written(
    proposals: tuple[str, ...], writable: set[str]
) -> None:
    mounts = plan("pymca", *proposals).mounts
    assert {str(mount.target) for mount in mounts if not mount.read_only} == writable


def test_raw_data_is_read_only_by_its_mount() -> None:
    raw = Mount(PurePosixPath("/data/p-1/raw"), PurePosixPath("/proposals/p-1/raw"), True)
    assert raw in plan("pymca", "p-1").mounts


FOLDERS = {
    "one proposal": (("p-1",), "/proposals/p-1"),
    "two proposals": (("p-1", "p-2"), "/proposals"),
    "own resources": ((), "/examples"),
}


@pytest.mark.parametrize(("proposals", "folder"), FOLDERS.values(), ids=FOLDERS.keys())
def test_the_program_starts_in_the_folder_of_its_data(
    proposals: tuple[str, ...], folder: str
) -> None:
    assert str(plan("pymca", *proposals).folder) == folder


STARTS = {
    "in processed": ("processed", ("p-1",), "/proposals/p-1/processed"),
    "several have no one processed": ("processed", ("p-1", "p-2"), "/proposals"),
    "without a proposal": ("processed", (), "/examples"),
    "at home": ("home", ("p-1",), "/home/pi"),
}


@pytest.mark.parametrize(("said", "proposals", "folder"), STARTS.values(), ids=STARTS.keys())
def test_an_app_may_say_where_it_starts(said: str, proposals: tuple[str, ...], folder: str) -> None:
    made = plan_of(replace(APPS["pymca"], desktop=Desktop(folder=said)), *proposals)
    assert str(made.folder) == folder


def test_the_desktop_is_told_which_files_the_program_opens() -> None:
    told = Desktop(opens=(".h5", ".mca"), file_arguments=("-f", "{file}"))
    argv = plan_of(replace(APPS["pymca"], desktop=told)).argv
    said = argv[: argv.index("--")]
    assert said[-4:] == (
        "--opens=.h5",
        "--opens=.mca",
        "--file-argument=-f",
        "--file-argument={file}",
    )
    argv = plan_of(replace(APPS["pymca"], desktop=Desktop())).argv
    assert not [word for word in argv if word.startswith(("--opens", "--file"))]


def test_an_app_has_variables_of_its_own_and_none_of_the_portals() -> None:
    desktop = Desktop(environment={"QT_SCALE_FACTOR": "2", "HOME": "/root"}, windows="own")
    environment = plan_of(replace(APPS["pymca"], desktop=desktop), "p-1").environment
    assert environment["QT_SCALE_FACTOR"] == "2"
    assert environment["DAAS_OWN_WINDOW_MANAGER"] == "1"
    assert environment["HOME"] == "/home/pi"
    assert environment["JUPYTERHUB_API_TOKEN"] == "a-secret"


def plan_of(app: App, *proposals: str) -> SessionPlan:
    request = LaunchRequest(app.name, "small", proposals)
    return plan_session(request, {app.name: app}, SMALL, storage(*proposals), PI, AROUND)


def test_own_resources_have_no_proposal() -> None:
    assert not [mount for mount in plan().mounts if mount.target.is_relative_to("/proposals")]


def test_nothing_is_mounted_where_the_person_could_put_a_link() -> None:
    """CVE-2024-45310; and homes on a file server may let no root in."""
    mounts = plan("pymca", "p-1").mounts
    theirs = [mount.target for mount in mounts if not mount.read_only]
    assert not [m for m in mounts for place in theirs if place in m.target.parents]


@pytest.mark.parametrize("proposals", [(), ("p-1",)])
def test_the_home_leads_to_what_is_mounted_beside_it(proposals: tuple[str, ...]) -> None:
    """D5. The home is that of all sessions of a person, so the links are the same in all."""
    made = plan("pymca", *proposals)
    assert made.environment["DAAS_LINKS"] == "Proposals=/proposals Examples=/examples"
    assert PurePosixPath("/examples") in [mount.target for mount in made.mounts]


def test_every_app_sees_the_same_folders() -> None:
    assert plan("pymca", "p-1").mounts == plan("jupyterlab", "p-1").mounts


def test_somebody_who_is_not_in_the_proposals_group_is_not_started() -> None:
    stranger = Account("x", 61009, 61009, {"p-1": 62001}, PurePosixPath("/h"))
    with pytest.raises(AccountProblem, match="p-2"):
        plan("pymca", "p-1", "p-2", account=stranger)


def test_without_a_group_in_the_rule_no_group_is_asked_for() -> None:
    place = Storage(PurePosixPath("/r"), PurePosixPath("/p"), "")
    nobody = Account("x", 61009, 61009, {}, PurePosixPath("/h"))
    plan_session(
        LaunchRequest("pymca", "small", ("p-1",)), APPS, SMALL, {"p-1": place}, nobody, AROUND
    )


def test_a_session_is_its_accounts_whoever_opened_it() -> None:
    of_proposal = Account("u-1", 61077, 61077, {"p-1": 62001}, PurePosixPath("/nfs/home/u-1"))
    made = plan("jupyterlab", "p-1", account=of_proposal)
    assert made.mounts[0] == Mount(of_proposal.home, PurePosixPath("/home/u-1"), read_only=False)
    assert str(made.folder) == "/proposals/p-1"
    names = {
        name: made.environment[name] for name in ("USER", "LOGNAME", "HOME", "JUPYTERHUB_USER")
    }
    assert names == {"USER": "u-1", "LOGNAME": "u-1", "HOME": "/home/u-1", "JUPYTERHUB_USER": "pi"}


def test_a_sessions_keys_do_not_lie_in_its_home() -> None:
    made = plan("jupyterlab", "p-1")
    assert not made.environment["JUPYTER_RUNTIME_DIR"].startswith(made.environment["HOME"])


def test_a_window_program_is_shown_by_the_desktop_and_a_web_app_serves_itself() -> None:
    assert plan("pymca", "p-1").argv[:2] == ("daas-desktop", "serve")
    assert plan("pymca", "p-1").argv[-2:] == ("--", "pymca")
    assert plan("jupyterlab", "p-1").argv == ("daas-notebook",)


PLACES = {
    "one proposal": (("p-1",), [("p-1: processed", True), ("p-1: raw", False)]),
    "two proposals": (
        ("p-1", "p-2"),
        [
            ("p-1: processed", True),
            ("p-2: processed", True),
            ("p-1: raw", False),
            ("p-2: raw", False),
        ],
    ),
    "no proposal": ((), [("Home", True), ("Examples", False)]),
}


@pytest.mark.parametrize(("proposals", "places"), PLACES.values(), ids=PLACES.keys())
def test_a_desktops_page_offers_the_folders_of_its_proposals(
    proposals: tuple[str, ...], places: list[tuple[str, bool]]
) -> None:
    made = plan("pymca", *proposals)
    said = json.loads(made.environment["DAAS_PLACES"])
    assert [(place["title"], place["writable"]) for place in said] == places
    mounted = {str(mount.target): not mount.read_only for mount in made.mounts}
    assert all(mounted[place["path"]] == place["writable"] for place in said)


def test_the_desktop_apps_are_tiles_in_the_launcher() -> None:
    tiles = json.loads(plan("jupyterlab", "p-1").environment["DAAS_TILES"])
    assert [tile["name"] for tile in tiles] == ["pymca"]
    assert tiles[0]["icon"] == "/opt/daas/apps/pymca/icon.svg"


STARTS = {
    "one proposal": (("p-1",), "/lab/tree/Proposals/p-1/processed"),
    "two proposals": (("p-1", "p-2"), "/lab"),
    "own resources": ((), "/lab"),
}


@pytest.mark.parametrize(("proposals", "address"), STARTS.values(), ids=STARTS.keys())
def test_jupyterlab_opens_where_a_new_notebook_can_be_saved(
    proposals: tuple[str, ...], address: str
) -> None:
    assert plan("jupyterlab", *proposals).environment["JUPYTERHUB_DEFAULT_URL"] == address


def test_two_proposals_sessions_do_not_share_their_open_tabs() -> None:
    folders = {
        plan("jupyterlab", id_).environment["JUPYTERLAB_WORKSPACES_DIR"] for id_ in ("p-1", "p-2")
    }
    assert len(folders) == 2


def test_limits_are_those_of_the_machine() -> None:
    limits = plan("pymca").limits
    assert (limits.cpus, limits.memory_bytes) == (2, 4 * 2**30)


def test_no_log_line_can_carry_a_secret_of_the_plan() -> None:
    assert "a-secret" not in repr(plan())
    assert "61001" not in repr(plan())
