"""Who leaves a session alone loses it after a warning, unless its programs compute."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.visitor import Visitor

from .account_hub import GID, UID, AccountHub, ready
from .test_memberships import sessions

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="another user id needs root"),
]

SETTINGS = """
c.DaasAuthenticator.account_source = "files"
c.DaasAuthenticator.directory_folder = {numbers!r}
c.DaasAuthenticator.sweep_seconds = 0.3
c.DaasSpawner.idle_minutes = 0.2
c.DaasSpawner.examples_folder = {examples!r}
c.Facility.apps_folder = {apps!r}
"""
# With the tree's own desktop, whatever is installed for sessions; a turn takes 0.8 s.
APP = """
title: {title}
summary: For a test.
kind: web
command: [env, DAAS_ASK_EVERY_S=0.2, PYTHONPATH=/examples, python, -m, daas_desktop, serve,
          --title, {title}, --, sh, -c, "{program}"]
own_resources: true
"""
APPS = {"still": "sleep 1000", "busy": "while :; do :; done"}


@pytest.fixture
def hub(short_path: Path) -> Iterator[AccountHub]:
    hub = AccountHub(short_path)
    yield hub
    hub.end()


async def test_what_nobody_uses_ends_after_a_warning_and_what_computes_goes_on(
    hub: AccountHub,
) -> None:
    await asyncio.to_thread(hub.start, settings(hub))
    async with Visitor(hub.url) as pi:
        await pi.sign_in("pi")
        for app in APPS:
            assert (await pi.portal("open", app=app, proposal=[])).status == 200
        for app in APPS:
            await ready(pi, app)
        told = ""
        deadline = time.monotonic() + 40
        while "still" in await sessions(pi):
            assert time.monotonic() < deadline
            # Looking on is no use, whatever the proxy counts.
            await pi.get("/user/pi/still/")
            page = (await pi.get("/services/portal/")).text
            told = page if "Still ends at" in page else told
            await asyncio.sleep(0.3)
        assert "Still ends at" in told
        assert "Busy ends at" not in told
        assert await sessions(pi) == {"busy"}
        assert "Nobody used it for" in (await pi.get("/services/portal/")).text
        await end_on_its_own_page(pi, "busy")
    events = map(json.loads, (hub.folder / "state" / "audit.jsonl").read_text().splitlines())
    assert [event["detail"] for event in events if event["by"] == "sweep"] == ["still: idle"]


async def end_on_its_own_page(pi: Visitor, session: str) -> None:
    """S8: who ends a session there is not told that it ended by itself."""
    page = (await pi.get(f"/user/pi/{session}/")).text
    token = page.partition('name="xsrf" content="')[2].partition('"')[0]
    wish = f"/user/pi/{session}/end?how=force"
    assert (await pi.post(wish, {}, headers={"X-XSRFToken": token})).status == 200
    async with asyncio.timeout(15):
        while "You ended it on its own page." not in (await pi.get("/services/portal/")).text:
            await asyncio.sleep(0.2)


def settings(hub: AccountHub) -> str:
    numbers, apps, examples = (hub.folder / name for name in ("numbers", "apps", "tree"))
    numbers.mkdir()
    (numbers / "passwd").write_text(f"pi:x:{UID}:{GID}::{hub.home('pi')}:/bin/sh\n")
    (numbers / "group").write_text(f"pi:x:{GID}:\n")
    for name, program in APPS.items():
        (apps / name).mkdir(parents=True)
        text = APP.format(title=name.capitalize(), program=program)
        (apps / name / "app.yaml").write_text(text)
    shutil.copytree(REPOSITORY / "daas_desktop", examples / "daas_desktop")
    return SETTINGS.format(numbers=str(numbers), apps=str(apps), examples=str(examples))
