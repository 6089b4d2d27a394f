"""The whole portal as containers, brought up by docker-compose as the how-to says."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import daas_model
from daas_demo import leftovers
from daas_demo.prepare import prepare
from daas_spawner.containers.leftovers import SESSION as SESSION_LABEL
from tests.conftest import REPOSITORY, free_port, short_folder
from tests.engines.conftest import Running
from tests.engines.daemons import PATH
from tests.engines.engine_here import EngineHere
from tests.engines.engines import CONTAINERS, ENGINES, Kind
from tests.engines.prepare import PORTAL_IMAGES, WITHOUT_DATABASE
from tests.visitor import Visitor

PORTAL = "/services/portal/"
SESSION = "probe-2026-0142"
COMPOSE = REPOSITORY / "compose"
UP_SECONDS = 60
#: Without `--no-deps` docker-compose replaces what the hub needs, too, and so ends all sessions.
REPLACE = ("up", "--detach", "--force-recreate", "--no-deps", "hub")
DOCKER = next(kind for kind in ENGINES if kind.name == "docker")
SETTINGS = """
c = get_config()
load_subconfig({example!r})
c.DaasAuthenticator.issuer = {issuer!r}
c.DaasAuthenticator.client_id = "daas-demo"
c.DaasAuthenticator.oauth_callback_url = "{url}/hub/oauth_callback"
c.DaasAuthenticator.auto_login = True
c.DaasAuthenticator.min_uid = 60000
c.DaasAuthenticator.home_roots = ["{facility}/homes"]
c.StorageLayout.raw = "{facility}/data/{{beamline}}/{{proposal}}/raw"
c.StorageLayout.processed = "{facility}/data/{{beamline}}/{{proposal}}/processed"
c.StorageLayout.group = "{{proposal}}"
c.StorageLayout.roots = ["{facility}/data"]
"""


@dataclass
class Composition:
    """One portal as containers, with the demo's people, proposals and provider."""

    folder: Path
    here: EngineHere
    files: Sequence[str] = ("docker-compose.yml",)
    port: int = field(default_factory=free_port)
    provider_port: int = field(default_factory=free_port)
    provider: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def daas(self) -> Path:
        """What the how-to calls DAAS_FOLDER."""
        return self.folder / "daas"

    @property
    def facility(self) -> Path:
        """Homes, data, proposals."""
        return self.folder / "facility"

    def begin(self) -> None:
        """Do what the how-to says; return when the portal answers."""
        packages = (REPOSITORY / ".session-env").resolve()
        prepare(self.facility, packages, REPOSITORY / ".node" / "wheels")
        subprocess.run([COMPOSE / "prepare", self.daas], check=True)
        for name in ("directory", "proposals"):
            shutil.copytree(self.facility / name, self.daas / name, dirs_exist_ok=True)
        self._write_settings()
        self._start_provider()
        self.compose("up", "--detach")
        self.wait()

    def _write_settings(self) -> None:
        (self.daas / "settings.py").write_text(
            SETTINGS.format(
                example=str(self.daas / "example.py"),
                issuer=f"http://127.0.0.1:{self.provider_port}/services/provider",
                url=self.url,
                facility=self.facility,
            )
        )
        (self.daas / "example.py").write_text((COMPOSE / "settings.example.py").read_text())
        secrets = self.daas / "hub.env"
        secrets.write_text(secrets.read_text().replace("SECRET=", "SECRET=of-no-worth"))
        values = {
            "DAAS_FOLDER": self.daas,
            "DAAS_PUBLIC_URL": "",
            "DAAS_URL": f"{self.url}/",
            "DAAS_HOSTING": "paths",
            "DAAS_HOMES": self.facility / "homes",
            "DAAS_DATA": self.facility / "data",
            "DAAS_APPS": REPOSITORY / "tests" / "spawner" / "apps",
            "DAAS_ENGINE_SOCKET": self.here.address.removeprefix("unix://"),
        }
        assert {*values, "COMPOSE_FILE"} == set(_names(COMPOSE / ".env.example"))
        (self.folder / "env").write_text("".join(f"{k}={v}\n" for k, v in values.items()))

    def _start_provider(self) -> None:
        address = f"http://127.0.0.1:{self.provider_port}"
        own = {
            "DAAS_PUBLIC_URL": f"{self.url}/",
            "DAAS_HUB_PID": str(os.getpid()),
            "DAAS_DEMO_URL": address,
            "DAAS_DEMO_CLIENT_ID": "daas-demo",
            "DAAS_DEMO_CLIENT_SECRET": "of-no-worth",
            "JUPYTERHUB_SERVICE_URL": address,
            "JUPYTERHUB_SERVICE_PREFIX": "/services/provider/",
        }
        command = [sys.executable, "-m", "tests.hosting.provider"]
        self.provider = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **own})

    def compose(self, *words: str) -> str:
        """Run docker-compose; return what it prints."""
        files = [word for name in self.files for word in ("--file", str(COMPOSE / name))]
        done = subprocess.run(
            [
                *("docker-compose", "--project-name", self.folder.name),
                *("--env-file", str(self.folder / "env"), *files, *words),
            ],
            env={"PATH": PATH, "DOCKER_HOST": self.here.address},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def wait(self) -> None:
        """Return when the portal answers."""
        until = time.monotonic() + UP_SECONDS
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}{PORTAL}static/icon.svg", timeout=5):
                    return
            except OSError:  # URLError is one
                pass
            time.sleep(0.1)
        raise AssertionError(self.compose("logs", "--no-color", "--tail=40", "hub", "sessions"))

    def containers(self) -> list[dict[str, Any]]:
        """Return the portal's containers and its sessions': other tests may have theirs."""
        return [
            one
            for one in self.here.containers()
            if any(mount["Source"].startswith(f"{self.folder}/") for mount in one["Mounts"])
        ]

    def sessions(self) -> Mapping[str, str]:
        """Return the sessions' containers, by their ids, and their states."""
        found = [one for one in self.containers() if SESSION_LABEL in one["Labels"]]
        return {one["Id"]: one["State"] for one in found}

    def end(self) -> None:
        """End all of it, whatever state it is in."""
        try:
            self.compose("down")
        finally:
            if self.provider is not None:
                self.provider.terminate()
                self.provider.wait(10)


