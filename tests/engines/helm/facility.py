"""A facility round an installed chart: people, a proposal on this machine's disk, a user office.

Everything real but the user office, whose contract is all that there is of it.
"""

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application

from tests.authenticator.user_office import Login, UserOffice
from tests.conftest import free_port
from tests.hosting.certificates import make_certificates
from tests.hosting.place import DOMAIN, MAIN, NGINX, NGINX_FILE

#: As the user office of the tests knows her.
PERSON, PASSWORD, NAME = "grace@example.org", "correct horse", "grace"
UID, GID = 61021, 62021
#: Where the cluster's pods see the facility's folders.
INSIDE = "/facility"
PROPOSAL = {
    "id": "2026-0142",
    "title": "Trace elements in a reference sample",
    "abstract": "Invented for a test.",
    "beamline": "B08-XRF",
    "visits": [{"id": "2026-0142-1", "begins": "2026-03-17", "ends": "2026-03-20"}],
    "principal_investigator": NAME,
    "co_proposers": [],
    "local_contacts": [],
    "data_access": [],
}


def make_folders(top: Path) -> None:
    """Make a home, and a proposal with one spectrum."""
    top.chmod(0o711)  # the hub is nobody's user, and may pass
    home, data = top / "homes" / NAME, top / "data" / "2026-0142"
    for folder, uid, gid, mode in (
        (home, UID, UID, 0o700),
        (data / "raw", 0, GID, 0o750),
        (data / "processed", 0, GID, 0o2770),
    ):
        folder.mkdir(parents=True)
        os.chown(folder, uid, gid)
        folder.chmod(mode)
    (data / "raw" / "scan.txt").write_text("1 2 3\n")


def values(top: Path, host: str, office: int, url: str) -> dict[str, Any]:
    """Return the chart's values for the facility with its folders at *top* of the machine.

    Its user office is at the port *office* of *host*, and browsers find it at *url*.
    """
    passwd = f"{NAME}:x:{UID}:{UID}::{INSIDE}/homes/{NAME}:/bin/bash\n"
    group = f"{NAME}:x:{UID}:\np-2026-0142:x:{GID}:{NAME}\n"
    never = {"pullPolicy": "Never"}
    few = {"requests": {"cpu": "20m", "memory": "64Mi"}}
    way = {
        "kind": "user-office",
        "title": "User office",
        "url": f"https://{host}:{office}/login",
        "ca_bundle": "/etc/daas/office/ca.pem",
    }
    return {
        "publicUrl": url,
        "hub": {
            "image": never,
            "resources": few,
            "extraFiles": {
                "ca": {
                    "mountPath": "/etc/daas/office/ca.pem",
                    "stringData": (top / "office" / "ca.pem").read_text(),
                },
                "passwd": {"mountPath": "/etc/daas/directory/passwd", "stringData": passwd},
                "group": {"mountPath": "/etc/daas/directory/group", "stringData": group},
            },
            "extraConfig": {"10-trial": "c.PortalApp.notice = 'From a snippet'"},
            "config": {
                # Where the facility's nginx comes from, which speaks https to browsers.
                "JupyterHub": {"trusted_downstream_ips": ["198.18.0.0/16"]},
                "DaasAuthenticator": {
                    "account_source": "files",
                    "directory_folder": "/etc/daas/directory",
                    "home_roots": [f"{INSIDE}/homes"],
                    "password_ways": {"office": way},
                },
                "StorageLayout": {
                    "raw": f"{INSIDE}/data/{{proposal}}/raw",
                    "processed": f"{INSIDE}/data/{{proposal}}/processed",
                    "group": "p-{proposal}",
                    "roots": [INSIDE],
                },
                "ClusterSessions": {"notice_seconds": 0},
                "PortalApp": {"title": "First title"},
            },
        },
        "proxy": {"image": never, "resources": few},
        "sessions": {"images": {"prefix": "docker.io/daas/", **never}},
        "storage": {"volumes": {"facility": {"path": INSIDE, "hostPath": {"path": str(top)}}}},
        "machines": [{"name": "small", "title": "Small", "cpus": 1, "memory_gib": 1.5}],
        "apps": {"leftOut": ["crystfel", "desktop-full", "silx-pyfai", "terminal", "jupyterlab"]},
        "catalogue": {"files": {"2026-0142.yaml": PROPOSAL}},
    }


@contextmanager
def nginx(folder: Path, port: int, service: str) -> Iterator[None]:
    """Stand before the cluster's Service as a facility's nginx does, by the file of our docs."""
    text = NGINX_FILE.read_text("utf-8")
    for ours, here in (
        ("server 127.0.0.1:8000", f"server {service}"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("https://daas.facility.example$", f"https://{DOMAIN}:{port}$"),
        ("daas.facility.example", DOMAIN),
        ("/etc/ssl/daas", str(folder)),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (folder / "daas.conf").write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user="user root;"), "utf-8")
    command = [NGINX, "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        yield
        running.terminate()


@contextmanager
def user_office(folder: Path, host: str) -> Iterator[int]:
    """Let a user office answer on *host* by TLS; give its port."""
    own = folder / "office"
    own.mkdir()
    make_certificates(own, host, "office.example")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(own / "wildcard.crt", own / "wildcard.key")
    port, loop = free_port(), asyncio.new_event_loop()

    async def serve() -> HTTPServer:
        office = UserOffice(port)
        server = HTTPServer(Application([(r"/.*", Login, {"office": office})]), ssl_options=tls)
        server.listen(port, host)
        return server

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(server.stop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
