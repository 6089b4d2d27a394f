"""An app with `gpu: true` gets the machine's graphics cards, and no other app does."""

import os
import stat
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from daas_spawner.containers import rendering
from daas_spawner.local import sandbox
from daas_spawner.session.graphics import Device, graphics_devices, groups_of
from tests.spawner.test_plan import APPS, plan, plan_of

RENDER = 104
CARDS = (Device("/dev/dri/renderD128", RENDER), Device("/dev/nvidia0", None))


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A folder like /dev; links to a real device stand for devices."""
    (tmp_path / "dri").mkdir()
    for name in ("dri/renderD129", "dri/renderD128", "dri/card0", "nvidia0", "nvidiactl", "null"):
        (tmp_path / name).symlink_to("/dev/null")
    (tmp_path / "nvidia1").touch()  # somebody's file is no card
    (tmp_path / "nvidia-uvm").symlink_to("/nowhere")
    return tmp_path


def test_cards_are_what_computes_and_draws(dev: Path) -> None:
    names = [Path(device.path).relative_to(dev).as_posix() for device in graphics_devices(dev)]
    assert names == ["dri/renderD128", "dri/renderD129", "nvidia0", "nvidiactl"]


def test_a_machine_without_a_card_has_none(tmp_path: Path) -> None:
    assert graphics_devices(tmp_path) == ()
    assert graphics_devices(tmp_path / "none") == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device needs root")
@pytest.mark.parametrize(
    ("mode", "owner", "group"),
    [
        pytest.param(0o660, RENDER, RENDER, id="for a group"),
        pytest.param(0o666, RENDER, None, id="for everybody"),
        pytest.param(0o600, RENDER, None, id="for root"),
        pytest.param(0o660, 0, None, id="for root's group: that one opens more"),
    ],
)
def test_the_group_of_a_card_is_read_from_it(
    tmp_path: Path, mode: int, owner: int, group: int | None
) -> None:
    card = tmp_path / "nvidia0"
    try:
        os.mknod(card, stat.S_IFCHR | mode, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no devices can be made here")
    os.chown(card, 0, owner)
    card.chmod(mode)
    (device,) = graphics_devices(tmp_path)
    assert device.group == group
    assert groups_of((device,)) == ({group} if group else set())


@pytest.mark.parametrize("as_root", [True, False])
def test_a_sandbox_gets_the_cards_and_who_may_use_them(as_root: bool) -> None:
    argv = " ".join(sandbox.render(plan(), "host", as_root, 10, CARDS).argv)
    for device in CARDS:
        assert f"--dev-bind {device.path} {device.path}" in argv
    assert ("--groups 104,62001,62002" in argv) is as_root
    without = " ".join(sandbox.render(plan(), "host", as_root, 10).argv)
    assert "--dev-bind" not in without
    assert "/sys" not in without
    assert str(RENDER) not in without.split()


def test_a_container_gets_the_cards_and_who_may_use_them() -> None:
    made = rendering.render(plan(), "host", Path("/etc-of-it"), "none", {}, CARDS)
    assert made.host["devices"] == [f"{one.path}:{one.path}:rw" for one in CARDS]
    assert made.host["group_add"] == ["104", "62001", "62002"]
    without = rendering.render(plan(), "host", Path("/etc-of-it"), "none", {})
    assert "devices" not in without.host, "what the facility has set would be taken away"
    assert without.host["group_add"] == ["62001", "62002"]


def test_the_apps_desktop_is_told() -> None:
    assert "DAAS_GPU" not in plan_of(APPS["pymca"]).environment
    assert plan_of(replace(APPS["pymca"], gpu=True)).environment["DAAS_GPU"] == "1"


def test_no_card_hides_the_sessions_own_devices() -> None:
    """bubblewrap makes what is missing 0700, and what is bound later wins."""
    argv = list(sandbox.render(plan(), "host", True, 10, CARDS).argv)
    at = argv.index("/dev/dri")
    assert argv[at - 3 : at] == ["--perms", "0755", "--dir"]
    assert argv.index("--dev") < at
    assert PurePosixPath(argv[at]) == PurePosixPath("/dev/dri")
