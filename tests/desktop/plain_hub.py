"""A plain hub with a real proxy, whose sessions are the programs under test.

Used by the tests of a session's door. Everybody is let in with any password.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
PROXY = ROOT / ".node" / "node_modules" / ".bin" / "configurable-http-proxy"
TOKEN = "service-token-for-the-tests-only"
CONFIG = """
import json, os, socket, subprocess
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.spawner import Spawner
from tornado.web import HTTPError

class SocketSpawner(Spawner):
    process = None
    async def start(self):
        listener = socket.create_server(("127.0.0.1", 0))
        settings = json.loads(os.environ["SESSION"])
        env = {**self.get_env(), **settings["env"], "LISTEN_FDS": "1", "DAAS_HUB_VERSION": "6.1.1"}
        env["JUPYTERHUB_SERVICE_URL"] = "http+unix://%2Fs" + env["JUPYTERHUB_SERVICE_PREFIX"]
        command = settings["lab" if self.name == "lab" else "desktop"]
        log = open(os.environ["LOG"], "ab")
        self.process = subprocess.Popen(
            command, env=env, pass_fds=(3,), stdout=log, stderr=log,
            preexec_fn=lambda: os.dup2(listener.fileno(), 3, inheritable=True))
        address = listener.getsockname()
        listener.close()
        return address
    async def poll(self):
        return 0 if self.process is None else self.process.poll()
    async def stop(self, now=False):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

c.JupyterHub.spawner_class = SocketSpawner
from jupyterhub.auth import DummyAuthenticator

class Notices(APIHandler):
    def get(self):
        if self.current_user is None:
            raise HTTPError(403)
        if not os.path.exists("notices"):
            raise HTTPError(404)  # as a hub without this page
        self.finish({"notices": json.load(open("notices"))})

class Provider(DummyAuthenticator):
    def get_handlers(self, app):
        return [*super().get_handlers(app), ("/api/notices", Notices)]
    # The test says when it ends logins.
    async def refresh_user(self, user, handler=None, **kwargs):
        return not os.path.exists("refused")

c.JupyterHub.authenticator_class = Provider
c.Authenticator.allow_all = True
c.Authenticator.auth_refresh_age = 1
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 50}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = os.urandom(32)
c.JupyterHub.cleanup_servers = True
c.JupyterHub.bind_url = os.environ["PUBLIC"]
c.JupyterHub.hub_bind_url = os.environ["HUB"]
c.ConfigurableHTTPProxy.api_url = os.environ["PROXY_API"]
c.ConfigurableHTTPProxy.command = [os.environ["PROXY"]]
c.ConfigurableHTTPProxy.pid_file = os.environ["PROXY_PID"]
c.JupyterHub.services = [{"name": "tester", "api_token": os.environ["SERVICE_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "tester", "services": ["tester"],
    "scopes": ["admin:servers", "admin:users", "read:users", "tokens", "shares"]}]
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@dataclass(frozen=True)
class PlainHub:
    """One running hub: where it is, and what it has said."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str
    inner: str

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/hub/api/", timeout=5).ok
        except requests.ConnectionError:
            return False

    def refuse_refreshes(self, refuse: bool = True) -> None:
        """Let the provider end everybody's login."""
        mark = self.folder / "refused"
        if refuse:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def say(self, *notices: object) -> None:
        """Let everybody read this; until it is called the hub has no such page."""
        written = self.folder / "notices.new"
        written.write_text(json.dumps(notices))
        written.rename(self.folder / "notices")


@contextlib.contextmanager
def plain_hub(
    session_python: Path, extra: Mapping[str, str], command: Sequence[str] = ("sleep", "100")
) -> Iterator[PlainHub]:
    """Run a hub; its sessions get the environment *extra*, its desktops run *command*."""
    public, inner, proxy_api = (f"http://127.0.0.1:{port}" for port in free_ports(3))
    with tempfile.TemporaryDirectory(prefix="hub-", dir="/tmp", ignore_cleanup_errors=True) as name:
        home = Path(name)
        (home / "config.py").write_text(CONFIG)
        log = home / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", home / "config.py"],
                env={
                    **os.environ,
                    **{"PUBLIC": public, "HUB": inner, "PROXY_API": proxy_api, "PROXY": str(PROXY)},
                    **{"PROXY_PID": str(home / "pid"), "SERVICE_TOKEN": TOKEN, "LOG": str(log)},
                    "SESSION": json.dumps(sessions(session_python, name, extra, command)),
                },
                cwd=home,
                stdout=output,
                stderr=output,
            )
        try:
            yield PlainHub(process=process, folder=home, url=public, inner=inner)
        finally:
            process.terminate()
            process.wait(20)
            end_all_of(name)


def end_all_of(folder: str) -> None:
    """End what a hub that was killed has left: its proxy and sessions carry its folder's name."""
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, ProcessLookupError):
            if folder.encode() in file.read_bytes():
                os.kill(int(file.parent.name), signal.SIGTERM)


def sessions(
    python: Path, home: str, extra: Mapping[str, str], command: Sequence[str]
) -> dict[str, object]:
    tile = {"name": "tile", "title": "Tile", "command": ["sleep", "100"]}
    environment = {
        # A folder first in which a caller may put programs in front of others.
        "PATH": f"{home}/bin:{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": home,
        "XDG_RUNTIME_DIR": home,
        "DAAS_TILES": json.dumps([tile]),
        "JUPYTERHUB_ROOT_DIR": home,
    }
    start = "from daas_desktop.notebook.start import main; main()"
    desktop = [str(python), "-m", "daas_desktop", "serve", "--title", "Sleep", "--opens=.mca"]
    return {
        "env": {**environment, **extra},
        "desktop": [*desktop, "--", *command],
        "lab": [str(python), "-c", start, "--allow-root"],
    }


def api(hub: PlainHub, method: str, path: str, data: object = None) -> requests.Response:
    return requests.request(
        method,
        f"{hub.url}/hub/api/{path}",
        headers={"Authorization": f"token {TOKEN}"},
        json=data,
        timeout=60,
    )


def signed_in(hub: PlainHub, name: str) -> requests.Session:
    browser = requests.Session()
    browser.headers["Sec-Fetch-Mode"] = "navigate"
    browser.get(f"{hub.url}/hub/login", timeout=10)
    answer = browser.post(
        f"{hub.url}/hub/login",
        params={"next": "/hub/home"},
        data={"username": name, "password": "x", "_xsrf": browser.cookies["_xsrf"]},
        timeout=10,
    )
    assert answer.ok
    return browser


def cookies_for(browser: requests.Session, url: str) -> str:
    prepared = browser.prepare_request(requests.Request("GET", url))
    return prepared.headers["Cookie"]
