"""Folders short enough for sockets, and the hub's HTTP client closed after each test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from jupyterhub.httpclient import JupyterHubHTTPClient


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder of at most 20 characters that other users may pass."""
    path = Path(tempfile.mkdtemp(prefix="daas-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def http_client() -> AsyncIterator[None]:
    """The client that back ends use; one per event loop."""
    yield
    await JupyterHubHTTPClient.loop_instance().close()
