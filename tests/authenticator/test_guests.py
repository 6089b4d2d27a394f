"""Who watches another's session is asked about again and again: on a real hub with sessions."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import HUB_CONFIG, Hub, LyingProvider, running_hub
from .test_sweep import QUICK, api, runs, sign_in, start, until, write

GUESTS = """
from pathlib import Path

class Watched(Sleeping):
    async def still_watched_by(self, guest):
        return guest.name not in Path("no-member-any-more").read_text().split()

Path("no-member-any-more").write_text("")
c.JupyterHub.spawner_class = Watched
c.DaasAuthenticator.proposal_check_seconds = 0
# One provider answers for all of them: it is asked in the last test only.
c.DaasAuthenticator.renewal_seconds = 3600
c.JupyterHub.load_roles = [
    {{
        "name": "starts",
        "services": ["starter"],
        "scopes": ["servers", "read:users", "shares", "access:servers"],
    }},
]
"""


CONFIG = HUB_CONFIG + QUICK.replace("http://127.0.0.1:9", "http://127.0.0.1:{hub}") + GUESTS
ASKING = """
c.DaasAuthenticator.renewal_seconds = 0
c.DaasAuthenticator.refused_grace_seconds = 0
c.DaasAuthenticator.blocked_grace_seconds = 3600
"""


@pytest.fixture(params=[""])
def hub(request: pytest.FixtureRequest, provider_port: int, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(tmp_path, CONFIG + request.param, provider=provider_port) as running:
        yield running


async def watches(hub: Hub, provider: LyingProvider, guest: str, owner: str = "alma") -> None:
    """Let *guest* watch a session of *owner*."""
    for name in (guest, owner):
        await sign_in(hub, provider, name)
    await start(hub, owner)
    await api(hub, f"shares/{owner}/pymca", "POST", json.dumps({"user": guest}))
    assert guest in await guests(hub, owner)


async def guests(hub: Hub, owner: str = "alma") -> list[str]:
    answer = await api(hub, f"shares/{owner}/pymca")
    return [share["user"]["name"] for share in answer["items"]]


async def sent_out(hub: Hub, guest: str, why: str) -> None:
    """Return once *guest* watches no more, while frieda still does, and the record says why."""

    async def is_out() -> bool:
        return guest not in await guests(hub)

    await until(is_out)
    assert "frieda" in await guests(hub)
    events = hub.log.with_name("audit.jsonl").read_text().splitlines()
    told = [event for event in map(json.loads, events) if event["name"] == guest]
    assert [(event["action"], event["by"], event["detail"]) for event in told] == [
        ("sent out", "sweep", f"alma/pymca: {why}")
    ]


async def test_attack_16_a_guest_who_is_blocked_or_lost_her_right_watches_no_more(
    hub: Hub, provider: LyingProvider
) -> None:
    for name in ("bettina", "clara", "frieda"):
        await watches(hub, provider, name)
    write(hub, "update people set blocked_from = 1 where name = 'bettina'")
    await sent_out(hub, "bettina", "blocked")
    hub.log.with_name("no-member-any-more").write_text("clara")
    await sent_out(hub, "clara", "proposal")
    assert await guests(hub) == ["frieda"]
    # Our spawner takes all back at a session's end; what is left all the same, the sweep finds.
    await api(hub, "users/alma/servers/pymca", "DELETE")

    async def nobody_is_left() -> bool:
        return await guests(hub) == []

    await until(nobody_is_left)


@pytest.mark.parametrize("hub", [ASKING], indirect=True, ids=["asking"])
async def test_attack_16_a_guest_whom_her_provider_refuses_watches_no_more(
    hub: Hub, provider: LyingProvider
) -> None:
    await watches(hub, provider, "greta")
    provider.status = {"userinfo": 401, "token": 400}

    async def is_out() -> bool:
        return await guests(hub) == []

    await until(is_out)
    assert await runs(hub, "alma")  # that ends later, with a notice
