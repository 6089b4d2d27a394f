"""Processed data is one folder for all members and all engines (D4)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.engines.conftest import Running
from tests.engines.engines import PAIRS
from tests.engines.sessions import Sessions
from tests.engines.world import World, needs_root

pytestmark = [pytest.mark.isolation, needs_root]
PROCESSED = "~/Proposals/ours/processed"


@pytest.fixture(params=PAIRS)
async def two(
    request: pytest.FixtureRequest, engines: Running, world: World, http_client: None
) -> AsyncIterator[tuple[Sessions, Sessions]]:
    """Sessions of one world on two engines."""
    one, other = (Sessions(kind, engines.get(kind), world) for kind in request.param)
    yield one, other
    await asyncio.gather(one.close(), other.close())


async def test_what_one_member_writes_another_can_change(sessions: Sessions) -> None:
    await share(sessions, sessions)


async def test_sessions_on_two_engines_share_the_processed_data(
    two: tuple[Sessions, Sessions],
) -> None:
    await share(*two)


async def share(ours: Sessions, others: Sessions) -> None:
    """Change each other's files, with two user ids."""
    pi = await ours.open("pi", "ours")
    made = await pi.run(f"mkdir -p {PROCESSED}/fits && echo one > {PROCESSED}/fits/a.txt")
    assert made == (0, "")
    other = await others.open("coproposer", "ours")
    assert (await other.run("id -u"))[1] != (await pi.run("id -u"))[1]
    for change in (
        f"echo two >> {PROCESSED}/fits/a.txt",
        f"echo new > {PROCESSED}/fits/b.txt",
        f"mv {PROCESSED}/fits/a.txt {PROCESSED}/fits/c.txt",
    ):
        assert await other.run(change) == (0, ""), change
    assert await pi.run(f"cat {PROCESSED}/fits/c.txt && rm {PROCESSED}/fits/b.txt") == (
        0,
        "one\ntwo\n",
    )
