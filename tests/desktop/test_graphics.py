"""Who paints OpenGL: the processor in every session, the graphics card where there is one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daas_desktop.program.graphics import graphical, has_card, with_graphics

GPU = {"DAAS_GPU": "1"}
VGLRUN = "/usr/bin/vglrun"
WAYS = {
    "asked for, there, and the image can": (GPU, True, VGLRUN, True),
    "not asked for": ({}, True, VGLRUN, False),
    "asked for otherwise": ({"DAAS_GPU": "0"}, True, VGLRUN, False),
    "the machine has no card": (GPU, False, VGLRUN, False),
    "the image has no VirtualGL": (GPU, True, None, False),
}


@pytest.mark.parametrize(("environment", "card", "vglrun", "by_card"), WAYS.values(), ids=WAYS)
def test_a_program_draws_on_the_card_when_it_can(
    environment: dict[str, str], card: bool, vglrun: str | None, by_card: bool
) -> None:
    command = with_graphics(["viewer", "-x"], environment, card, vglrun)
    before = [VGLRUN, "-d", "egl"] if by_card else []
    assert command == [*before, "viewer", "-x"]


CARDS = {
    "none": ((), False),
    "a monitor's node alone": (("dri/card0",), False),
    "Mesa's": (("dri/card0", "dri/renderD128"), True),
    "NVIDIA's": (("nvidia0", "nvidiactl"), True),
    "NVIDIA's control without a card": (("nvidiactl",), False),
}


@pytest.mark.parametrize(("files", "card"), CARDS.values(), ids=CARDS.keys())
def test_a_card_is_known_by_its_device(tmp_path: Path, files: tuple[str, ...], card: bool) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert has_card(tmp_path) is card


def test_a_missing_program_is_missed_under_its_own_name() -> None:
    assert graphical(["no-such-program"], {**GPU, "PATH": os.defpath}) == ["no-such-program"]


def said_by_renderer(start: Callable[..., Any], python: Path, **environment: str) -> str:
    """What the test program says in a desktop of its own."""
    desktop = start(str(python), "-m", "daas_desktop.program.renderer", **environment)
    assert desktop.reaches("ended")["status"] == 0, desktop.ask("/log")[2].decode()
    return str(desktop.ask("/log")[2].decode())


def test_opengl_is_painted_by_the_processor_in_every_session(
    start: Callable[..., Any], session_python: Path
) -> None:
    renderer, version = said_by_renderer(start, session_python).splitlines()
    assert "llvmpipe" in renderer
    assert float(version.split()[0]) >= 3.0


def test_a_program_on_the_card_names_it(start: Callable[..., Any], session_python: Path) -> None:
    if not has_card():
        pytest.skip("this machine has no graphics card: its renderer is not tried")
    if shutil.which("vglrun") is None:
        pytest.skip("vglrun is not installed: the card's renderer is not tried")
    assert "llvmpipe" not in said_by_renderer(start, session_python, DAAS_GPU="1")


def test_without_a_card_the_same_app_is_painted_by_the_processor(
    start: Callable[..., Any], session_python: Path
) -> None:
    if has_card() and shutil.which("vglrun"):
        pytest.skip("this machine has a graphics card and vglrun")
    assert "llvmpipe" in said_by_renderer(start, session_python, DAAS_GPU="1")
