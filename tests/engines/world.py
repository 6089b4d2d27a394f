"""A facility of two proposals and two people on this machine's disk, for every engine's tests."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from daas_catalogue.facility import read_apps
from daas_model.apps import Machine
from daas_model.launch import LaunchRequest
from daas_model.people import Account
from daas_model.proposals import Storage
from daas_spawner.plan import SessionPlan, Surroundings, plan_session

APPS_FOLDER = Path(__file__).parents[1] / "spawner" / "apps"
APPS = read_apps(APPS_FOLDER)
TINY = Machine("tiny", "Tiny", 1, 0.25)
ENVIRONMENT = PurePosixPath("/usr")  # the probe needs nothing but Debian's Python

#: Invented people and groups, in a range that no machine of ours uses.
UIDS = {"pi": 61001, "coproposer": 61002}
OURS, THEIRS = 62001, 62002

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="two user ids need root")


@dataclass(frozen=True, slots=True)
class World:
    """A facility of two proposals and two people on this machine's disk."""

    top: Path

    def plan(
        self,
        person: str,
        *proposals: str,
        hub: Path | None = None,
        environment: PurePosixPath = ENVIRONMENT,
    ) -> SessionPlan:
        """Return the plan of a session of *person* with *proposals*.

        *hub* is the folder with its way to the hub, if it has one, *environment* has its programs.
        """
        return plan_session(
            LaunchRequest("probe", "tiny", proposals),
            APPS,
            TINY,
            {id_: self.storage(id_) for id_ in proposals},
            self.account(person),
            self.around(person, hub, environment),
        )

    def account(self, person: str) -> Account:
        """Return one of two invented people; both are in the group of `ours`."""
        uid = UIDS[person]
        groups = {"ours": OURS, **({"theirs": THEIRS} if person == "pi" else {})}
        return Account(person, uid, uid, groups, PurePosixPath(self.top / "homes" / person))

    def storage(self, id_: str) -> Storage:
        """Return the folders of a proposal."""
        place = self.top / "data" / id_
        return Storage(PurePosixPath(place / "raw"), PurePosixPath(place / "processed"), id_)

    def around(self, person: str, hub: Path | None, environment: PurePosixPath) -> Surroundings:
        """Return what the installation gives."""
        return Surroundings(
            environment_folder=environment,
            programs=(),
            hub_folder=PurePosixPath(hub) if hub else None,
            apps_folder=PurePosixPath(APPS_FOLDER),
            examples=PurePosixPath(self.top / "examples"),
            hub={"JUPYTERHUB_API_TOKEN": f"token-of-{person}"},
        )


def make_world(top: Path) -> World:
    """Make the folders: raw as writable as bits can make it, so that the mount must protect it."""
    for person, uid in UIDS.items():
        folder(top / "homes" / person, uid, uid, 0o700)
        (top / "homes" / person / "diary.txt").write_text(f"diary of {person}")
    for id_, gid in (("ours", OURS), ("theirs", THEIRS)):
        folder(top / "data" / id_, 0, 0, 0o777)
        folder(top / "data" / id_ / "raw", UIDS["pi"], gid, 0o2777)
        (top / "data" / id_ / "raw" / "scan.h5").write_text(f"raw of {id_}")
        (top / "data" / id_ / "raw" / "scan.h5").chmod(0o666)
        folder(top / "data" / id_ / "processed", 0, gid, 0o2770)
    folder(top / "examples", 0, 0, 0o755)
    folder(top / "hub", 0, 0, 0o755)
    return World(top)


def folder(path: Path, uid: int, gid: int, mode: int) -> None:
    """Make a folder that belongs to somebody."""
    path.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(path, uid, gid)
    path.chmod(mode)
