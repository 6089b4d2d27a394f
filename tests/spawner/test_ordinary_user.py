"""The portal run by an ordinary user: sandboxes in user namespaces, and what is weaker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import daas_spawner
from daas_spawner.local import limits

SOMEBODY = 62999
REPOSITORY = Path(__file__).parents[2]

COMMANDS = {
    "raw data is read": ("cat ~/Proposals/ours/raw/scan.h5", 0),
    "raw data cannot be changed": ("echo x > ~/Proposals/ours/raw/new", 2),
    "processed data can be written": ("echo x > ~/Proposals/ours/processed/new", 0),
    "no other proposal is there": ("ls ~/Proposals/theirs", 2),
    "there are no capabilities": ("grep -q 'CapEff:.*0000000000000000' /proc/self/status", 0),
    "there is no network": ("test $(grep -c : /proc/net/dev) = 1", 0),
    "the home is one's own": ("test $(ls /home) = pi", 0),
    "no further user namespace can be made": ("unshare -Ur true", 1),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    if not reachable():
        pytest.skip("the repository lies where an ordinary user cannot read it")
    top = Path("/tmp") / f"daas-user-{os.getpid()}"
    top.mkdir()
    become = []
    if os.geteuid() == 0:
        os.chown(top, SOMEBODY, SOMEBODY)
        become = [*as_somebody(), "env", f"HOME={top}"]
    try:
        done = subprocess.run(
            [*become, sys.executable, "-B", "-m", "tests.spawner.ordinary_user", str(top / "w")],
            cwd=REPOSITORY,
            input=json.dumps([command for command, _ in COMMANDS.values()]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        subprocess.run(["rm", "-rf", str(top)], check=True)
    return json.loads(done.stdout)


def as_somebody() -> list[str]:
    return ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--"]


def reachable() -> bool:
    if os.geteuid() != 0:
        return True
    tried = [*as_somebody(), sys.executable, "-c", "import daas_spawner, jupyterhub"]
    return subprocess.run(tried, cwd="/", check=False, capture_output=True).returncode == 0


@pytest.mark.isolation
@pytest.mark.parametrize("tried", COMMANDS)
def test_an_ordinary_users_sandbox_is_closed_too(
    answers: list[tuple[int, str]], tried: str
) -> None:
    status, said = answers[list(COMMANDS).index(tried)]
    assert status == COMMANDS[tried][1], said


def test_the_page_says_what_is_weaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(limits, "hierarchies", lambda: ())
    said = " ".join(daas_spawner.weaknesses())
    assert "one user id" in said
    assert "memory or processor time or the number of processes" in said
