"""How sessions begin, end and are found again, on every engine (S8, S9, "State is true")."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from daas_model.errors import EngineProblem
from daas_spawner.backend import Backend
from tests.engines.sessions import SEEN_SECONDS, Session, Sessions

pytestmark = pytest.mark.isolation
#: Ends the session's program, a moment after it has answered.
CRASH = "P=$PPID; (sleep 0.2; kill -9 $P) > /dev/null 2>&1 &"


def processes_with(words: str) -> list[str]:
    """Return the processes of this machine that have *words* on their command line."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words.encode().replace(b" ", b"\0") in file.read_bytes():
                found.append(str(file))
    return found


async def gone(backend: Backend) -> None:
    """Return when *backend* says that its session does not run."""
    async with asyncio.timeout(SEEN_SECONDS):
        while backend.is_running():
            await asyncio.sleep(0.05)


async def begun(mark: str) -> None:
    """Return when the shell has started what it was asked to start beside itself."""
    async with asyncio.timeout(SEEN_SECONDS):
        while not processes_with(mark):
            await asyncio.sleep(0.02)


async def nothing_left(sessions: Sessions) -> None:
    """Return when no trace of a session is left: the kernel takes a moment for groups."""
    async with asyncio.timeout(SEEN_SECONDS):
        while await asyncio.to_thread(sessions.left):
            await asyncio.sleep(0.05)


async def test_a_stopped_session_ends_well_and_leaves_nothing(sessions: Sessions) -> None:
    """The program is asked to end, every process in the session ends, and folders are gone."""
    session = await sessions.open("pi", "ours")
    mark = f"sleep 4{id(session)}"
    await session.run(f"setsid {mark} > /dev/null 2>&1 &")
    await begun(mark)
    assert session.backend.is_running()
    await session.stop()
    assert not session.backend.is_running()
    assert not processes_with(mark)
    assert (sessions.world.top / "homes" / "pi" / "ended").read_text() == "asked to end"
    await nothing_left(sessions)
    await session.stop()  # once more is no error


async def test_a_session_whose_program_crashes_is_seen_to_end_and_leaves_nothing(
    sessions: Sessions,
) -> None:
    session = await sessions.open("pi", "ours")
    mark = f"sleep 5{id(session)}"
    await session.run(f"setsid {mark} > /dev/null 2>&1 &")
    await begun(mark)
    await session.run(CRASH)
    await session.seen_to_end()
    assert not session.backend.is_running()
    await session.stop()
    assert not processes_with(mark)
    await nothing_left(sessions)


async def test_a_restarted_hub_finds_the_session_and_ends_it(sessions: Sessions) -> None:
    """What the hub's database keeps is JSON, and names neither person nor path nor secret."""
    session = await sessions.open("pi", "ours")
    await session.run("echo kept > /tmp/kept")
    kept = json.dumps(session.backend.state())
    for secret in ("token-of-pi", str(sessions.world.top), "61001"):
        assert secret not in kept
    found = sessions.backend("pi")
    found.restore(json.loads(kept))
    assert found.is_running()
    assert await session.run("cat /tmp/kept") == (0, "kept\n")
    await found.stop()
    await gone(session.backend)
    await nothing_left(sessions)


async def test_a_restarted_hub_sees_the_session_end(sessions: Sessions) -> None:
    session = await sessions.open("pi", "ours")
    found = sessions.backend("pi")
    found.restore(session.backend.state())
    await session.run(CRASH)
    await Session(found, session.url).seen_to_end()
    assert not found.is_running()


async def test_a_session_that_ended_while_the_hub_was_away_counts_as_ended(
    sessions: Sessions,
) -> None:
    session = await sessions.open("pi", "ours")
    kept = session.backend.state()
    await session.stop()
    found = sessions.backend("pi")
    found.restore(kept)
    await gone(found)
    await found.stop()


@pytest.mark.parametrize("state", [{}, {"pid": "x", "started": None}, {"container": 7}])
async def test_a_state_that_is_not_ours_counts_as_ended(
    sessions: Sessions, state: dict[str, object]
) -> None:
    backend = sessions.backend("pi")
    backend.restore(state)
    await gone(backend)
    await backend.stop()


@pytest.mark.parametrize("after", [0.0, 0.1, 0.4])
async def test_launch_cancel_launch_leaves_one_session(sessions: Sessions, after: float) -> None:
    """She closes the waiting page and opens the app again at once."""
    first = sessions.backend("pi")
    starting = asyncio.ensure_future(sessions.start(first, "pi", "ours"))
    await asyncio.sleep(after)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await first.stop()
    await nothing_left(sessions)
    session = await sessions.open("pi", "ours")
    assert await session.run("echo here") == (0, "here\n")
    await session.stop()
    await nothing_left(sessions)


async def test_a_session_that_its_hub_forgot_is_ended_by_the_next_start(
    sessions: Sessions,
) -> None:
    """A database from yesterday's backup knows nothing of it."""
    forgotten = await sessions.open("pi", "ours")
    mark = f"sleep 6{id(forgotten)}"
    await forgotten.run(f"setsid {mark} > /dev/null 2>&1 &")
    again = await sessions.open("pi", "ours")
    assert not processes_with(mark)
    assert await again.run("echo here") == (0, "here\n")


async def test_two_people_start_at_once(sessions: Sessions) -> None:
    pi, coproposer = await asyncio.gather(
        sessions.open("pi", "ours"), sessions.open("coproposer", "ours")
    )
    assert await pi.run("whoami") == (0, "pi\n")
    assert await coproposer.run("whoami") == (0, "coproposer\n")


async def test_no_secret_stands_on_any_command_line(sessions: Sessions) -> None:
    await sessions.open("pi", "ours")
    assert processes_with("probe.py")
    assert not processes_with("token-of-pi")


async def test_a_program_that_is_not_there_is_one_sentence_and_leaves_nothing(
    sessions: Sessions,
) -> None:
    """The person sees no words of the program; they are kept for an administrator."""
    backend = sessions.backend("pi")
    plan = sessions.plan(backend, "pi", "ours", command="no-such-program")
    with pytest.raises(EngineProblem) as refused:
        await backend.start(plan)
    assert "no-such-program" not in str(refused.value)
    assert "no-such-program" not in refused.value.detail, "a session's words are not the hub's log"
    (log,) = (sessions.world.top / "logs" / "pi").iterdir()
    assert "no-such-program" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert not backend.is_running()
    await nothing_left(sessions)
