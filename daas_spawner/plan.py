"""The narrow waist: everything a back end needs to run one session, decided without I/O.

`plan_session` is a pure function with tables for tests; a back end only renders its result into
its engine's terms.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from daas_model.apps import App, Apps, Machine
from daas_model.errors import AccountProblem
from daas_model.launch import LaunchRequest
from daas_model.people import Account
from daas_model.proposals import Storage

#: Processes and threads that one session may have; a fork bomb stops here.
MOST_PROCESSES = 1024

#: Where a session sees its proposals, and the examples for all. Not in the home: a
#: person could put a link in the place of what is mounted over, and some homes let no root in.
PROPOSALS = PurePosixPath("/proposals")
EXAMPLES = PurePosixPath("/examples")
APPS = PurePosixPath("/opt/daas/apps")
#: Where our images have their programs.
IMAGE_PROGRAMS = PurePosixPath("/opt/daas/env")
HUB_FOLDER = PurePosixPath("/run/daas")
#: The hub's API as a session sees it.
HUB_INSIDE = "http+unix://%2Frun%2Fdaas%2Fhub.sock"


@dataclass(frozen=True, slots=True)
class Mount:
    """One folder of the machine, as the session sees it."""

    source: PurePosixPath
    target: PurePosixPath
    read_only: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may use. *cpus* in cores, *memory_bytes* in bytes.

    In a cluster it gets *gpus*, and is put on a node with *node_labels*.
    """

    cpus: float
    memory_bytes: int
    processes: int
    gpus: int = 0
    node_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the installation gives to every session.

    *environment_folder* is where the session finds the programs (a virtual environment), and
    *programs* what must be mounted for them: nothing where an image brings them. *hub_folder*
    holds the hub's API socket, if it is not reached by a network; *apps_folder* holds the apps'
    pictures; *examples* may be None. *hub* is
    the hub's own part of the environment, with its secrets.
    """

    environment_folder: PurePosixPath
    programs: tuple[Mount, ...]
    hub_folder: PurePosixPath | None
    apps_folder: PurePosixPath
    examples: PurePosixPath | None
    hub: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One session: app, command, environment, folder, mounts, account and limits.

    The first mount is the home. There is no network in it: a session speaks through the socket
    it inherits and the hub's.
    """

    app: App
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: PurePosixPath
    mounts: tuple[Mount, ...]
    account: Account
    limits: Limits


def plan_session(
    request: LaunchRequest,
    apps: Apps,
    machine: Machine,
    storage: Mapping[str, Storage],
    account: Account,
    around: Surroundings,
) -> SessionPlan:
    """Return the plan of one session.

    *storage* holds the checked storage of exactly the request's proposals. Raises
    `AccountProblem` when the account is not in the group of one of them: what it wrote, the
    others could not change.
    """
    _require_groups(storage, account)
    app = apps[request.app]
    home = PurePosixPath("/home") / account.name
    mounts = [
        Mount(account.home, home, read_only=False),
        *_proposal_mounts(storage, PROPOSALS),
        *around.programs,
        *([Mount(around.hub_folder, HUB_FOLDER, read_only=True)] if around.hub_folder else []),
        Mount(around.apps_folder, APPS, read_only=True),
    ]
    if around.examples is not None:
        # In every session, for the link to it is in every session of this person's.
        mounts.append(Mount(around.examples, EXAMPLES, read_only=True))
    data = _data_folder(storage, home if around.examples is None else EXAMPLES)
    folder = _folder(app, data, home)
    return SessionPlan(
        app=app,
        argv=_argv(app),
        environment={
            **_for_desktop(app),
            **around.hub,
            **_environment(apps, account, mounts, data, request.server_name, around),
        },
        folder=folder,
        mounts=tuple(mounts),
        account=account,
        limits=Limits(
            machine.cpus,
            int(machine.memory_gib * 2**30),
            MOST_PROCESSES,
            machine.gpus,
            machine.node_labels,
        ),
    )


def _require_groups(storage: Mapping[str, Storage], account: Account) -> None:
    for proposal, place in storage.items():
        if place.group and place.group not in account.groups:
            raise AccountProblem(
                f"Your account is not in the group of proposal {proposal} yet, so its processed "
                "data could not be shared. Nothing was started.",
                "It can take an hour after you were added. Then ask your local contact.",
            )


