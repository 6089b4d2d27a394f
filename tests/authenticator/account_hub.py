"""A real hub with the demo's proposals, whose accounts come from where a test says.

Accounts have numbers of nine digits: found anywhere, they cannot be there by chance.
"""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterhub.crypto import CryptKeeper

from daas_demo import leftovers
from daas_demo.__main__ import hub_environment, make_private, run_folder, start_hub, wait_ready
from daas_demo.prepare import prepare
from tests.conftest import REPOSITORY, free_port
from tests.visitor import Visitor

UID, GID, PROPOSAL_GID = 612345001, 612345002, 612345003
PROPOSAL, BEAMLINE = "2026-0142", "B08-XRF"
SESSION = f"jupyterlab-{PROPOSAL}"

SETTINGS = """
c = get_config()
load_subconfig({demo!r})
c.DaasSpawner.session_environment = {environment!r}
"""


@dataclass
class AccountHub:
    """One hub in a folder of its own."""

    folder: Path
    hub: "subprocess.Popen[bytes] | None" = None
    url: str = ""

    @property
    def log(self) -> str:
        """What hub, proxy and portal have said."""
        return (self.folder / "hub.log").read_text("utf-8", "replace")

    def home(self, name: str, uid: int = UID, gid: int = GID) -> Path:
        """Return a home folder of that owner, made if it is not there."""
        home = self.folder / "homes" / name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chown(home, uid, gid)
        return home

    def start(self, settings: str, **environment: str) -> None:
        """Run it with these further *settings*, and wait until its pages are there."""
        packages = (REPOSITORY / ".session-env").resolve()
        prepare(self.folder, packages, REPOSITORY / ".node" / "wheels")
        self.home("pi")
        self._own_the_proposal()
        demo = str(REPOSITORY / "daas_demo" / "settings.py")
        file = self.folder / "settings.py"
        file.write_text(SETTINGS.format(demo=demo, environment=str(packages)) + settings)
        run = run_folder(self.folder)
        make_private(run)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        own = {"DAAS_SETTINGS": str(file), **environment}
        if "PYTHONPATH" in os.environ:  # of whoever runs the tests from another folder
            own["PYTHONPATH"] = os.environ["PYTHONPATH"]
        self.hub = start_hub({**hub_environment(port, self.folder, run), **own}, self.folder)
        wait_ready(self.hub, port, self.folder)

    def end(self) -> None:
        """End it and its sessions."""
        leftovers.end(run_folder(self.folder))
        if self.hub is not None:
            self.hub.kill()
            self.hub.wait()
        shutil.rmtree(run_folder(self.folder), ignore_errors=True)

    def processes_of(self, person: str, session: str, program: str) -> Iterator["Inside"]:
        """Yield what runs as *program* in a session of *person* on this hub."""
        ours = {home.stat().st_ino for home in (self.folder / "homes").iterdir()}
        for inside in processes_of(person, session, program):
            home = inside.environment["HOME"].lstrip("/")
            with suppress(OSError):
                if (inside.folder / "root" / home).stat().st_ino in ours:
                    yield inside

    def _own_the_proposal(self) -> None:
        place = self.folder / "data" / BEAMLINE / PROPOSAL
        for path in (place / "raw", *(place / "raw").iterdir(), place / "processed"):
            mode = path.stat().st_mode
            os.chown(path, 0, PROPOSAL_GID)
            path.chmod(mode)

    async def what_is_kept(self) -> str:
        """Return all that the hub has stored, with what it had encrypted in the clear."""
        texts = [self.log]
        state = self.folder / "state"
        for file in state.rglob("*.sqlite"):
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                texts += database.iterdump()
                tables = "SELECT name FROM sqlite_master WHERE name = 'users'"
                if database.execute(tables).fetchone():
                    query = "SELECT encrypted_auth_state FROM users"
                    kept = [row[0] for row in database.execute(query) if row[0]]
                    assert kept, "nobody has signed in"
                    texts += [json.dumps(await self._decrypted(blob)) for blob in kept]
        logs = [file for file in state.rglob("*") if file.is_file() and file.suffix != ".sqlite"]
        texts += [file.read_bytes().decode("latin-1") for file in logs]
        return "\n".join(texts)

    async def _decrypted(self, blob: bytes) -> Any:
        key = bytes.fromhex((self.folder / "state" / "crypt_key").read_text("ascii").strip())
        return await CryptKeeper(keys=[key], n_threads=1).decrypt(blob)


async def ready(visitor: Visitor, name: str = SESSION) -> None:
    """Return once *visitor*'s session runs."""
    async with asyncio.timeout(40):
        while True:
            answer = await visitor.api("GET", f"/users/{visitor.who}?include_stopped_servers=1")
            if json.loads(answer.text)["servers"].get(name, {}).get("ready"):
                return
            await asyncio.sleep(0.1)


async def saved(visitor: Visitor, path: str, text: str) -> None:
    """Save a file in *visitor*'s session, as JupyterLab does."""
    headers = {"Authorization": f"token {await visitor.token()}"}
    body = json.dumps({"type": "file", "format": "text", "content": text})
    address = f"/user/{visitor.who}/{SESSION}/api/contents/{path}"
    answer = await visitor._ask("PUT", address, headers=headers, data=body)
    assert answer.status == 201, answer


@dataclass(frozen=True)
class Inside:
    """A process of a session, as the kernel sees it."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self.folder.name)

    @property
    def numbers(self) -> tuple[int, int, set[int]]:
        """Its UID, GID and groups."""
        fields = dict(
            line.split(":", 1) for line in (self.folder / "status").read_text().splitlines()
        )
        (uid,), (gid,) = set(fields["Uid"].split()), set(fields["Gid"].split())
        return int(uid), int(gid), {int(number) for number in fields["Groups"].split()}

    def read(self, path: str) -> str:
        """Return a file as the session sees it."""
        return (self.folder / "root" / path.lstrip("/")).read_text()


def processes_of(person: str, session: str, program: str) -> Iterator[Inside]:
    """Yield what runs as *program* in a session of *person*, on any hub of this machine."""
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError, ValueError):
            pairs = (pair.partition("=") for pair in file.read_bytes().decode().split("\0"))
            environment = {name: value for name, _, value in pairs}
            base = environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
            words = (file.parent / "cmdline").read_bytes().decode().split("\0")[:2]
            named = any(Path(word).name.startswith(program) for word in words)
            if named and base == f"/user/{person}/{session}/":
                yield Inside(file.parent, environment)
