"""Debian's `docker-registry` on loopback, empty, for one test or a few."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import free_port
from tests.engines.daemons import Daemon, require

CONFIG = """\
version: 0.1
log: {{accesslog: {{disabled: true}}, level: warn}}
storage:
  filesystem: {{rootdirectory: "{folder}/blobs"}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextlib.contextmanager
def registry_here(folder: Path) -> Iterator[str]:
    """Run a registry that keeps its images in *folder*; yield its `host:port`."""
    require("docker-registry")
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(CONFIG.format(folder=folder, port=port))
    daemon = Daemon(
        ["docker-registry", "serve", str(config)],
        log=folder / "registry.log",
        ready=lambda: _listens(port),
    )
    try:
        daemon.start()
        yield f"127.0.0.1:{port}"
    finally:
        daemon.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
