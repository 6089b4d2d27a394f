"""What a session may use is what its machine says (L1), on every engine."""

import pytest

from daas_spawner.backend import OUT_OF_MEMORY
from daas_spawner.plan import MOST_PROCESSES
from tests.engines.sessions import Sessions

pytestmark = pytest.mark.isolation


async def test_a_program_that_takes_all_memory_ends_and_its_session_does_not(
    sessions: Sessions,
) -> None:
    """0.25 GiB are given; half a GiB is asked for."""
    session = await sessions.open("pi", "ours")
    status, said = await session.run("python3 -c 'x = bytearray(512 * 2**20); print(len(x))'")
    assert status != 0, said
    assert await session.run("echo here") == (0, "here\n")


async def test_a_session_whose_own_program_is_killed_for_its_memory_says_so(
    sessions: Sessions,
) -> None:
    """The kernel is made to choose the program that serves the session."""
    session = await sessions.open("pi", "ours")
    fill = "(sleep 0.2; python3 -c 'x = bytearray(512 * 2**20)') > /dev/null 2>&1 &"
    await session.run(f"echo 1000 > /proc/$PPID/oom_score_adj; {fill}")
    await session.seen_to_end()
    assert session.backend.ending() == OUT_OF_MEMORY
    await session.stop()
    assert session.backend.ending() == OUT_OF_MEMORY


async def test_a_session_that_ends_otherwise_does_not_speak_of_memory(sessions: Sessions) -> None:
    """Not even when the kernel has ended another of its programs before."""
    session = await sessions.open("pi", "ours")
    assert session.backend.ending() == ""
    await session.run("python3 -c 'x = bytearray(512 * 2**20)'")
    await session.run("P=$PPID; (sleep 0.2; kill -TERM $P) > /dev/null 2>&1 &")
    await session.seen_to_end()
    assert session.backend.ending() == ""


async def test_two_programs_on_a_machine_of_one_core_get_one_core(sessions: Sessions) -> None:
    session = await sessions.open("pi", "ours")
    burn = "import time; end = time.time() + 1.5\nwhile time.time() < end: pass"
    script = f"""
import os, subprocess, sys
running = [subprocess.Popen([sys.executable, "-c", {burn!r}]) for _ in range(3)]
for one in running: one.wait()
print(sum(os.times()[2:4]))
"""
    _, used = await session.run(f"cat > /tmp/burn.py <<'END'\n{script}\nEND\npython3 /tmp/burn.py")
    assert float(used) < 1.5 * 1.35


async def test_a_program_that_multiplies_without_end_is_stopped(sessions: Sessions) -> None:
    """Threads count as processes do, and cost no memory."""
    session = await sessions.open("pi", "ours")
    script = """
import threading, time
threading.stack_size(65536)
made = 0
try:
    while made < 3000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
print(made, flush=True)
"""
    _, made = await session.run(f"cat > /tmp/bomb.py <<'END'\n{script}\nEND\npython3 /tmp/bomb.py")
    assert 100 < int(made) < MOST_PROCESSES
    assert await session.run("echo here") == (0, "here\n")
