"""A whole installation as a facility has it: Debian's nginx with our file, the hub behind it."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from daas_demo import leftovers
from daas_demo.__main__ import hub_environment, make_private, run_folder, start_hub
from daas_demo.prepare import prepare
from tests.conftest import REPOSITORY, free_port, short_folder
from tests.hosting.certificates import make_certificates

DOMAIN = "daas.example"
SESSIONS_DOMAIN = "daas-sessions.example"
NGINX_FILE = REPOSITORY / "docs" / "how-to" / "nginx-daas.conf"
NGINX = "/usr/sbin/nginx"

SETTINGS = """
c = get_config()
load_subconfig({demo!r})
c.DaasSpawner.session_environment = {environment!r}
c.DaasAuthenticator.issuer = {issuer!r}
c.DaasAuthenticator.oauth_callback_url = {url!r} + "hub/oauth_callback"
"""

MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{user}
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/daas.conf;
}}
"""


@dataclass
class Place:
    """One installation. *url* is what people type; it ends with a slash."""

    folder: Path
    base: str
    hosting: str
    sessions: str = DOMAIN
    port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    hub_port: int = field(default_factory=free_port)
    provider_port: int = field(default_factory=free_port)
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def url(self) -> str:
        """The public address."""
        return f"https://{DOMAIN}:{self.port}{self.base}"

    @property
    def portal(self) -> str:
        """The home page."""
        return f"{self.url}services/portal/"

    @property
    def _sessions_url(self) -> str:
        return f"https://{self.sessions}:{self.port}/"

    def sessions_of(self, person: str) -> str:
        """Where *person*'s sessions are."""
        host = f"{person}.{self.sessions}" if self.hosting == "subdomains" else DOMAIN
        return f"https://{host}:{self.port}{self.base}user/{person}/"

    @property
    def issuer(self) -> str:
        """The identity provider, at an address of its own."""
        return f"http://127.0.0.1:{self.provider_port}/services/provider"

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts our own authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    @property
    def log(self) -> str:
        """What hub, proxy and portal have said."""
        return (self.folder / "hub.log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start everything, and return when the portal answers through nginx."""
        packages = (REPOSITORY / ".session-env").resolve()
        prepare(self.folder, packages, REPOSITORY / ".node" / "wheels")
        make_certificates(self.folder, DOMAIN, self.sessions)
        self._start_nginx()
        file = self.folder / "settings.py"
        file.write_text(
            SETTINGS.format(
                demo=str(REPOSITORY / "daas_demo" / "settings.py"),
                environment=str(packages),
                issuer=self.issuer,
                url=self.url,
            )
        )
        run = run_folder(self.folder)
        make_private(run)
        own = {
            "DAAS_SETTINGS": str(file),
            "DAAS_HOSTING": self.hosting,
            "DAAS_PUBLIC_URL": self.url,
            "DAAS_SESSIONS_URL": "" if self.sessions == DOMAIN else self._sessions_url,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
        }
        environment = {**hub_environment(self.hub_port, self.folder, run), **own}
        self._start_provider(environment)
        self.running.append(start_hub(environment, self.folder))
        self._wait()

    def end(self) -> None:
        """End it and its sessions."""
        leftovers.end(run_folder(self.folder))
        for process in self.running:
            process.terminate()
            process.wait(20)
        shutil.rmtree(run_folder(self.folder), ignore_errors=True)

    def logged(self, words: str, since: int) -> bool:
        """Tell whether the log says *words* after its first *since* characters, or soon does."""
        until = time.monotonic() + 5
        while words not in self.log[since:] and time.monotonic() < until:
            time.sleep(0.05)
        return words in self.log[since:]

    def ask(self, path: str, host: str = DOMAIN, **headers: str) -> tuple[int, dict[str, str]]:
        """Ask nginx for *path* under *host*; return status and headers (names in small letters)."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        asked = http.client.HTTPSConnection(host, self.port)
        asked.sock = self.tls.wrap_socket(raw, server_hostname=host)
        asked.request("GET", path, headers=headers)
        answer = asked.getresponse()
        answer.read()
        asked.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}

    def _start_provider(self, environment: dict[str, str]) -> None:
        address = f"http://127.0.0.1:{self.provider_port}"
        own = {
            "DAAS_DEMO_URL": address,
            "DAAS_DEMO_CLIENT_ID": "daas-demo",
            "JUPYTERHUB_SERVICE_URL": address,
            "JUPYTERHUB_SERVICE_PREFIX": "/services/provider/",
        }
        command = [sys.executable, "-m", "tests.hosting.provider"]
        self.running.append(subprocess.Popen(command, env={**environment, **own}))

    def _start_nginx(self) -> None:
        """Run Debian's nginx as an ordinary process, with our file and other names in it."""
        text = NGINX_FILE.read_text("utf-8")
        for ours, here in (
            ("127.0.0.1:8000", f"127.0.0.1:{self.hub_port}"),
            ("https://daas.facility.example$", f"https://{DOMAIN}:{self.port}$"),
            ("*.daas.facility.example", f"*.{self.sessions}"),
            ("daas.facility.example", DOMAIN),
            ("listen 80;", f"listen 127.0.0.1:{self.http_port};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/daas", str(self.folder)),
            ("location /user/", f"location {self.base}user/"),
        ):
            assert ours in text
            text = text.replace(ours, here)
        (self.folder / "daas.conf").write_text(text, "utf-8")
        main = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        main.write_text(MAIN.format(folder=self.folder, user=user), "utf-8")
        command = [NGINX, "-e", str(self.folder / "nginx.log"), "-c", str(main)]
        self.running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))

    def _wait(self) -> None:
        path = urlsplit(self.portal).path + "static/icon.svg"
        until = time.monotonic() + 60
        while time.monotonic() < until and all(one.poll() is None for one in self.running):
            try:
                if self.ask(path)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        said = (self.folder / "nginx.log").read_text("utf-8")[-2000:]
        raise AssertionError(f"the portal did not come up:\n{said}\n{self.log[-3000:]}")


@contextmanager
def running_place(
    base: str = "/", hosting: str = "subdomains", sessions: str = DOMAIN
) -> Iterator[Place]:
    """Run an installation until the end of the block."""
    with short_folder() as folder:
        place = Place(folder, base, hosting, sessions)
        try:
            place.start()
            yield place
        finally:
            place.end()