def _names(file: Path) -> list[str]:
    lines = file.read_text("utf-8").splitlines()
    return [line.partition("=")[0] for line in lines if line and not line.startswith("#")]


@contextlib.contextmanager
def composition(engines: Running, kind: Kind, *files: str) -> Iterator[Composition]:
    """Bring it up, and see at the end that nothing is left."""
    here = engines.get(kind)
    assert isinstance(here, EngineHere)
    assert shutil.which("docker-compose", path=PATH), "`make engine-packages` installs it"
    for name in PORTAL_IMAGES if "postgresql.yml" in files else WITHOUT_DATABASE:
        image = f"daas/{name}:{daas_model.__version__}"
        assert here.image_id(image), f"no image {image}; `make test-engines` makes it"
    with short_folder() as folder:
        place = Composition(folder, here, files)
        try:
            place.begin()
            yield place
        finally:
            place.end()
        assert place.containers() == []
        assert list(leftovers.processes_of(place.daas / "run")) == []
        assert not (place.daas / "run" / "sessions").exists()


@pytest.fixture(scope="module", params=CONTAINERS)
def place(request: pytest.FixtureRequest, engines: Running) -> Iterator[Composition]:
    with composition(engines, request.param, "docker-compose.yml") as place:
        yield place


async def test_a_session_outlives_a_hub_that_is_restarted_or_replaced(place: Composition) -> None:
    """S8: sessions hang on nothing in the hub's container, and logins hold."""
    async with Visitor(place.url) as pi:
        await pi.sign_in("pi")
        opened = await pi.portal("open", app="probe", machine="medium", proposal="2026-0142")
        assert opened.url == f"{place.url}/user/pi/{SESSION}/", opened
        before = place.sessions()
        assert list(before.values()) == ["running"]
        for change in (("restart", "hub"), REPLACE):
            place.compose(*change)
            assert "probe" in (await pi.get(f"/user/pi/{SESSION}/api")).text
            place.wait()
            assert 'data-state="Running"' in (await pi.get(PORTAL)).text
            assert place.sessions() == before
        await pi.portal("stop", session=SESSION)
        assert place.sessions() == {}


def test_the_containers_have_no_more_rights_than_the_how_to_says(place: Composition) -> None:
    """As the kernel sees it; numbers from capabilities(7)."""
    read_search, setgid, setuid = (1 << number for number in (2, 6, 7))
    rights = {}
    with place.here.client() as client:
        for found in place.containers():
            seen = client.inspect_container(found["Id"])
            service = found["Labels"]["com.docker.compose.service"]
            status = Path(f"/proc/{seen['State']['Pid']}/status").read_text("ascii")
            told = dict(line.split(":\t", 1) for line in status.splitlines())
            assert seen["HostConfig"]["ReadonlyRootfs"], service
            assert told["NoNewPrivs"] == "1", service
            assert told["Seccomp"] == "2", service
            rights[service] = int(told["CapBnd"], 16)
    assert rights == {
        "proxy": 0,
        "hub": read_search,
        "sessions": read_search | setgid | setuid,
    }


@pytest.mark.engines
async def test_a_proxy_that_was_restarted_has_its_routes_and_the_end_leaves_nothing(
    engines: Running,
) -> None:
    """With PostgreSQL. What is left at the end, `composition` looks at."""
    files = ("docker-compose.yml", "postgresql.yml")
    with composition(engines, DOCKER, *files) as place:
        assert not (place.daas / "state" / "jupyterhub.sqlite").exists()
        assert " 0 wrong." in place.compose("exec", "-T", "hub", "daas", "check")
        async with Visitor(place.url) as pi:
            await pi.sign_in("pi")
            await pi.portal("open", app="probe", machine="medium", proposal="2026-0142")
            place.compose("restart", "proxy")
            place.wait()
            assert "probe" in (await pi.get(f"/user/pi/{SESSION}/api")).text
        assert len(place.sessions()) == 1
