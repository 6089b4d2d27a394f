"""Files of the session are opened in its program, from the page's list of files."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from daas_desktop.program.opening import Opens
from tests.desktop.test_desktop import xsrf

# Says with which arguments it was started, and shows a window.
PROGRAM = """
    import os, sys
    from PyQt5 import QtWidgets
    with open(f"opened-{os.getpid()}", "w") as said:
        print(*sys.argv[1:], sep="\\n", file=said)
    app = QtWidgets.QApplication([])
    window = QtWidgets.QWidget()
    window.show()
    app.exec_()
"""
OPTIONS = ("--opens=.h5", "--opens=.mca", "--file-argument=-f", "--file-argument={file}")

FITS = {
    "its own": ("scan.h5", True),
    "in capitals": ("SCAN.H5", True),
    "another": ("scan.tif", False),
    "none": ("h5", False),
}


@pytest.mark.parametrize(("name", "fits"), FITS.values(), ids=FITS.keys())
def test_a_program_opens_files_by_their_ending(name: str, fits: bool) -> None:
    assert Opens((".h5", ".mca")).fits(name) is fits
    assert not Opens().fits(name)


def test_the_file_takes_its_place_among_the_arguments() -> None:
    assert Opens((".h5",), ("--open={file}", "-x")).arguments_for("/a b.h5") == [
        "--open=/a b.h5",
        "-x",
    ]


@pytest.fixture
def desktop(start: Callable[..., Any], program: Callable[..., tuple[str, ...]]) -> Any:
    desktop = start(*program(PROGRAM, "first"), options=OPTIONS)
    desktop.reaches("running")
    return desktop


def open_file(desktop: Any, name: str, token: bool = True) -> tuple[int, str]:
    headers = xsrf(desktop) if token else {}
    path = f"/files/open?place=0&path={quote(quote(name))}"
    status, _, body = desktop.ask(path, "POST", headers)
    return status, body.decode()


def opened(desktop: Any) -> dict[int, str]:
    """With what each process of the program was started, by its number."""
    found = desktop.directory.glob("opened-*")
    return {int(file.name.partition("-")[2]): file.read_text().strip() for file in found}


def test_a_file_is_opened_beside_what_is_open_and_outlives_it(
    desktop: Any,
    wait_until: Callable[..., Any],
    running: Callable[[int], bool],
) -> None:
    (desktop.directory / "scan µ.h5").touch()
    (first,) = opened(desktop)
    assert open_file(desktop, "scan µ.h5")[0] == 200
    second = wait_until(
        lambda: next((pid for pid, said in opened(desktop).items() if pid != first and said), None),
        "the program runs once more",
    )
    assert opened(desktop)[second] == f"first\n-f\n{desktop.directory}/scan µ.h5"
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: not running(first), "the first has ended")
    assert desktop.state()["phase"] == "running"
    os.kill(second, signal.SIGTERM)
    desktop.reaches("ended")
    # Now it is started again, with the file.
    assert open_file(desktop, "scan µ.h5")[0] == 200
    desktop.reaches("running")


REFUSED = {
    "of another kind": ("scan.tif", 400, "Test program does not open such files."),
    "not there": ("none.h5", 404, "It is not there any more."),
    "a link to somewhere": ("link.h5", 404, "Links are not followed here."),
    "a folder": ("folder.h5", 400, "Only files"),
    "a way out": ("../x.h5", 400, "There is no such file."),
    "nothing": ("", 400, "does not open such files."),
}


def test_only_files_that_are_there_and_fit_are_opened(
    desktop: Any,
) -> None:
    (desktop.directory / "scan.tif").touch()
    (desktop.directory / "scan.h5").touch()
    (desktop.directory / "link.h5").symlink_to("scan.h5")
    (desktop.directory / "folder.h5").mkdir()
    for name, status, sentence in REFUSED.values():
        assert (open_file(desktop, name)[0], sentence in open_file(desktop, name)[1]) == (
            status,
            True,
        ), name
    assert open_file(desktop, "scan.h5", token=False)[0] == 403
    assert len(opened(desktop)) == 1


def test_what_was_opened_ends_with_the_desktop(
    desktop: Any, wait_until: Callable[..., Any], running: Callable[[int], bool], directory: Path
) -> None:
    (directory / "scan.h5").touch()
    assert open_file(desktop, "scan.h5")[0] == 200
    wait_until(lambda: len(opened(desktop)) == 2, "the program runs once more")
    desktop.process.terminate()
    assert desktop.process.wait(8) == 0
    assert not any(map(running, opened(desktop)))
