"""The dialog "Files" and the button "End session", in a real browser behind hub and proxy."""

import contextlib
import os
import signal
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.desktop.chromium import violations
from tests.desktop.conftest import SESSION_PYTHON
from tests.desktop.line import Line
from tests.desktop.plain_hub import PlainHub, api, cookies_for, signed_in
from tests.desktop.test_closing import ASKS
from tests.desktop.test_leaving_page import sign_in

pytestmark = pytest.mark.browser

MIB = 1 << 20
SESSION = {"DAAS_ASK_EVERY_S": "0.5"}
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
        lambda: page.evaluate("document.activeElement.id") == "keyboard", "the picture has it"
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


def test_a_page_without_files_has_no_complaint(chromium: Any, start: Callable[..., Any]) -> None:
    session = start("sleep", "100", DAAS_FILES="off")
    session.reaches("starting")
    line = Line(session.path)
    with chromium.new_context() as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(line.url)
        page.wait_for_selector("#screen canvas")
        assert page.query_selector("#files-open") is None
        assert complaints == []
    line.close()


def test_an_upload_goes_on_after_a_lost_connection(
    chromium: Any, start: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    session = start("sleep", "100")
    session.reaches("starting")
    line = Line(session.path)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(MIB) * 96)
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(line.url)
        page.wait_for_selector("#screen canvas")
        open_files(page)
        page.set_input_files("#files-input", [large])
        wait_until(
            lambda: any(
                one.stat().st_size > 10 * MIB for one in session.directory.glob(".daas-upload-*")
            ),
            "the second piece has begun",
        )
        line.cut()
        page.wait_for_selector("#files-uploads:has-text('Connection lost')")
        line.cut(down=False)
        page.wait_for_selector("#files-said:has-text('large is uploaded.')")
    line.close()
    assert (session.directory / "large").read_bytes() == large.read_bytes()


def test_attack_13_signing_out_ends_what_is_on_its_way(
    hub: PlainHub, desktop: str, wait_until: Callable[..., Any]
) -> None:
    with (hub.folder / "taken").open("wb") as sparse:
        sparse.truncate(8 << 30)
    with signed_in(hub, "pi") as browser:
        token = browser.get(desktop, timeout=10).text.partition('name="xsrf" content="')[2]
        headers = {"X-XSRFToken": token.partition('"')[0]}
        wish = {"place": "0", "path": "", "name": "given", "size": 3 * MIB}
        begun = browser.post(f"{desktop}files/upload", json=wish, headers=headers, timeout=10)
        address = f"{desktop}files/upload/{begun.json()['upload']}"
        taken = browser.get(f"{desktop}files/download?path=taken", stream=True, timeout=10)
        assert len(taken.raw.read(MIB)) == MIB
        assert open_anywhere(hub.folder / "taken")

        def slowly() -> Iterator[bytes]:
            yield bytes(MIB)
            browser.get(f"{hub.url}/hub/logout", timeout=10)
            wait_until(lambda: not open_anywhere(hub.folder / "taken"), "the download has ended")
            yield bytes(2 * MIB)

        answer = requests.put(
            address, slowly(), headers={**headers, "Cookie": cookies_for(browser, address)}
        )
        assert answer.status_code == 403
        taken.close()
    assert not (hub.folder / "given").exists()


def test_a_tile_of_jupyterlabs_moves_files_that_its_proxy_takes(hub: PlainHub) -> None:
    assert api(hub, "POST", "users/pi/servers/lab").status_code == 201, hub.log.read_text()
    tile = f"{hub.url}/user/pi/lab/tile/"
    with (hub.folder / "too large").open("wb") as sparse:
        sparse.truncate(65 * MIB)
    with signed_in(hub, "pi") as browser:
        token = browser.get(tile, timeout=20).text.partition('name="xsrf" content="')[2]
        browser.headers["X-XSRFToken"] = token.partition('"')[0]
        data = os.urandom(9 * MIB)
        wish = {"place": "0", "path": "", "name": "given", "size": len(data)}
        key = browser.post(f"{tile}files/upload", json=wish, timeout=10).json()["upload"]
        address = f"{tile}files/upload/{key}"
        for at in (0, 8 * MIB):
            piece = data[at : at + 8 * MIB]
            answer = browser.put(f"{address}?at={at}", piece, timeout=20)
            assert answer.json() == {"size": at + len(piece)}
        assert browser.post(address, timeout=10).json() == {"name": "given"}
        assert browser.get(f"{tile}files/download?path=given", timeout=20).content == data
        refused = browser.get(f"{tile}files/download?path=too%20large", timeout=20)
        assert (refused.status_code, "JupyterLab" in refused.text) == (413, True)


def open_anywhere(file: Path) -> bool:
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for one in folder.iterdir():
                with suppress(OSError):
                    if one.readlink() == file:
                        return True
    return False


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
    page.focus("#keyboard")
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
