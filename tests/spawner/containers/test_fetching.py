"""Fetching with real engines and a real registry: once, with progress, whoever asks or leaves.

Each engine has a small disk of its own, so that it can be full.
"""

import asyncio
import base64
import contextlib
import gc
import json
import logging
import math
import re
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daas_model.apps import App
from daas_model.engines import Engine
from daas_model.errors import DaasError, EngineProblem, ImageProblem
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.fetching import Fetches
from daas_spawner.containers.images import ContainerImages
from tests.conftest import EVERY_ENGINE
from tests.engines import daemons
from tests.engines.daemons import NotHere
from tests.engines.docker_here import docker_here
from tests.engines.engine_here import EngineHere
from tests.engines.podman_here import podman_here
from tests.engines.registry_here import MIB, NAME, PASSWORD, Narrow, Registry, registry_here

pytestmark = pytest.mark.engines

DISK_MIB = 80
KINDS = {"docker": docker_here, "podman": podman_here}


def app_named(name: str) -> App:
    return App.parse(name, {"title": "Probe", "summary": "x", "kind": "web", "command": ["x"]})


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = Path(tempfile.mkdtemp(prefix="daas-disk-", dir="/run"))
    size = f"size={DISK_MIB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@contextlib.contextmanager
def connections_dropped() -> Iterator[None]:
    """docker-py leaves a connection that failed, or that nobody closed, to be collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture(scope="module", params=KINDS)
def here(request: pytest.FixtureRequest) -> Iterator[EngineHere]:
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        try:
            daemons.require()
            disk = stack.enter_context(small_disk())
            patch.setattr(daemons, "CACHE", disk / "kept")
            patch.setattr(daemons, "RUN", disk / "run")
            with connections_dropped():
                engine = stack.enter_context(KINDS[request.param]())
        except NotHere as reason:
            said = f"the engine {request.param} was not run: {reason}"
            pytest.fail(said) if request.config.getoption(EVERY_ENGINE) else pytest.skip(said)
        yield engine


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry_here(tmp_path_factory.mktemp("registry") / "open") as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry_here(tmp_path_factory.mktemp("registry") / "guarded", guarded=True) as found:
        yield found


@pytest.fixture
def narrow(registry: Registry) -> Iterator[Narrow]:
    way = Narrow(registry)
    yield way
    way.close()


@dataclass
class Site:
    """A facility with one engine and one registry."""

    here: EngineHere
    engine: ContainerEngine
    host: str
    images: ContainerImages = field(init=False)
    fetches: Fetches = field(init=False)

    def configure(self, **settings: Any) -> None:
        """Begin anew with other settings, as a hub that was restarted."""
        self.images = ContainerImages(**{"prefix": f"{self.host}/t/", "tag": "1", **settings})
        self.fetches = Fetches(self.engine, self.images)

    def has(self, app: App) -> bool:
        """Whether the engine has the app's image."""
        return bool(self.here.image_id(self.images.image_of(app.name).name))

    async def refusal(self, app: App) -> DaasError:
        """Why it cannot be had."""
        with pytest.raises(DaasError) as raised:
            await self.fetches.ensure(app)
        return raised.value


@pytest.fixture
async def site(here: EngineHere, narrow: Narrow) -> AsyncIterator[Site]:
    """The facility, whose engine reaches the registry by the narrow way."""
    engine = ContainerEngine(
        Engine.parse("e", {"title": "e", "kind": "docker", "address": here.address})
    )
    made = Site(here, engine, narrow.host)
    made.configure()
    yield made
    # A hub has its engine for life: nothing else closes its threads' connections.
    with connections_dropped():
        await engine.close()
        engine._threads.shutdown(wait=True)
    with here.client() as client:
        for image in client.images():
            client.remove_image(image["Id"], force=True)


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def downloads(narrow: Narrow, what: str) -> list[str]:
    return [line for line in narrow.asked if line.startswith("GET ") and f"/{what}/" in line]