def _proposal_mounts(storage: Mapping[str, Storage], top: PurePosixPath) -> list[Mount]:
    mounts = []
    for proposal, place in storage.items():
        mounts.append(Mount(place.raw, top / proposal / "raw", read_only=True))
        mounts.append(Mount(place.processed, top / proposal / "processed", read_only=False))
    return mounts


def _places(mounts: Sequence[Mount], home: PurePosixPath) -> list[dict[str, object]]:
    """Return the folders that a desktop's page offers for files, those to write in first.

    The home only where there is no proposal: what belongs to one is not put there by mistake.
    """
    targets = [mount.target for mount in mounts if mount.target.is_relative_to(PROPOSALS)]
    shown = {target: f"{target.parent.name}: {target.name}" for target in targets}
    shown = shown or {home: "Home", EXAMPLES: "Examples"}
    found = [mount for mount in mounts if mount.target in shown]
    return [
        {"title": shown[one.target], "path": str(one.target), "writable": not one.read_only}
        for one in sorted(found, key=lambda one: one.read_only)
    ]


def _data_folder(storage: Mapping[str, Storage], without: PurePosixPath) -> PurePosixPath:
    if not storage:
        return without
    return PROPOSALS / next(iter(storage)) if len(storage) == 1 else PROPOSALS


def _folder(app: App, data: PurePosixPath, home: PurePosixPath) -> PurePosixPath:
    """Return where the program starts; with several proposals none is its only `processed`."""
    if app.desktop.folder == "processed" and data.parent == PROPOSALS:
        return data / "processed"
    return home if app.desktop.folder == "home" else data


def _for_desktop(app: App) -> dict[str, str]:
    """Return what an app's file says to its desktop; what the plan itself sets, wins."""
    own = {"DAAS_OWN_WINDOW_MANAGER": "1"} if app.desktop.windows == "own" else {}
    gpu = {"DAAS_GPU": "1"} if app.gpu else {}
    return {**app.desktop.environment, **own, **gpu}


def _argv(app: App) -> tuple[str, ...]:
    if app.kind == "web":
        return app.command
    icon = str(APPS / app.name / app.icon)
    # With "=": an argument for a file may begin with a dash.
    opens = [f"--opens={ending}" for ending in app.desktop.opens]
    opens += [f"--file-argument={one}" for one in app.desktop.file_arguments if opens]
    command = ("--", *app.command)
    return ("daas-desktop", "serve", "--title", app.title, "--icon", icon, *opens, *command)


def _environment(
    apps: Apps,
    account: Account,
    mounts: Sequence[Mount],
    folder: PurePosixPath,
    workspace: str,
    around: Surroundings,
) -> dict[str, str]:
    home = mounts[0].target
    # Where a new notebook can be saved: the folder above is a read-only frame of mounts.
    relative = PurePosixPath()
    if folder.parent == PROPOSALS:
        relative = "Proposals" / folder.relative_to(PROPOSALS) / "processed"
    return {
        "HOME": str(home),
        "USER": account.name,
        "LOGNAME": account.name,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": f"{around.environment_folder}/bin:/usr/local/bin:/usr/bin:/bin",
        # Made in the home by the session's first program: outside, nobody but root could.
        "DAAS_LINKS": f"Proposals={PROPOSALS}" + (f" Examples={EXAMPLES}" * bool(around.examples)),
        "DAAS_PLACES": json.dumps(_places(mounts, home)),
        "XDG_RUNTIME_DIR": "/tmp/runtime",  # noqa: S108  the session's own /tmp
        # Not in the home: it holds keys, and a home may be that of a proposal's many people.
        "JUPYTER_RUNTIME_DIR": "/tmp/runtime/jupyter",  # noqa: S108
        "JUPYTERHUB_SERVICE_URL": "http+unix://%2Frun%2Fdaas%2Finherited",
        "JUPYTERHUB_ROOT_DIR": str(home),
        # Each session its own: else one proposal's session opens with another's tabs.
        "JUPYTERLAB_WORKSPACES_DIR": f"{home}/.jupyter/lab/workspaces/{workspace}",
        "JUPYTERHUB_DEFAULT_URL": f"/lab/tree/{relative}" if relative.parts else "/lab",
        "DAAS_TILES": json.dumps(
            [
                {
                    "name": app.name,
                    "title": app.title,
                    "icon": str(APPS / app.name / app.icon),
                    "command": list(app.command),
                    "environment": _for_desktop(app),
                }
                for app in apps.values()
                # An image brings its own app only.
                if app.kind == "desktop" and app.desktop.tile
                if around.programs and not app.image_only
            ]
        ),
    }
