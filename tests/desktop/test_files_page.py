"""The dialog "Files" and the button "End session", in a real browser behind hub and proxy."""

import contextlib
import os
import signal
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.desktop.chromium import violations
from tests.desktop.conftest import SESSION_PYTHON
from tests.desktop.plain_hub import PlainHub, api
from tests.desktop.test_closing import ASKS
from tests.desktop.test_leaving_page import sign_in

pytestmark = pytest.mark.browser

MIB = 1 << 20
COMMAND = (str(SESSION_PYTHON), "-c", textwrap.dedent(ASKS))


@pytest.fixture
def page(chromium: Any, hub: PlainHub, desktop: str) -> Iterator[Any]:
    with chromium.new_context(
        viewport={"width": 1280, "height": 800}, accept_downloads=True
    ) as context:
        opened = context.new_page()
        opened.complaints = []
        opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
        sign_in(opened, hub)
        opened.goto(desktop)
        opened.wait_for_selector("body[data-phase=running] #screen canvas")
        yield opened


def open_files(page: Any) -> None:
    page.hover("#bar-handle")
    page.click("#files-open")
    page.wait_for_selector("#files-list tr")


def test_files_go_up_and_down_through_hub_and_proxy(
    page: Any, hub: PlainHub, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    (hub.folder / "runs").mkdir()
    open_files(page)
    assert violations(page) == []
    page.click("#files-list button:text-is('runs')")
    page.wait_for_selector("#files-empty")
    spectrum = tmp_path / "spectrum µ.h5"
    spectrum.write_bytes(os.urandom(20 * MIB))
    page.set_input_files("#files-input", [spectrum])
    page.wait_for_selector("#files-said:has-text('spectrum µ.h5 is uploaded.')")
    assert (hub.folder / "runs" / spectrum.name).read_bytes() == spectrum.read_bytes()
    assert violations(page) == []
    with page.expect_download() as begun:
        page.click("#files-list a")
    assert begun.value.suggested_filename == spectrum.name
    begun.value.save_as(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == spectrum.read_bytes()
    page.keyboard.press("Escape")
    wait_until(
        lambda: page.evaluate("document.activeElement.tagName") == "CANVAS", "the picture has it"
    )
    assert page.complaints == []


def started_with(argument: str) -> int:
    """The process that has this as its last argument; 0 when there is none."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if file.read_text(errors="replace").split("\0")[-2:-1] == [argument]:
                return int(file.parent.name)
    return 0


def test_a_file_is_opened_in_the_program(
    page: Any, hub: PlainHub, wait_until: Callable[..., Any]
) -> None:
    (hub.folder / "fe.mca").touch()
    (hub.folder / "notes.txt").touch()
    open_files(page)
    page.wait_for_selector("#files-list a:text-is('notes.txt')")
    assert page.get_by_role("button", name="Open notes.txt in Sleep").count() == 0
    assert violations(page) == []
    with page.expect_response("**/files/open?*") as answer:
        page.get_by_role("button", name="Open fe.mca in Sleep").click()
    assert answer.value.status == 200
    page.wait_for_selector("#files", state="hidden")
    opened = wait_until(lambda: started_with(str(hub.folder / "fe.mca")), "the program has it")
    os.kill(opened, signal.SIGTERM)
    wait_until(lambda: not started_with(str(hub.folder / "fe.mca")), "it has ended")
    assert page.complaints == []


def test_an_upload_is_cancelled_and_nothing_is_left(
    page: Any, hub: PlainHub, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as sparse:
        sparse.truncate(4 << 30)
    open_files(page)
    page.set_input_files("#files-input", [large])
    hidden = lambda: [one for one in hub.folder.glob(".daas-upload-*") if one.stat().st_size > MIB]  # noqa: E731
    wait_until(hidden, "it has begun")
    assert violations(page) == []
    page.click("#files-uploads button")
    page.wait_for_selector("#files-uploads", state="hidden")
    wait_until(lambda: not list(hub.folder.glob(".daas-upload-*")), "it is gone")
    assert not (hub.folder / "large").exists()


def test_files_dropped_on_the_picture_are_uploaded(
    page: Any, hub: PlainHub, wait_until: Callable[..., Any]
) -> None:
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["dropped"], "dropped.txt"));
          for (const type of ["dragover", "drop"])
            document.querySelector("#screen canvas").dispatchEvent(
              new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
        }"""
    )
    page.wait_for_selector("#files-said:has-text('dropped.txt is uploaded.')")
    assert (hub.folder / "dropped.txt").read_text() == "dropped"


def test_the_program_is_asked_before_the_session_ends(
    page: Any, hub: PlainHub, desktop: str, wait_until: Callable[..., Any]
) -> None:
    page.hover("#bar-handle")
    page.click("#end-open")
    page.wait_for_selector("#end[open]")
    assert violations(page) == []
    page.click("#end-now")
    page.wait_for_selector("#ending:has-text('Answer it, or end the session anyway')")
    assert violations(page) == []
    page.click("#ending-keep")
    page.wait_for_selector("#ending", state="hidden")
    page.hover("#bar-handle")
    page.click("#end-open")
    page.click("#end-now")
    page.wait_for_selector("#ending-force")
    page.focus("#screen canvas")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=This session has ended.")
    assert page.is_hidden("#again")
    assert page.is_hidden("#end-ended")
    wait_until(
        lambda: (
            "desk" not in api(hub, "GET", "users/pi").json()["servers"]
            or requests.get(desktop, timeout=5).status_code != 200
        ),
        "the hub has noticed",
    )
