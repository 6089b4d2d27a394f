"""What a person sees of a container engine: a whole hub, with its second machine there."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import REPOSITORY, free_port, short_folder
from tests.engines.conftest import Running
from tests.engines.engine_here import EngineHere
from tests.engines.engines import CONTAINERS, Kind
from tests.engines.registry_here import Narrow, registry_here
from tests.portal.two_engines import TwoEngines
from tests.visitor import Visitor

PORTAL = "/services/portal/"
SEEN_SECONDS = 10
#: The watch asks every 5 s, and an engine has 5 s for its answer.
AWAY_SECONDS = 15
PROBE = REPOSITORY / "tests" / "spawner" / "apps" / "probe"
FETCHED = (
    "title: Fetched\nsummary: Has to be fetched.\nkind: web\nown_resources: true\n"
    "command: [x]\nimage_only: true\n"
)
SETTINGS = """
c.Facility.engines_offered["containers"]["address"] = {address!r}
c.ContainerImages.references = {{"fetched": {image!r}}}
"""


@dataclass(frozen=True, slots=True)
class Portal:
    """A hub on an engine that runs, and a slow way to a registry."""

    hub: TwoEngines
    here: EngineHere
    way: Narrow


@pytest.fixture(scope="module", params=CONTAINERS)
def place(request: pytest.FixtureRequest, engines: Running) -> Iterator[Portal]:
    kind: Kind = request.param
    here = engines.get(kind)
    assert isinstance(here, EngineHere)
    here.end_containers()  # whatever an earlier test has left; these tests count them
    with short_folder() as folder, registry_here(folder / "registry") as registry:
        registry.put("t/fetched", layers_mib=(1, 2, 3))
        (folder / "fetched").mkdir()
        (folder / "fetched" / "app.yaml").write_text(FETCHED, "utf-8")
        hub, way = TwoEngines(folder, free_port()), Narrow(registry)
        image = f"{way.host}/t/fetched:1"
        try:
            hub.begin(
                SETTINGS.format(address=here.address, image=image),
                apps_too=[PROBE, folder / "fetched"],
            )
            yield Portal(hub, here, way)
        finally:
            hub.end()
            way.close()
            here.end_containers()
            with here.client() as client:
                if here.image_id(image):
                    client.remove_image(image, force=True)


@pytest.fixture
async def pi(place: Portal) -> AsyncIterator[Visitor]:
    async with Visitor(place.hub.url) as visitor:
        await visitor.sign_in("pi")
        yield visitor
        for name in re.findall(r'data-session="([^"]+)"', (await visitor.get(PORTAL)).text):
            await visitor.portal("stop", session=name)


async def card(visitor: Visitor, words: str, seconds: float = 30) -> str:
    """Return the home page once *words* stand in it."""
    page = ""
    try:
        async with asyncio.timeout(seconds):
            while words not in page:
                page = (await visitor.get(PORTAL)).text
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{words!r} is not on the page: {page}") from None
    return page


async def test_a_container_killed_from_outside_ends_its_session_within_ten_seconds(
    pi: Visitor, place: Portal
) -> None:
    """The page says that it happened outside; stop is no error; it opens again (S8)."""
    await pi.portal("open", app="probe", machine="large", proposal="2026-0142")
    assert "on Large — containers" in await card(pi, 'data-state="Running"')
    (container,) = place.here.containers()
    with place.here.client() as client:
        client.kill(container["Id"])
    await card(pi, "It ended by itself or from outside the portal.", SEEN_SECONDS)
    stopped = await pi.portal("stop", session="probe-2026-0142")
    assert stopped.status == 200
    await pi.portal("open", app="probe", machine="large", proposal="2026-0142")
    await card(pi, 'data-state="Running"')


async def test_an_engine_that_goes_away_and_comes_back_is_seen_and_the_rest_goes_on(
    pi: Visitor, place: Portal
) -> None:
    await pi.portal("open", app="probe", machine="small")
    await card(pi, 'data-state="Running"')
    place.here.daemon.stop()
    try:
        page = await card(pi, "Not available now: “containers” does not answer.", AWAY_SECONDS)
        assert 'data-state="Running"' in page
        began = time.monotonic()
        refused = await pi.portal("open", app="probe", machine="large", proposal="2026-0142")
        assert (refused.status, time.monotonic() - began < 5) == (503, True)
        assert "“Large — containers” cannot be used now" in refused.text
        assert "DAAS-ENGINE" in refused.text
    finally:
        place.here.daemon.start()
    page = await card(pi, f'href="{PORTAL}?machine=large"', AWAY_SECONDS)
    assert 'data-state="Running"' in page
    await pi.portal("open", app="probe", machine="large", proposal="2026-0142")
    page = await card(pi, "on Large — containers")
    assert page.count('data-state="Running"') == 2


async def test_a_fetch_shows_how_far_it_is_and_goes_on_when_she_signs_out(
    pi: Visitor, place: Portal
) -> None:
    """S9: she comes back, finds it, and no second start begins. Its end is told, too."""
    place.way.bytes_per_second = 300_000
    began = time.monotonic()
    waiting = await pi.portal("open", app="fetched")
    assert time.monotonic() - began < 8, "the page of a fetch does not wait for the hub"
    assert waiting.url.endswith("/sessions/fetched")
    assert "Fetching Fetched" in waiting.text
    await card(pi, "Fetching Fetched: layer ")
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', (await pi.get("/hub/logout")).text)
    assert xsrf
    await pi.post("/hub/logout", {"_xsrf": xsrf[1]})
    await pi.sign_in("pi")
    await card(pi, "Fetching Fetched: layer ")
    before = len(place.hub.log_text())
    assert "Fetching Fetched" in (await pi.portal("open", app="fetched")).text
    assert "Creating oauth" not in place.hub.log_text()[before:]
    place.way.bytes_per_second = float("inf")
    # The image of random bytes has nothing that could run.
    assert "[DAAS-ENGINE]" in await card(pi, 'data-state="Stopped"')
    assert sum("/manifests/1 " in line for line in place.way.asked) <= 2  # HEAD and GET, once
