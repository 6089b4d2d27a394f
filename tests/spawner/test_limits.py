"""Limits by whichever cgroup version is there."""

from pathlib import Path

import pytest

from daas_spawner.local.limits import Group, Hierarchy, hierarchies, missing, settings

V1 = "8:pids:/\n4:memory:/hub\n2:cpuacct,cpu:/\n0::/\n"
V2 = "0::/system.slice/jupyterhub.service/hub\n"


def test_version_1_is_found_controller_by_controller(tmp_path: Path) -> None:
    for folder in ("pids", "memory/hub", "cpu"):
        (tmp_path / folder).mkdir(parents=True)
    places = hierarchies(V1, tmp_path)
    assert missing(places) == ()
    assert {str(place.folder.relative_to(tmp_path)) for place in places} == {
        "pids",
        "memory/hub",
        "cpu",
    }


def test_version_2_makes_groups_beside_the_hubs_own(tmp_path: Path) -> None:
    service = tmp_path / "system.slice" / "jupyterhub.service"
    (service / "hub").mkdir(parents=True)
    (service / "cgroup.subtree_control").write_text("memory pids\n")
    places = hierarchies(V2, tmp_path)
    assert [place.folder for place in places] == [service]
    assert missing(places) == ("cpu",)


def test_a_machine_without_writable_cgroups_says_what_is_missing(tmp_path: Path) -> None:
    assert missing(hierarchies(V2, tmp_path)) == ("memory", "cpu", "pids")


@pytest.mark.parametrize("version", [1, 2])
def test_a_group_is_made_with_its_limits_and_removed(tmp_path: Path, version: int) -> None:
    place = Hierarchy(tmp_path, version, ("memory", "cpu", "pids"))
    group = Group("x", (place,))
    group.make(cpus=0.5, memory_bytes=1024, processes=7)
    written = {file.name: file.read_text() for file in (tmp_path / "daas-x").iterdir()}
    assert written == dict(settings(version, 0.5, 1024, 7))
    assert "50000" in " ".join(written.values())
    for file in (tmp_path / "daas-x").iterdir():
        file.unlink()  # the kernel's files vanish with the group
    group.remove()
    assert not (tmp_path / "daas-x").exists()
