"""Engines that are started once for all tests, and whether every one of them was run."""

import contextlib
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import EVERY_ENGINE
from tests.engines.daemons import NotHere
from tests.engines.engines import CLUSTER, ENGINES, EVERY, Here, Kind
from tests.engines.kubernetes_here import KubernetesHere
from tests.engines.sessions import Sessions
from tests.engines.world import World, make_world

_RUN: set[str] = set()


class Running:
    """The engines of this run, each started when the first test asks for it."""

    def __init__(self, stack: contextlib.ExitStack, must: bool) -> None:
        self._stack = stack
        self._must = must
        self._started: dict[str, Here | NotHere] = {}

    def get(self, kind: Kind) -> Here:
        """Return a running engine; without one the test is skipped, or fails where it must run."""
        if kind.name not in self._started:
            try:
                self._started[kind.name] = self._stack.enter_context(kind.here())
            except NotHere as reason:
                self._started[kind.name] = reason
        here = self._started[kind.name]
        if isinstance(here, NotHere):
            said = f"the engine {kind.name} was not run: {here}"
            pytest.fail(said) if self._must else pytest.skip(said)
        _RUN.add(kind.name)
        return here


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> Iterator[Running]:
    with contextlib.ExitStack() as stack:
        yield Running(stack, request.config.getoption(EVERY_ENGINE))


@pytest.fixture(scope="session")
def kubernetes(engines: Running) -> KubernetesHere:
    """The cluster itself."""
    here = engines.get(CLUSTER)
    assert isinstance(here, KubernetesHere)
    return here


@pytest.fixture
def world(short_path: Path) -> World:
    return make_world(short_path)


@pytest.fixture(params=EVERY)
async def sessions(
    request: pytest.FixtureRequest, engines: Running, world: World, http_client: None
) -> AsyncIterator[Sessions]:
    """Sessions on each engine of the list."""
    opener = Sessions(request.param, engines.get(request.param), world)
    yield opener
    await opener.close()


@pytest.fixture(autouse=True)
def supervisors_outlive_their_loop() -> Iterator[None]:
    """A supervisor may live longer than the test's loop; asyncio warns of its pipes much later."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that had to run every engine and did not."""
    missing = [kind.name for kind in ENGINES if kind.name not in _RUN]
    if session.config.getoption(EVERY_ENGINE) and missing:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"FAILED: not run on these engines: {', '.join(missing)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
