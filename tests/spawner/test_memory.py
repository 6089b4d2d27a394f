"""Where the kernel counts what it has killed for its memory."""

from pathlib import Path

import pytest

from daas_spawner.session.memory import events_file, kills


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        ("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n", 1),
        ("oom_kill_disable 0\nunder_oom 0\n", 0),
        ("", 0),
    ],
    ids=["version 1", "version 2", "an old kernel", "nothing"],
)
def test_what_was_killed_is_counted(events: str, count: int) -> None:
    assert kills(events) == count


def test_version_1_has_a_place_of_its_own_for_memory(tmp_path: Path) -> None:
    groups = "9:pids:/docker/x\n5:memory:/docker/x\n0::/\n"
    assert events_file(groups, tmp_path) == tmp_path / "memory/docker/x/memory.oom_control"


def test_version_2_has_one_place_for_all(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    assert events_file("0::/docker/x\n", tmp_path) == tmp_path / "docker/x/memory.events"


def test_a_machine_that_does_not_count_has_no_file(tmp_path: Path) -> None:
    assert events_file("0::/docker/x\n", tmp_path) is None
