"""What our part of the hub says of its own accord stands in the hub's log."""

import subprocess
import sys

import pytest

MODULES = [
    "daas_spawner.kubernetes.cluster",
    "daas_spawner.containers.engine",
    "daas_spawner.containers.fetching",
    "daas_spawner.containers.leftovers",
]
#: In a process of its own: the hub's log is set up once for all.
PROGRAM = """
import importlib, sys
from jupyterhub.app import JupyterHub
JupyterHub().init_logging()
for name in sys.argv[1:]:
    importlib.import_module(name)._log.info("said by %s", name)
"""


@pytest.fixture(scope="module")
def log() -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *MODULES], capture_output=True, text=True, check=True
    )
    return done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_a_removal_is_in_the_hubs_log(log: str, module: str) -> None:
    (line,) = [line for line in log.splitlines() if f"said by {module}" in line]
    assert line.startswith("[I ")
