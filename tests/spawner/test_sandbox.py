"""The bubblewrap command line: what it must always and never say (X2, X3)."""

from dataclasses import replace

import pytest

from daas_spawner.local.sandbox import render
from tests.spawner.test_plan import PI, plan


def argv(as_root: bool = True, app: str = "pymca", *proposals: str) -> list[str]:
    return list(render(plan(app, *proposals), "host", as_root, 10).argv)


@pytest.mark.parametrize("as_root", [True, False], ids=["as root", "as an ordinary user"])
@pytest.mark.parametrize(
    "needed",
    [
        "--unshare-net",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup",
        "--die-with-parent",
        "--new-session",
        "--no-new-privs",
    ],
)
def test_every_sandbox_is_closed(as_root: bool, needed: str) -> None:
    assert needed in argv(as_root)


def test_as_root_there_is_no_user_namespace() -> None:
    """In one, the process would stay the machine's root underneath."""
    assert not [word for word in argv(as_root=True) if "user" in word]


def test_as_an_ordinary_user_a_user_namespace_is_the_only_way() -> None:
    assert "--unshare-user" in argv(as_root=False)
    assert not [word for word in argv(as_root=False) if word.startswith("--reuid")]


def test_the_person_gets_her_numbers_and_loses_every_capability() -> None:
    words = argv()
    assert words[words.index("--groups") + 1] == "62001,62002"
    for needed in ("--reuid=61001", "--regid=61001", "--bounding-set=-all", "--inh-caps=-all"):
        assert needed in words


def test_somebody_without_groups_has_none_of_the_hubs() -> None:
    alone = replace(plan(), account=replace(PI, groups={}))
    assert "--clear-groups" in render(alone, "host", True, 10).argv


def test_no_secret_stands_on_the_command_line() -> None:
    assert not [word for word in argv() if "a-secret" in word]


def test_the_machines_own_passwd_and_shadow_are_not_bound() -> None:
    bound = [word for word in argv() if word.startswith("/etc")]
    assert "/etc" in bound  # made, not bound
    assert "/etc/shadow" not in bound
    files = render(plan(), "host", True, 10).files
    assert files["/etc/passwd"].splitlines()[1].startswith("pi:x:61001:61001:")
    assert "p-1:x:62001:pi" in files["/etc/group"]


def test_the_folder_of_proposals_itself_takes_no_files_that_would_be_lost() -> None:
    words = argv(True, "pymca", "p-1")
    place = words.index("--remount-ro")
    assert words[place + 1] == "/proposals"
    assert place > words.index("/data/p-1/processed")
