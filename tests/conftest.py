"""What several packages' tests share: short folders, and one real demo for all of them."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jupyterhub.httpclient import JupyterHubHTTPClient
from playwright.sync_api import Page

from daas_demo import leftovers
from daas_demo.__main__ import run_folder

REPOSITORY = Path(__file__).parents[1]

#: The option of `make test-engines` with CI=true; tests/engines/conftest.py looks at it.
EVERY_ENGINE = "--every-engine"

#: Whom the demo lets in.
PEOPLE = ("pi", "coproposer", "contact", "newcomer")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what is asked for by `make test-engines`."""
    parser.addoption(
        EVERY_ENGINE, action="store_true", help="fail unless the tests ran on every engine"
    )


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo on a port and in a folder of its own."""

    folder: Path
    port: int
    launchers: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def portal(self) -> str:
        """The portal's home page."""
        return f"{self.url}/services/portal/"

    def sign_in(self, page: Page, who: str) -> None:
        """Press the provider's button for *who*, in a browser."""
        page.goto(self.portal)
        page.locator(f"button[name=person][value={who}]").click()

    def end(self) -> None:
        """End it whatever state it is in."""
        leftovers.end(self.run)
        while self.launchers:
            launcher = self.launchers.pop()
            launcher.kill()
            if launcher.stdout and not launcher.stdout.closed:
                launcher.communicate()
        shutil.rmtree(self.run, ignore_errors=True)

    @property
    def run(self) -> Path:
        """The folder that its processes carry in their environment."""
        return run_folder(self.folder)

    def log_text(self) -> str:
        """What hub, proxy, portal and provider have said so far."""
        return (self.folder / "hub.log").read_text("utf-8", "replace")

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start it and return at once."""
        command = [sys.executable, "-m", "daas_demo", f"--port={self.port}"]
        launcher = subprocess.Popen(
            [*command, f"--folder={self.folder}"],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.launchers.append(launcher)
        return launcher

    def start_and_wait(self) -> subprocess.Popen[str]:
        """Start it and return once it says its address."""
        launcher = self.start()
        self.wait_for(launcher, self.url)
        return launcher

    def wait_for(self, launcher: subprocess.Popen[str], words: str) -> None:
        """Read what it says until *words* are among it."""
        assert launcher.stdout is not None
        said = ""
        for line in launcher.stdout:
            said += line
            if words in line:
                return
        with contextlib.suppress(OSError):
            said += self.log_text()[-3000:]
        raise AssertionError(said)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets, which other users may pass."""
    path = Path(tempfile.mkdtemp(prefix="daas-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A short folder for one test."""
    with short_folder() as path:
        yield path


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """One real demo for all tests; at its end nothing of it may be left."""
    with short_folder() as folder:
        demo = Demo(folder, free_port())
        try:
            launcher = demo.start_and_wait()
            yield demo
            launcher.send_signal(signal.SIGTERM)
            launcher.communicate(timeout=30)
            assert list(leftovers.processes_of(demo.run)) == []
        finally:
            demo.end()


@pytest.fixture
async def http_client() -> AsyncIterator[None]:
    """The hub's HTTP client, closed after the test: there is one per event loop."""
    yield
    await JupyterHubHTTPClient.loop_instance().close()
