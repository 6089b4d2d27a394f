"""The terminal of images/terminal, as its `app.yaml` starts it: what is typed reaches a shell."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

APP = yaml.safe_load((Path(__file__).parents[2] / "images/terminal/app.yaml").read_text("utf-8"))
RETURN = 0xFF0D


def type_into(viewer: Any, text: str) -> None:
    for key in [*map(ord, text), RETURN]:
        for down in (1, 0):
            viewer.send(struct.pack(">BBHI", 4, down, 0, key))


def test_a_shell_in_the_terminal_does_what_is_typed(
    start: Callable[..., Any], view: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    if shutil.which("xterm") is None:
        pytest.skip("xterm is missing: run `make packages`")
    desktop = start(*APP["command"], title=APP["title"], SHELL="/bin/bash")
    desktop.reaches("running")
    viewer = view(desktop)
    viewer.handshake()
    type_into(viewer, "echo $TERM $(tput cols) >typed")
    typed = desktop.directory / "typed"
    wait_until(lambda: typed.exists() and typed.read_text().strip(), "the shell has written")
    terminal, columns = typed.read_text().split()
    assert terminal == "xterm-256color"
    # The whole screen is its own.
    assert int(columns) > 180
    type_into(viewer, "exit")
    assert desktop.reaches("ended") == {"phase": "ended", "status": 0}
