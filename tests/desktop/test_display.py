"""The screen of a session: whose window manager it has."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_desktop.picture.display import Display


@pytest.fixture
def display(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Display]:
    made = Display({**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), **request.param})
    try:
        made.wait()
        yield made
    finally:
        made.close()


def manager(display: Display) -> str:
    """Give what X knows of the window manager."""
    asked = ["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"]
    done = subprocess.run(
        asked, env=display.environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("display", [{}], indirect=True, ids=["as ever"])
def test_a_program_gets_the_kiosks_window_manager(display: Display) -> None:
    display.start_window_manager()
    deadline = time.monotonic() + 10
    while "0x" not in manager(display):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "display", [{"DAAS_OWN_WINDOW_MANAGER": "1"}], indirect=True, ids=["a whole desktop"]
)
def test_a_whole_desktop_brings_its_own_window_manager(display: Display) -> None:
    display.start_window_manager()
    display.keep_window_manager()
    # Another one can take the screen: of two window managers the second gives up.
    with subprocess.Popen(
        ["matchbox-window-manager"], env=display.environment, stderr=subprocess.DEVNULL
    ) as theirs:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                theirs.wait(1)
            assert "0x" in manager(display)
        finally:
            theirs.terminate()
