"""JupyterLab in a browser: open it from the home page, ask its contents, type in its terminal."""

import re
from typing import Any

from playwright.sync_api import Locator, Page

CALL = """async ([path, method, body]) => {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)[1];
  const answer = await fetch(path, {
    method, body: body && JSON.stringify(body),
    headers: {"X-XSRFToken": token, "Content-Type": "application/json"},
  });
  return [answer.status, await answer.json()];
}"""


def open_lab(page: Page, proposal: str) -> None:
    """Press the button of *proposal* and wait until JupyterLab shows its files."""
    page.get_by_role("button", name=re.compile(f"in JupyterLab, {proposal}")).click()
    page.locator(".jp-BreadCrumbs", has_text="processed").first.wait_for()


def contents(page: Page, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """Ask JupyterLab's contents API, as its file browser does; return status and answer."""
    base = re.sub(r"/lab(/.*)?$", "", page.url.split("?")[0])
    status, answer = page.evaluate(CALL, [f"{base}/api/contents/{path}", method, body])
    return status, answer


def write(page: Page, path: str, text: str) -> int:
    """Save a file through the contents API; return the status."""
    return contents(page, path, "PUT", {"type": "file", "format": "text", "content": text})[0]


def names(page: Page, path: str) -> set[str]:
    """The names in a folder, as JupyterLab lists them."""
    return {entry["name"] for entry in contents(page, path)[1]["content"]}


def launcher(page: Page) -> Locator:
    """Show the launcher, whatever JupyterLab restored, and return its tiles."""
    page.get_by_role("button", name="New Launcher").first.click()
    return page.locator(".jp-LauncherCard")


def type_in_terminal(page: Page, line: str) -> None:
    """Open a terminal from the launcher and type one line."""
    launcher(page).filter(has_text="Terminal").last.click()
    page.locator(".jp-Terminal .xterm-screen").click()
    page.keyboard.type(line)
    page.keyboard.press("Enter")
