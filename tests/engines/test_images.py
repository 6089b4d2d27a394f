"""The images that `make images` built, on each engine that has them (A4, A7)."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import daas_model
from tests.conftest import free_port
from tests.desktop.conftest import Viewer, until
from tests.engines.conftest import Running
from tests.engines.engine_here import EngineHere
from tests.engines.engines import EVERY, Containers

REPOSITORY = Path(__file__).parents[2]
WITH_IMAGES = [kind for kind in EVERY if isinstance(kind.values[0], Containers)]
IMAGE = f"daas/pymca:{daas_model.__version__}"
#: Files that would give rights to whoever runs them, and what only a build needs.
UNWANTED = "find / -xdev -type f -perm /6000; command -v pip gcc cc"


@pytest.fixture(params=WITH_IMAGES)
def engine(request: pytest.FixtureRequest, engines: Running) -> EngineHere:
    here = engines.get(request.param)
    assert isinstance(here, EngineHere)
    return here


def test_a_recipe_runs_in_its_image_without_network_as_any_user(engine: EngineHere) -> None:
    command = [sys.executable, "tools/images.py", "recipe", "pymca"]
    environment = {**os.environ, **engine.environment, "ENGINE": engine.name}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()[-4:]) == (0, "good"), done.stderr[-1000:]


def test_a_program_is_tried_in_its_image_without_a_hub(
    engine: EngineHere, short_path: Path
) -> None:
    """Its picture comes through websockify, and nothing is left when it is ended."""
    port = free_port()
    command = [sys.executable, "-m", "daas_desktop", "try", "--image", IMAGE, "--port", str(port)]
    environment = {**os.environ, **engine.environment, "ENGINE": engine.name}
    log = short_path / "log"
    with log.open("wb") as output:
        tried = subprocess.Popen(
            [*command, "images/pymca"],
            cwd=REPOSITORY,
            env={**environment, "TMPDIR": str(short_path)},
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: tried.poll() is None and "is at http" in log.read_text(), log.name, 60)
        viewer = Viewer(("127.0.0.1", port), None, "/websockify")
        assert viewer.handshake() == (1920, 1080)
        viewer.close()
    finally:
        tried.send_signal(signal.SIGINT)
        assert tried.wait(30) == 0, log.read_text()
    with engine.client() as client:
        names = [name for one in client.containers(all=True) for name in one["Names"]]
    assert not any("daas-try" in name for name in names)
    assert [left for left in short_path.iterdir() if left != log] == []


def test_an_image_has_our_runtime_and_no_root(engine: EngineHere) -> None:
    with engine.client() as client:
        config = client.inspect_image(IMAGE)["Config"]
    assert config["User"] == "10000:10000"
    assert config["Entrypoint"] == ["daas-enter"]
    assert config["Labels"]["daas.runtime"] == "1"


def test_an_image_has_no_file_that_gives_rights_and_no_compiler(engine: EngineHere) -> None:
    assert said(engine, UNWANTED) == ""


def test_nobody_but_root_passes_the_folder_of_root(engine: EngineHere) -> None:
    """In a cluster, a file of the node's lies there that all may write."""
    assert said(engine, "stat -c '%u %a' /root") == "0 700\n"


def said(engine: EngineHere, command: str) -> str:
    """Return what *command* says as root in the image."""
    with engine.client() as client:
        made = client.create_container(IMAGE, ["-c", command], user="0:0", entrypoint=["/bin/sh"])
        client.start(made)
        client.wait(made, timeout=60)
        found: bytes = client.logs(made, stdout=True, stderr=False)
        client.remove_container(made, force=True)
    return found.decode()
