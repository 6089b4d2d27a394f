"""Who is taken out of a proposal loses the sessions that have its data, and keeps the others."""

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.visitor import Visitor

from .account_hub import GID, PROPOSAL, PROPOSAL_GID, SESSION, UID, AccountHub, ready

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="another user id needs root"),
]

SETTINGS = """
c.DaasAuthenticator.account_source = "files"
c.DaasAuthenticator.directory_folder = {folder!r}
c.DaasAuthenticator.sweep_seconds = 0.3
c.DaasAuthenticator.proposal_check_seconds = 0
c.DaasAuthenticator.blocked_grace_seconds = 4
"""


@pytest.fixture
def hub(short_path: Path) -> Iterator[AccountHub]:
    hub = AccountHub(short_path)
    yield hub
    hub.end()


async def test_attack_24_who_is_taken_out_of_a_proposal_loses_its_running_session(
    hub: AccountHub,
) -> None:
    numbers = hub.folder / "numbers"
    numbers.mkdir()
    home = hub.home("pi")
    (numbers / "passwd").write_text(f"pi:x:{UID}:{GID}::{home}:/bin/sh\n")
    (numbers / "group").write_text(f"pi:x:{GID}:\n{PROPOSAL}:x:{PROPOSAL_GID}:pi\n")
    await asyncio.to_thread(hub.start, SETTINGS.format(folder=str(numbers)))
    async with Visitor(hub.url) as pi:
        await pi.sign_in("pi")
        for proposals in ([PROPOSAL], []):
            answer = await pi.portal("open", app="jupyterlab", proposal=proposals)
            assert answer.status == 200, answer.text
        await ready(pi)
        await asyncio.sleep(1)  # the sweep has asked, and found nothing
        assert await sessions(pi) == {SESSION, "jupyterlab"}
        taken_out_of(hub.folder / "proposals" / f"{PROPOSAL}.yaml")
        await until_told(pi, f"You are not a member of the proposal of JupyterLab · {PROPOSAL}")
        assert SESSION in await sessions(pi)
        await until_gone(pi)
        assert await sessions(pi) == {"jupyterlab"}
    last = (hub.folder / "state" / "audit.jsonl").read_text().splitlines()[-1]
    assert {"by": "sweep", "detail": f"{SESSION}: proposal"}.items() <= json.loads(last).items()


def taken_out_of(proposal: Path) -> None:
    text = re.sub(r"\bpi\b", "somebody-else", proposal.read_text())
    proposal.write_text(text)


async def sessions(pi: Visitor) -> set[str]:
    return set(json.loads((await pi.api("GET", "/users/pi")).text)["servers"])


async def until_told(pi: Visitor, words: str) -> None:
    deadline = time.monotonic() + 20
    while words not in (page := (await pi.get("/services/portal/")).text):
        assert time.monotonic() < deadline, page
        await asyncio.sleep(0.2)


async def until_gone(pi: Visitor) -> None:
    deadline = time.monotonic() + 20
    while SESSION in await sessions(pi):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
