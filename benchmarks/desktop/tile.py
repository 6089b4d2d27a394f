"""A stalled viewer of a tile: its proxy reads on, and keeps what is not taken.

No bound: it is what the X server sends until it misses the viewer's answers to its fences.
"""

import contextlib
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.desktop import chain
from benchmarks.desktop.figures import Figures
from benchmarks.desktop.peers import served
from benchmarks.desktop.processes import find
from benchmarks.desktop.viewer import Viewer
from benchmarks.desktop.wire import Web
from benchmarks.sessions import pss_kib
from tests.desktop.plain_hub import free_ports

STALLED_S = 10.0
#: Three seconds of a whole screen's noise are many times as much.
MUCH_BYTES = 5e6
SETTINGS = """
from daas_desktop.notebook.tiles import Tile, proxy_entry
c.ServerProxy.servers = {{"painter": proxy_entry(Tile("painter", "Painter", "", {command!r}))}}
"""


@contextlib.contextmanager
def running() -> Iterator[tuple[str, str]]:
    """Run JupyterLab's server with the painter as a tile; give the tile's address and its home."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = Path(folder) / "jupyter_server_config.py"
        settings.write_text(SETTINGS.format(command=(str(chain.PYTHON), str(chain.PAINTER))))
        url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [chain.PYTHON, "-m", "jupyter_server", "--allow-root"]
        command += ["--no-browser", f"--port={port}", f"--config={settings}"]
        command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
        with served(command, folder, f"{url}/api"):
            with urllib.request.urlopen(f"{url}/painter/", timeout=40) as page:
                page.read()
            yield f"{url}/painter/", folder


def stalled(figures: Figures) -> None:
    """Let the tile's viewer stop reading while the whole screen changes; print what grows."""
    with running() as (address, home):
        pids = [find(r"\S+ -m jupyter_server", home), find(r"\S+ -m daas_desktop tile", home)]
        chain.wait_for_painter(Web(f"{address}rfb", {}))
        viewer = Viewer(Web(f"{address}rfb", {}))
        viewer.order("noise")
        viewer.pause(3)
        if viewer.wire.received < MUCH_BYTES:
            raise RuntimeError("the painter does not paint")
        before = sum(map(pss_kib, pids))
        time.sleep(STALLED_S)
        growth = (sum(map(pss_kib, pids)) - before) / 1024
        viewer.wire.close()
    what = f"a tile's viewer stalled for {STALLED_S:.0f} s: JupyterLab's server and ours grow by"
    figures.add(what, f"{growth:.0f} MiB")