async def test_one_question_finds_an_image_that_is_there(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    registry.put("t/there")
    app = app_named("there")
    name = await site.fetches.ensure(app)
    calls, asked = site.engine.calls, len(narrow.asked)
    assert await site.fetches.ensure(app) == name
    assert site.engine.calls == calls + 1
    assert len(narrow.asked) == asked


async def test_only_the_tag_that_is_asked_for_is_fetched(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    for tag in ("1", "2", "latest"):
        registry.put("t/tags", tag)
    assert await site.fetches.ensure(app_named("tags")) == f"{site.host}/t/tags:1"
    with site.here.client() as client:
        assert [image["RepoTags"] for image in client.images()] == [[f"{site.host}/t/tags:1"]]
    assert not any("tags/list" in line for line in narrow.asked)


async def test_a_pin_is_fetched_though_its_tag_has_moved_on(site: Site, registry: Registry) -> None:
    digest = registry.put("t/pinned")
    registry.put("t/pinned")
    site.configure(pins={"pinned": digest})
    name = await site.fetches.ensure(app_named("pinned"))
    assert name == f"{site.host}/t/pinned@{digest}"
    assert site.here.image_id(name)
    assert not site.here.image_id(f"{site.host}/t/pinned:1")


async def test_two_people_cause_one_fetch(site: Site, registry: Registry, narrow: Narrow) -> None:
    registry.put("t/two", layers_mib=(1, 1))
    narrow.bytes_per_second = 2 * MIB
    app = app_named("two")
    names = await asyncio.gather(*(site.fetches.ensure(app) for _ in range(5)))
    assert set(names) == {f"{site.host}/t/two:1"}
    assert len(downloads(narrow, "manifests")) == 1
    assert len(downloads(narrow, "blobs")) == len(set(downloads(narrow, "blobs"))) == 3


async def test_a_fetch_goes_on_when_its_asker_leaves_and_is_taken_up_again(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    registry.put("t/left", layers_mib=(0.2, 3, 3))
    app = app_named("left")
    narrow.bytes_per_second = MIB / 2
    asker = asyncio.create_task(site.fetches.ensure(app))
    await until(lambda: (seen := site.fetches.progress(app)) and seen.bytes_done > 0)
    asker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asker
    left_at = site.fetches.progress(app)
    assert left_at is not None
    await until(
        lambda: (seen := site.fetches.progress(app)) and seen.bytes_done > left_at.bytes_done
    )
    narrow.bytes_per_second = math.inf
    await site.fetches.ensure(app)
    assert len(downloads(narrow, "blobs")) == len(set(downloads(narrow, "blobs"))) == 4
    assert site.fetches.progress(app) is None


async def test_a_fetch_that_nobody_waits_for_any_more_ends_by_itself(
    site: Site, registry: Registry, narrow: Narrow, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put("t/alone")
    good, bad = app_named("alone"), app_named("alone-and-unknown")
    caplog.set_level(logging.INFO)
    for app in (good, bad):
        narrow.bytes_per_second = 2000
        asker = asyncio.create_task(site.fetches.ensure(app))
        await until(lambda app=app: site.fetches.progress(app) is not None)
        asker.cancel()
        narrow.bytes_per_second = math.inf
        await until(lambda app=app: site.fetches.progress(app) is None)
    assert site.has(good)
    assert f"Image {site.host}/t/alone:1 was fetched in " in caplog.text
    assert "[DAAS-IMAGE]" in caplog.text


async def test_progress_grows_and_says_only_what_the_engine_knows(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    registry.put("t/grows", layers_mib=(1, 2, 3))
    app = app_named("grows")
    narrow.bytes_per_second = MIB
    seen = []
    asker = asyncio.create_task(site.fetches.ensure(app))
    while not asker.done():
        if progress := site.fetches.progress(app):
            seen.append(progress)
        await asyncio.sleep(0.05)
    await asker
    assert [one.bytes_done for one in seen] == sorted(one.bytes_done for one in seen)
    assert [one.layers_done for one in seen] == sorted(one.layers_done for one in seen)
    expected = {
        "docker": r"Fetching Probe: layer [1-3] of 3, [1-5] of 6 MB",
        "podman": r"Fetching Probe: layer [1-3] of at least 3, [1-6] MB so far",
    }[site.here.name]
    sentences = {one.sentence(app.title) for one in seen}
    assert any(re.fullmatch(expected, one) for one in sentences), sentences


@pytest.mark.parametrize(
    ("host", "message"),
    [
        pytest.param("", "This app's image is not in the registry.", id="no such image"),
        pytest.param(
            "127.0.0.1:9",
            "The registry of this app's image does not answer as it should.",
            id="nobody listens",
        ),
        pytest.param(
            "registry.invalid",
            "The registry of this app's image does not answer as it should.",
            id="no such host",
        ),
    ],
)
async def test_a_registry_without_the_image_is_a_sentence(
    site: Site, host: str, message: str
) -> None:
    site.host = host or site.host
    site.configure()
    problem = await site.refusal(app_named("nowhere"))
    assert (problem.code, problem.message) == ("DAAS-IMAGE", message)
    assert site.host in problem.detail
    assert site.host not in str(problem)
    assert site.here.containers() == []


async def test_an_unknown_tag_and_an_unknown_digest_are_not_replaced_by_others(
    site: Site, registry: Registry
) -> None:
    registry.put("t/other")
    app = app_named("other")
    for settings in ({"tag": "9"}, {"pins": {"other": "sha256:" + "0" * 64}}):
        site.configure(**settings)
        assert (await site.refusal(app)).message == "This app's image is not in the registry."
    site.configure()
    assert not site.has(app)


async def test_after_a_failure_the_next_ask_tries_anew(site: Site, registry: Registry) -> None:
    app = app_named(f"later-for-{site.here.name}")
    await site.refusal(app)
    registry.put(f"t/{app.name}")
    await site.fetches.ensure(app)
    assert site.has(app)


async def test_an_image_not_made_for_the_portal_is_refused_and_not_kept(
    site: Site, registry: Registry
) -> None:
    registry.put("t/foreign", labels={"other": "1"})
    app = app_named("foreign")
    problem = await site.refusal(app)
    assert problem.message == "This app's image is not made for this portal."
    assert not site.has(app)
    registry.put("t/foreign")
    await site.fetches.ensure(app)


async def test_an_image_not_made_for_the_portal_that_was_there_is_left_alone(
    site: Site, registry: Registry
) -> None:
    registry.put("t/byhand", labels={})
    app = app_named("byhand")
    with site.here.client() as client:
        client.pull(f"{site.host}/t/byhand", "1")
    assert (await site.refusal(app)).message == "This app's image is not made for this portal."
    assert site.has(app)


async def test_a_manifest_that_is_not_what_was_pinned_is_refused(
    site: Site, registry: Registry
) -> None:
    digest = registry.put("t/spoiled")
    registry.spoil(digest)
    site.configure(pins={"spoiled": digest})
    app = app_named("spoiled")
    problem = await site.refusal(app)
    assert isinstance(problem, ImageProblem)
    assert problem.message == (
        "The registry sent something else than this app's image, so it was not used."
    )
    assert not site.has(app)


async def test_a_name_without_a_registry_is_never_fetched(site: Site) -> None:
    """Docker Hub would be asked for it, where strangers may have taken the name."""
    site.configure(prefix="daas/")
    problem = await site.refusal(app_named("pymca"))
    assert problem.message == "This app's image is not on its machine."
    assert "make images" in problem.detail
    assert site.engine.calls == 1


def secret_file(folder: Path, host: str, password: str) -> str:
    packed = base64.b64encode(f"{NAME}:{password}".encode()).decode()
    file = folder / "config.json"
    file.write_text(json.dumps({"auths": {host: {"auth": packed}}}))
    return str(file)


async def test_the_pull_secret_opens_a_registry_and_stands_in_no_log(
    site: Site, guarded: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded.put("t/guarded")
    app = app_named("guarded")
    site.host = guarded.host
    wrong = "wrong-Password-2"
    for settings in ({}, {"pull_secret_file": secret_file(tmp_path, guarded.host, wrong)}):
        site.configure(**settings)
        problem = await site.refusal(app)
        assert problem.message == "The registry does not give out this app's image."
        assert wrong not in f"{problem} {problem.detail} {problem!r}"
    secret_file(tmp_path, guarded.host, PASSWORD)  # read at each fetch: no restart of the hub
    await site.fetches.ensure(app)
    for secret in (wrong, PASSWORD):
        packed = base64.b64encode(f"{NAME}:{secret}".encode()).decode()
        assert secret not in caplog.text
        assert packed not in caplog.text


async def test_a_secret_that_cannot_be_read_stops_the_fetch(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    registry.put("t/unread")
    site.configure(pull_secret_file="/nonexistent/config.json")
    problem = await site.refusal(app_named("unread"))
    assert problem.code == "DAAS-IMAGE"
    assert narrow.asked == []


async def test_the_login_in_the_hubs_own_home_is_not_used(
    site: Site, guarded: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_file(tmp_path, guarded.host, PASSWORD)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    guarded.put("t/private")
    site.host = guarded.host
    site.configure()
    problem = await site.refusal(app_named("private"))
    assert problem.message == "The registry does not give out this app's image."


async def test_a_full_disk_is_said_and_leaves_no_image(site: Site, registry: Registry) -> None:
    registry.put("t/large", layers_mib=(DISK_MIB * 0.6, DISK_MIB * 0.6))
    app = app_named("large")
    problem = await site.refusal(app)
    assert problem.message == (
        "The machine's disk is full, so this app's image could not be fetched."
    )
    assert not site.has(app)


async def test_a_silent_registry_is_given_up_and_asked_again_later(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    registry.put("t/silent", layers_mib=(1,))
    app = app_named("silent")
    site.configure(silence_seconds=1)
    narrow.bytes_per_second = 0
    problem = await site.refusal(app)
    assert problem.message == "The fetch of this app's image broke off."
    narrow.bytes_per_second = math.inf
    site.configure()
    await site.fetches.ensure(app)


async def test_an_engine_that_ends_during_a_fetch_is_named_and_fetches_afterwards(
    site: Site, registry: Registry, narrow: Narrow
) -> None:
    registry.put("t/ended", layers_mib=(2,))
    app = app_named("ended")
    narrow.bytes_per_second = MIB / 4
    asker = asyncio.create_task(site.fetches.ensure(app))
    await until(lambda: (seen := site.fetches.progress(app)) and seen.layers)
    with connections_dropped():
        await asyncio.to_thread(site.here.daemon.stop)
        try:
            with pytest.raises(DaasError) as raised:
                await asker
            assert raised.value.code in ("DAAS-ENGINE", "DAAS-IMAGE")
            assert isinstance(await site.refusal(app), EngineProblem)
        finally:
            # In this thread: it ends with the thread that started it.
            site.here.daemon.start()
    narrow.bytes_per_second = math.inf
    await site.fetches.ensure(app)


async def test_all_sessions_on_an_engine_share_its_fetches(site: Site) -> None:
    assert Fetches.of(site.engine, site.images) is Fetches.of(site.engine, ContainerImages())
