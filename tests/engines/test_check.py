"""`daas check engine` and `daas check apps` on real engines: what is open is found by trying."""

import asyncio
import contextlib
import io
import os
import re
import socket
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from daas_command.checks.containers import confinement
from daas_command.checks.finding import Finding, Findings
from daas_command.checks.network import Target, Ways, network_findings
from daas_command.checks.trial import LABEL, Trial, Trials, remove_old, trials
from daas_model.engines import Engine
from tests.command.checking import run
from tests.engines.conftest import Running
from tests.engines.engine_here import EngineHere
from tests.engines.engines import ENGINES, PROBE, Containers
from tests.engines.world import APPS_FOLDER

pytestmark = pytest.mark.engines
#: Two runs on one machine do not meet. A device's name has 15 letters at most.
BRIDGE = f"daas-t{os.getpid() % 10**6}"
CONFIG = """
c = get_config()
c.DaasAuthenticator.people_database = "sqlite:///{folder}/people.sqlite"
c.DaasSpawner.run_folder = "{folder}"
c.Facility.apps_folder = {apps!r}
c.Facility.engines_offered = {{
    "containers": {{"title": "C", "kind": "docker", "address": {address!r}, "network": "none"}},
}}
c.ContainerImages.references = {{"base": {image!r}}}
"""


@pytest.fixture(
    params=[kind for kind in ENGINES if isinstance(kind, Containers)], ids=lambda kind: kind.name
)
def here(request: pytest.FixtureRequest, engines: Running) -> EngineHere:
    """Each container engine of the list."""
    found = engines.get(request.param)
    assert found is not None
    return found


