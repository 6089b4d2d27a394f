"""What a trial found, judged: each wall, limit and way by itself. The trials: tests/engines."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from daas_command.checks import host, inside
from daas_command.checks.containers import (
    daemon,
    folders,
    limits,
    said_of_itself,
    storage,
    walls,
)
from daas_command.checks.network import METADATA, Group, Ways, judged, names
from daas_model.errors import BadRequest

FOUND: dict[str, Any] = {
    "uid": 61234,
    "capabilities": 0,
    "no_new_privileges": 1,
    "writes_root": False,
    "seen_processes": 2,
    "seccomp": 2,
    "first_process": "docker-init",
    "own_user_ids": False,
    "writes_home": True,
    "way": "",
    "cpus": 0.51,
    "processes": 60,
    "memory_killed": True,
}


def judgements(found: dict[str, Any]) -> list[str]:
    """Return what is said of *found* that is not well."""
    told = (*walls(found), *folders(found), *limits(found))
    return [f"{one.what}: {one.said}" for one in told if one.state != "ok"]


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        pytest.param({"uid": 0}, "walls: a session's container runs as another user", id="uid"),
        pytest.param({"capabilities": 1 << 21}, "has capabilities", id="capabilities"),
        pytest.param({"no_new_privileges": 0}, "can gain privileges", id="privileges"),
        pytest.param({"writes_root": True}, "can write its root", id="root file system"),
        pytest.param({"seen_processes": 90}, "sees the machine's processes", id="processes"),
        pytest.param({"seccomp": 0}, "seccomp: is off", id="seccomp"),
        pytest.param({"own_user_ids": True}, "user ids: those inside", id="user ids"),
        pytest.param({"writes_home": False}, "folders: a container does not see", id="paths"),
        pytest.param({"way": "Permission denied"}, "door: a container cannot use", id="socket"),
        pytest.param({"cpus": 1.7}, "limits: processor time (1.7 of 0.5)", id="processor"),
        pytest.param({"processes": 80}, "limits: the number of processes can", id="pids"),
        pytest.param({"memory_killed": False}, "limits: memory can be exceeded", id="memory"),
    ],
)
def test_each_wall_that_does_not_stand_is_named(spoilt: dict[str, Any], says: str) -> None:
    assert judgements(FOUND) == []
    (told,) = judgements({**FOUND, **spoilt})
    assert says in told


def test_what_was_not_told_before_the_end_counts_as_broken() -> None:
    """All but memory: a container that is killed as a whole is killed for that."""
    cut = {k: v for k, v in FOUND.items() if k not in ("cpus", "processes", "memory_killed")}
    assert judgements(cut) == [
        "limits: processor time (2.0 of 0.5) and the number of processes can be exceeded by one "
        "session"
    ]


HERE = Group("beyond", (("10.0.0.1", 80), ("10.0.0.2", 80)), "Mend it.")


@pytest.mark.parametrize(
    ("reached", "controls", "certain", "state", "says"),
    [
        pytest.param({("10.0.0.2", 80)}, set(), False, "wrong", "at 10.0.0.2:80", id="open"),
        pytest.param(set(), {("10.0.0.1", 80)}, False, "ok", "though this machine does", id="shut"),
        pytest.param(set(), set(), False, "warning", "nothing is proved", id="not proved"),
        pytest.param(set(), set(), True, "ok", "cannot be reached (2 addresses", id="certain"),
    ],
)
def test_what_nobody_reaches_proves_nothing(
    reached: set[tuple[str, int]],
    controls: set[tuple[str, int]],
    certain: bool,
    state: str,
    says: str,
) -> None:
    group = Group(HERE.what, HERE.targets, HERE.mend, certain)
    found = judged(group, reached, controls)
    assert found.state == state
    assert says in found.said


def test_a_machine_in_no_cloud_has_nothing_to_look_at() -> None:
    assert judged(Group("metadata", (METADATA,), "Mend it."), set(), set()).state == "ok"


def test_names_of_the_world_are_a_way_out() -> None:
    assert names(known=False).state == "ok"
    assert names(known=True).state == "warning"


def test_ways_are_hosts_with_ports() -> None:
    ways = Ways.parse(["data.example:443"], ["[fd00::1]:22", "10.0.0.1:1"])
    assert ways.allowed == (("data.example", 443),)
    assert ways.forbidden == (("fd00::1", 22), ("10.0.0.1", 1))
    for wrong in ("data.example", "data.example:", ":1", "x:70000", "x:0", "x:y"):
        with pytest.raises(BadRequest):
            Ways.parse([wrong], [])


DOCKER = {"Components": [{"Name": "Engine"}], "Version": "20.10.24", "ApiVersion": "1.41"}
PODMAN = {"Components": [{"Name": "Podman Engine"}], "Version": "4.3.1", "ApiVersion": "1.41"}


def test_an_engine_says_what_it_is() -> None:
    assert said_of_itself(DOCKER).said == "Docker Engine 20.10.24, API 1.41"
    assert said_of_itself(PODMAN).said == "Podman 4.3.1, API 1.41"
    assert said_of_itself({**DOCKER, "ApiVersion": "1.24"}).state == "wrong"
    assert said_of_itself({}).state == "wrong"


@pytest.mark.parametrize(
    ("info", "says"),
    [
        pytest.param({"SecurityOptions": ["name=rootless"]}, "rootless", id="rootless"),
        pytest.param({"SecurityOptions": ["name=userns"]}, "userns-remap", id="userns-remap"),
        pytest.param({"LiveRestoreEnabled": False}, "ends all sessions", id="no live restore"),
    ],
)
def test_a_set_up_that_weakens_sessions_is_said(info: dict[str, Any], says: str) -> None:
    well = {"LiveRestoreEnabled": True, "SecurityOptions": ["name=apparmor"], "CgroupVersion": "2"}
    assert [one.said for one in daemon(well, is_docker=True)] == ["cgroups v2, AppArmor"]
    (found,) = [one for one in daemon({**well, **info}, is_docker=True) if one.state != "ok"]
    assert says in found.said
    assert found.mend


def test_a_driver_that_copies_and_an_unseen_disk_are_said() -> None:
    told = [one.said for one in storage({"Driver": "vfs", "DockerRootDir": "/nowhere"})]
    assert told[0].startswith("vfs copies")
    assert told[1] == "cannot be seen from here"
    assert next(storage({"Driver": "overlay2", "DockerRootDir": "/"})).state == "ok"


def test_this_machines_addresses_and_ports_are_found() -> None:
    with host.listener() as listener, socket.create_server(("127.0.0.1", 0)) as private:
        ports = host.ports()
        assert ports[0] == 22
        assert listener.getsockname()[1] in ports
        assert private.getsockname()[1] not in ports
    addresses = host.addresses()
    assert addresses[:2] == ["127.0.0.1", "::1"]
    said = subprocess.run(["hostname", "--all-ip-addresses"], check=True, capture_output=True)
    assert set(said.stdout.decode().split()) <= set(addresses)


def asked(**order: object) -> dict[str, Any]:
    """Return what `inside` answers, run as in a container: by its text."""
    source = Path(inside.__file__).read_text("utf-8")
    command = [sys.executable, "-I", "-c", source, json.dumps(order)]
    said = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    return {k: v for line in said.splitlines() for k, v in json.loads(line).items()}


def test_inside_nothing_confined_is_told_as_it_is() -> None:
    """This machine itself, as if it were a container: every wall is missing."""
    found = asked(do="look", home="/tmp", way="/nowhere", programs=["sh", "no-such"], limits=False)
    assert found["writes_home"]
    assert found["way"] == "No such file or directory"
    assert found["seen_processes"] > 5
    assert found["programs"]["sh"]
    assert found["programs"]["no-such"] == ""


def test_inside_what_listens_is_reached_and_nothing_else() -> None:
    with host.listener() as server, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        open_, shut = server.getsockname()[1], bound.getsockname()[1]
        targets = [["127.0.0.1", open_], ["::1", open_], ["127.0.0.1", shut], ["no host", 1]]
        found = asked(
            do="connect", targets=targets, name="x.example", servers=[["127.0.0.1", shut]]
        )
    assert found["reached"] == targets[:2]
    assert not found["name_known"]


@pytest.mark.parametrize(("answers", "known"), [(b"\x00\x01", True), (b"\x00\x00", False)])
def test_inside_names_are_asked_for_past_the_containers_own_settings(
    answers: bytes, known: bool
) -> None:
    """An empty answer is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def answer() -> None:
            question, asker = server.recvfrom(512)
            assert b"\x07example\x03com\x00" in question
            server.sendto(question[:2] + b"\x81\x80\x00\x01" + answers + bytes(4), asker)

        thread = threading.Thread(target=answer)
        thread.start()
        where = [list(server.getsockname())]
        found = asked(do="connect", targets=[], name="example.com", servers=where)
        thread.join()
    assert found["name_known"] is known


def test_inside_a_neighbour_says_when_it_listens() -> None:
    assert "addresses" in asked(do="serve", port=0, seconds=0)
