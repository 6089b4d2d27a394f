"""What sessions hang on, started outside of the hub: it outlives the hub, not the starter."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daas_model.errors import EngineProblem
from daas_spawner.session import starting
from daas_spawner.session.keeper import Keeper
from daas_spawner.session.processes import Process

DOORKEEPER = "daas_spawner.session.doorkeeper"


@dataclass(frozen=True, slots=True)
class Place:
    """A starter that runs, and where it makes sessions."""

    run: Path
    starter: "subprocess.Popen[bytes]"

    def keeper(self, module: str = DOORKEEPER) -> Keeper:
        return Keeper(module, self.run / "sessions" / "0123456789ab", "/user/pi/x/")

    @property
    def order(self) -> dict[str, object]:
        home = self.run / "home"
        home.mkdir(exist_ok=True)
        return {
            "files": {},
            "account": {"uid": os.getuid(), "gid": os.getgid()},
            "home": str(home),
            "hub": str(self.run / "hub.sock"),
        }


@pytest.fixture
def place(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("DAAS_STARTER", str(short_path / starting.SOCKET))
    monkeypatch.setenv("DAAS_RUN", str(short_path))
    command = [sys.executable, "-m", "daas_spawner.session.starter"]
    with subprocess.Popen(command) as starter:
        until((short_path / starting.SOCKET).exists)
        yield Place(short_path, starter)
        starter.terminate()


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def parent_of(process: Process) -> int:
    text = Path(f"/proc/{process.pid}/stat").read_text("ascii")
    return int(text.rpartition(")")[2].split()[1])


async def test_it_is_the_starters_child_and_lasts_until_it_is_stopped(place: Place) -> None:
    keeper = place.keeper()
    await keeper.start(place.order)
    await keeper.keep()
    process = Process(**keeper.state())
    assert parent_of(process) == place.starter.pid
    assert keeper.is_running()
    await keeper.stop()
    assert not process.alive


async def test_one_that_the_hub_has_not_written_down_ends_with_the_hub(place: Place) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        folder = place.keeper().folder
        (folder / "hub").mkdir(parents=True)
        number = starting._ask(os.environ["DAAS_STARTER"], DOORKEEPER, folder, theirs.fileno())
    process = Process.of(number)
    assert process
    ours.close()
    until(lambda: not process.alive)


async def test_the_end_of_the_starter_ends_all_and_leaves_no_folder(place: Place) -> None:
    keeper = place.keeper()
    await keeper.start(place.order)
    await keeper.keep()
    place.starter.send_signal(signal.SIGTERM)
    assert place.starter.wait(10) == 0
    assert not keeper.is_running()
    assert not (place.run / "sessions").exists()


async def test_nothing_else_is_started_and_without_a_starter_the_person_reads_a_sentence(
    place: Place,
) -> None:
    with pytest.raises(EngineProblem) as refused:
        await place.keeper("daas_spawner.session.relay").start(place.order)
    assert "the starter said: nothing" in refused.value.detail
    place.starter.terminate()
    place.starter.wait(10)
    with pytest.raises(EngineProblem, match="This machine could not start the session"):
        await place.keeper().start(place.order)