@pytest.fixture
def checked(here: EngineHere, short_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command on a facility with this engine; it must end with a code."""
    values = {"address": here.address, "apps": str(APPS_FOLDER), "image": PROBE}
    (short_path / "config.py").write_text(CONFIG.format(folder=short_path, **values))

    async def check(*arguments: str, code: int = 0) -> str:
        command = ["--config", str(short_path / "config.py"), "check", *arguments]
        ended = await asyncio.to_thread(run, command)
        out, err = capsys.readouterr()
        assert ended == code, out + err
        assert "Traceback" not in out + err
        return out + err

    return check


@pytest.fixture
async def trying(here: EngineHere, short_path: Path) -> AsyncIterator[Trials]:
    engine = Engine(here.name, here.name, "docker", here.address, "none")
    async with trials(engine, Config(), short_path) as found:
        yield found
    assert list(short_path.glob("check-*")) == []
    assert [c for c in here.containers() if LABEL in c["Labels"]] == []


async def all_of(findings: Findings) -> dict[str, Finding]:
    return {finding.what: finding async for finding in findings}


async def test_an_engine_that_is_well_is_proved_to_be(checked: Any, here: EngineHere) -> None:
    """Every limit and every wall was tried, in a container without a network."""
    told = await checked("engine")
    assert "  wrong" not in told
    for words in ("who reaches it", "answers", "image of probe", "walls", "seccomp", "folders"):
        assert f"  ok       {words}: " in told
    assert "limits: memory, processor time and number of processes hold (tried)" in told
    assert re.search(r"network none: nothing was reached: not one of \d+ addresses", told)
    assert [c for c in here.containers() if LABEL in c["Labels"]] == []


async def test_settings_that_would_open_a_session_do_not(
    here: EngineHere, short_path: Path
) -> None:
    """What the stock spawner's section may not loosen, seen from inside."""
    config = Config()
    config.DockerSpawner.extra_host_config = {"pid_mode": "host", "cap_add": ["SYS_ADMIN"]}
    engine = Engine(here.name, here.name, "docker", here.address, "none")
    async with trials(engine, config, short_path) as trying:
        found = await all_of(confinement(trying, Trial(PROBE)))
    assert "walls" in found
    assert [finding for finding in found.values() if finding.state == "wrong"] == []


@contextlib.contextmanager
def network(here: EngineHere, closed: bool) -> Iterator[str]:
    """Make a network as a facility would, with or without the rules of our how-to."""
    name = f"{here.name}-check"
    options = {"com.docker.network.bridge.name": BRIDGE}
    rules = [["INPUT", "-i", BRIDGE, "-j", "REJECT"], ["FORWARD", "-i", BRIDGE, "-j", "REJECT"]]
    with contextlib.ExitStack() as stack:
        with here.client() as client:
            client.create_network(name, driver="bridge", options=options)
        stack.callback(_remove, here, name)
        for table in ("iptables", "ip6tables") if closed else ():
            for rule in rules:
                if subprocess.run([table, "-w", "-I", *rule], check=False).returncode == 0:
                    stack.callback(subprocess.run, [table, "-w", "-D", *rule], check=True)
        yield name


def _remove(here: EngineHere, name: str) -> None:
    with here.client() as client:
        client.remove_network(name)


async def tried(trying: Trials, name: str, *allowed: Target) -> dict[str, Finding]:
    return await all_of(network_findings(trying, Trial(PROBE, name), 0, Ways(allowed)))


async def test_an_open_network_is_found_open(trying: Trials, here: EngineHere) -> None:
    """On this machine, which the container's own way leads to, something listens."""
    with network(here, closed=False) as name:
        found = await tried(trying, name)
    assert found["this machine"].state == "wrong"
    assert "give-sessions-a-network" in found["this machine"].mend
    # The bridge of an engine without rules of its own hands on from one to the other, unless the
    # machine's firewall does not.
    if here.name == "podman":
        assert found["another session"].state == "wrong"


async def test_a_closed_network_is_proved_closed(trying: Trials, here: EngineHere) -> None:
    """A hole in the rules is no fault where the facility allows it, and then it must be there."""
    address = _own_address()
    with network(here, closed=True) as name, socket.create_server((address, 0)) as server:
        way, no_way = (address, server.getsockname()[1]), ("192.0.2.1", 443)
        with hole(way):
            found = await tried(trying, name, way, no_way)
    for what in ("another session", "this machine", "metadata of a cloud", "name service"):
        assert found[what].state == "ok", found[what]
    assert found["beyond"].state != "wrong"
    assert found[f"allowed {way[0]}:{way[1]}"].state == "ok"
    assert found["allowed 192.0.2.1:443"].state == "wrong"


@contextlib.contextmanager
def hole(target: Target) -> Iterator[None]:
    """Let containers of the test's network through to one address and port."""
    to = ["-d", target[0], "-p", "tcp", "--dport", str(target[1])]
    rule = ["INPUT", "-i", BRIDGE, *to, "-j", "ACCEPT"]
    subprocess.run(["iptables", "-w", "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True)


def _own_address() -> str:
    said = subprocess.run(["hostname", "--all-ip-addresses"], check=True, capture_output=True)
    return said.stdout.decode().split()[0]


async def test_the_machines_own_network_is_refused(trying: Trials) -> None:
    assert (await tried(trying, "host"))["network host"].state == "wrong"


async def test_a_network_that_is_not_there_is_a_sentence(trying: Trials) -> None:
    found = (await tried(trying, "no-such-network"))["network no-such-network"]
    assert found.state == "wrong"
    assert found.said.startswith("could not be tried: The network for sessions is missing")


async def test_what_a_killed_check_left_is_removed(trying: Trials, here: EngineHere) -> None:
    with here.client() as client:
        kept = client.create_container(PROBE, labels={LABEL: "9999999999"})["Id"]
        old = client.create_container(PROBE, labels={LABEL: "1"})["Id"]
        await remove_old(trying.engine)
        left = {container["Id"] for container in here.containers()}
        client.remove_container(kept)
    assert kept in left
    assert old not in left


async def test_the_image_of_an_app_is_tried(checked: Any, here: EngineHere) -> None:
    folder = str(APPS_FOLDER / "probe")
    told = await checked("apps", folder, "--engine", here.address, "--image", PROBE)
    assert re.search(r"ok       command: \S*python3, by any user, with a read-only root", told)
    assert "ok       entry point: daas-enter" in told
    told = await checked("apps", folder, "--engine", "containers", "--image", "daas/none:1")
    assert "warning  image: daas/none:1 is not there" in told


@pytest.fixture
def foreign(here: EngineHere) -> Iterator[str]:
    """An image of somebody who does not know the portal."""
    name, dockerfile = "daas-test/foreign:1", b"FROM scratch\nLABEL of=somebody\n"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        file = tarfile.TarInfo("Dockerfile")
        file.size = len(dockerfile)
        tar.addfile(file, io.BytesIO(dockerfile))
    with here.client() as client:
        context.seek(0)
        for _ in client.build(fileobj=context, custom_context=True, tag=name):
            pass
        yield name
        client.remove_image(name, force=True)


async def test_an_image_without_our_runtime_is_refused_before_it_is_tried(
    checked: Any, here: EngineHere, foreign: str
) -> None:
    folder = str(APPS_FOLDER / "probe")
    told = await checked("apps", folder, "--engine", here.address, "--image", foreign, code=1)
    for words in ("runtime: is missing", "user: the image runs as root", "entry point: is none"):
        assert f"  wrong    {words}" in told
    assert "command" not in told


RECIPES = {
    "works": ("print('number: 7, expected 7')", 0, "ok       recipe: number: 7, expected 7"),
    "fails": ("raise SystemExit('6, expected 7')", 1, "wrong    recipe: fails with status 1"),
    "writes beside itself": (
        "open('/run/lock/state', 'w')",
        1,
        "wrong    recipe: passes only where the program can write beside itself",
    ),
}


@pytest.mark.parametrize(("script", "code", "says"), RECIPES.values(), ids=RECIPES.keys())
async def test_a_recipe_proves_an_image(
    checked: Any, here: EngineHere, short_path: Path, script: str, code: int, says: str
) -> None:
    """As a user that no image knows, without a network, with a read-only root."""
    app = short_path / "probe"
    (app / "recipe").mkdir(parents=True)
    for name in ("app.yaml", "icon.svg", "Dockerfile"):
        (app / name).write_bytes((APPS_FOLDER / "probe" / name).read_bytes())
    (app / "recipe" / "run.py").write_text(script)
    os.chmod(short_path, 0o755)
    arguments = ("apps", str(app), "--engine", here.address, "--image", PROBE, "--recipe")
    assert says in await checked(*arguments, code=code)
