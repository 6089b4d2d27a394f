"""The peers, each as a page in the same browser: plain noVNC, jupyter-remote-desktop-proxy, xpra.

Plain noVNC looks at our own session's X server through websockify; the other two bring theirs.
Installed by `make bench-desktop`, in an environment of their own.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.desktop import chain
from benchmarks.desktop.browser import Page1080
from benchmarks.desktop.processes import follow
from benchmarks.sessions import below
from tests.conftest import REPOSITORY
from tests.desktop.plain_hub import end_all_of, free_ports

BIN = REPOSITORY / ".bench-env" / "bin"
NOVNC = REPOSITORY / ".node" / "node_modules" / "@novnc" / "novnc"
PAINT = f"{chain.PYTHON} {chain.PAINTER}"
PLAIN = """<!doctype html><title>noVNC</title>
<style>html, body, #screen { margin: 0; height: 100%; }</style>
<div id="screen"></div><script type="module">
import RFB from "./novnc/core/rfb.js";
const rfb = new RFB(document.getElementById("screen"), `ws://${location.host}/websockify`);
rfb.scaleViewport = rfb.resizeSession = true;
</script>"""


@contextlib.contextmanager
def served(
    command: Sequence[str | Path], folder: str, url: str, more: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server until it answers, and end everything that it started."""
    log = Path(folder) / "log"
    environment = {**os.environ, "HOME": folder, "XDG_RUNTIME_DIR": folder, **(more or {})}
    environment["PATH"] = f"{BIN}:{os.environ['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output
        )
    try:
        began = time.monotonic()
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > began + 40:
                raise RuntimeError(log.read_text("utf-8", "replace")[-2000:])
            time.sleep(0.1)
        follow(below(os.getpid(), leave_out=lambda _: False))
        yield
    finally:
        process.terminate()
        process.wait(20)
        end_all_of(folder)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def plain_novnc(here: chain.Chain) -> Iterator[Page1080]:
    """noVNC as it is, over websockify, at our session's X server."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        (Path(folder) / "novnc").symlink_to(NOVNC)
        (Path(folder) / "index.html").write_text(PLAIN)
        url = f"http://127.0.0.1:{port}/index.html"
        command: list[str | Path] = [BIN / "websockify", "--web", folder]
        command += [f"--unix-target={here.rfb_path}", f"127.0.0.1:{port}"]
        with served(command, folder, url):
            yield Page1080("plain noVNC over websockify", url, {})


@contextlib.contextmanager
def remote_desktop_proxy(_: chain.Chain) -> Iterator[Page1080]:
    """jupyter-remote-desktop-proxy in a Jupyter server, with the painter as its desktop."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        start = Path(folder) / "xstartup"
        start.write_text(f"#!/bin/sh\nexec {PAINT}\n")
        start.chmod(0o755)
        url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [BIN / "jupyter", "server", "--no-browser", "--allow-root"]
        command += [f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
        more = {"JUPYTER_REMOTE_DESKTOP_PROXY_XSTARTUP": str(start)}
        with served(command, folder, f"{url}/api", more):
            yield Page1080("jupyter-remote-desktop-proxy", f"{url}/desktop/", {})


@contextlib.contextmanager
def xpra(_: chain.Chain) -> Iterator[Page1080]:
    """xpra's desktop mode, seen by its own HTML5 page."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        url = f"http://127.0.0.1:{port}/"
        command = ["xpra", "start-desktop", f"--bind-tcp=127.0.0.1:{port}", "--html=on"]
        command += ["--daemon=no", "--mdns=no", "--pulseaudio=no", "--speaker=off", "--webcam=no"]
        command += ["--notifications=no", "--printing=no", "--resize-display=1920x1080"]
        command += ["--xvfb=Xvfb -screen 0 1920x1080x24+32 +extension COMPOSITE -nolisten tcp"]
        # Debian's own settings start an X session beside the program.
        alone = {"XPRA_SYSTEM_CONF_DIRS": folder, "XPRA_DEFAULT_CONF_DIRS": folder}
        with served([*command, f"--start={PAINT}"], folder, url, alone):
            yield Page1080("xpra's HTML5 client", url, {})


PEERS = {"noVNC": plain_novnc, "jupyter-remote-desktop-proxy": remote_desktop_proxy, "xpra": xpra}


def missing() -> list[str]:
    """Return the peers that are not installed here."""
    there = {
        "noVNC": (BIN / "websockify").exists(),
        "jupyter-remote-desktop-proxy": (BIN / "jupyter-server").exists()
        or (BIN / "jupyter").exists(),
        "xpra": shutil.which("xpra") is not None,
    }
    return [name for name in PEERS if not there[name]]
