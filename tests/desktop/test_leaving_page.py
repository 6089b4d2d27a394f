"""What a person sees who signs out, and how she comes back: in a real browser, with a real hub."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.desktop.chromium import violations
from tests.desktop.plain_hub import PlainHub, api

pytestmark = pytest.mark.browser

SESSION = {"DAAS_ASK_EVERY_S": "0.5"}
WAIT_MS = 30_000

#: A dialog of JupyterLab's own, as it opens one when something could not be saved.
COMPLAINT = """() => {
  const dialog = document.createElement("dialog");
  dialog.className = "jp-Dialog";
  dialog.innerHTML = "<button class='jp-mod-reject'>Dismiss</button>";
  dialog.onclick = () => dialog.remove();
  document.body.append(dialog);
}"""


@pytest.fixture(scope="module")
def lab(hub: PlainHub) -> str:
    assert api(hub, "POST", "users/pi/servers/lab").status_code == 201, hub.log.read_text()
    return f"{hub.url}/user/pi/lab/"


@pytest.fixture
def page(chromium: Any, hub: PlainHub) -> Iterator[Any]:
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(WAIT_MS)
        opened = context.new_page()
        sign_in(opened, hub)
        yield opened


def sign_in(page: Any, hub: PlainHub) -> None:
    if not page.url.startswith(f"{hub.url}/hub/login"):
        page.goto(f"{hub.url}/hub/login?next=/hub/home")
    page.fill("#username_input", "pi")
    page.fill("#password_input", "x")
    page.click("#login_submit")


def sign_out(page: Any, hub: PlainHub) -> None:
    other = page.context.new_page()
    other.goto(f"{hub.url}/hub/logout")
    other.close()


def refused(page: Any) -> list[str]:
    """The addresses that refuse this page, as they come in."""
    found: list[str] = []
    page.on("response", lambda r: r.status == 403 and found.append(r.url))
    return found


def test_the_desktops_page_says_so_and_comes_back_to_the_same_picture(
    page: Any, hub: PlainHub, desktop: str
) -> None:
    page.goto(desktop)
    page.wait_for_selector("#screen canvas")
    processes = api(hub, "GET", "users/pi").json()["servers"]["desk"]["started"]
    refusals = refused(page)
    sign_out(page, hub)
    page.wait_for_selector("text=You are no longer signed in.")
    assert page.is_visible("text=Sleep keeps running.")
    assert page.query_selector("#screen canvas") is None
    assert violations(page) == []
    page.wait_for_timeout(1500)  # time enough for a page that tries again by itself
    assert len(refusals) <= 3, refusals
    assert page.evaluate("document.activeElement.id") == "sign-in"
    page.keyboard.press("Enter")
    page.wait_for_selector("#username_input")
    sign_in(page, hub)
    page.wait_for_selector("#screen canvas")
    assert page.url == desktop
    assert api(hub, "GET", "users/pi").json()["servers"]["desk"]["started"] == processes


def test_jupyterlab_says_so_and_goes_on_with_what_was_not_saved(
    page: Any, hub: PlainHub, lab: str, wait_until: Callable[..., Any]
) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": [], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (hub.folder / "work.ipynb").write_text(json.dumps(notebook))
    page.goto(f"{lab}lab/tree/work.ipynb")
    # JupyterLab loses what is run before the kernel is there.
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle")
    page.click(".jp-Cell .cm-content")
    page.keyboard.type("kept = 6 * 7")
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".jp-InputPrompt:has-text('[1]:')")
    page.keyboard.type("print(kept, 'unsaved')")
    refusals = refused(page)
    sign_out(page, hub)
    page.wait_for_selector("dialog:has-text('You are no longer signed in.')")
    page.wait_for_timeout(1500)  # time enough for a page that tries again by itself
    assert len(refusals) <= 10, refusals
    page.evaluate(COMPLAINT)
    with page.context.expect_page() as opened:
        page.click("dialog button")
    login = opened.value
    login.wait_for_selector("#username_input")
    sign_in(login, hub)
    page.wait_for_selector("dialog#daas-signed-out", state="hidden")
    wait_until(login.is_closed, "the tab of the login has closed itself")
    page.click(".jp-Cell:last-child .cm-content", timeout=60_000)
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".jp-OutputArea-output:has-text('42 unsaved')")


def test_a_tile_of_jupyterlab_says_so_and_comes_back(page: Any, hub: PlainHub, lab: str) -> None:
    page.goto(f"{lab}tile/")
    page.wait_for_selector("#screen canvas")
    sign_out(page, hub)
    page.click("text=Sign in again")
    page.wait_for_selector("#username_input")
    sign_in(page, hub)
    page.wait_for_selector("#screen canvas")
    assert page.url == f"{lab}tile/"
