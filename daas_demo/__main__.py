"""`make demo`: prepare the demo, run the hub, end everything.

The hub runs beside this process, not under the terminal, so that Ctrl-C reaches us first and
the sessions are ended in order. A hub that ends by itself is started again, as a service would
be; sessions are not lost by that.
"""

import argparse
import fcntl
import hashlib
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from daas_demo import leftovers
from daas_demo.prepare import MissingMeasurement, hub_secrets, prepare
from daas_spawner import weaknesses
from daas_spawner.containers.leftovers import end_all

REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAMS = ("bwrap", "setpriv", "Xtigervnc", "matchbox-window-manager", "xprop")
READY_SECONDS = 60.0
#: What the hub takes from the caller's environment.
PASSED_ON = ("PATH", "LANG", "HOME", "DAAS_DEMO_ENGINE")
MOST_RESTARTS = 3  # of a hub that ends by itself, within a minute


class CannotRun(Exception):
    """Why the demo cannot run here, and what to do."""


def main() -> int:
    """Run the demo until Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=port_number, default=8000, help="port on 127.0.0.1")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".demo", help="its data")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT may be inherited as ignored
        signal.signal(number, _interrupt)
    folder: Path = options.folder.resolve()
    run = run_folder(folder)
    lock: int | None = None
    try:
        lock = claim(folder)
        make_private(run)
        check(options.port, run)
        prepare(folder, REPOSITORY / ".session-env", REPOSITORY / ".node" / "wheels")
        environment = hub_environment(options.port, folder, run)
        hub = start_hub(environment, folder)
        wait_ready(hub, options.port, folder)
        print(f"\n  The portal is at  http://127.0.0.1:{options.port}\n", flush=True)
        print(f"  Ctrl-C ends it. Homes and processed data are kept in {folder}/", flush=True)
        for weakness in weaknesses():
            print(f"  Mind: {weakness}", flush=True)
        keep(hub, environment, folder)
    except (CannotRun, MissingMeasurement) as problem:
        print(f"The demo cannot run: {problem}", file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"The demo cannot run: {problem.strerror}: {problem.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnding the sessions and the hub…", flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lock is not None:
            leftovers.end(run)
            if "DAAS_DEMO_ENGINE" in os.environ:
                end_all(os.environ["DAAS_DEMO_ENGINE"], run)
            shutil.rmtree(run, ignore_errors=True)
    return 0


def port_number(text: str) -> int:
    """Return *text* as a port. Raises `ArgumentTypeError` with what a port is."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; choose one from 1024 to 65535")
    return int(text)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def claim(folder: Path) -> int:
    """Hold the demo's folder for this process; the kernel lets go when it ends.

    Returns the lock's descriptor. Raises `CannotRun` when another demo holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise CannotRun(
            f"another one runs already with the data in {folder}. End that one first, with Ctrl-C."
        ) from error
    return lock


def run_folder(folder: Path) -> Path:
    """Return where the sockets of the demo in *folder* go: short, in lower case, its own."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        return Path(f"/run/daas-{name}")
    return Path(tempfile.gettempdir()) / f"daas-{os.getuid()}-{name}"


def make_private(run: Path) -> None:
    """Make the folder *run*, readable by its owner only. Raises `CannotRun`."""
    run.mkdir(mode=0o700, exist_ok=True)
    if run.is_symlink() or run.lstat().st_uid != os.getuid():
        raise CannotRun(f"{run} belongs to somebody else. Remove it, then try again.")
    run.chmod(0o700)


def check_engine() -> None:
    """See that the engine that the caller named is there. Raises `CannotRun`."""
    address = os.environ.get("DAAS_DEMO_ENGINE")
    if address is None:
        return
    path = address.removeprefix("unix://")
    if path == address or not path.startswith("/"):
        raise CannotRun("DAAS_DEMO_ENGINE must be a socket, such as unix:///run/docker.sock.")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise CannotRun(
                f"no engine answers at {path} ({error.strerror}). Start it, or leave "
                "DAAS_DEMO_ENGINE out."
            ) from error


def check(port: int, run: Path) -> None:
    """End what an earlier run left, then see that everything needed is here.

    Raises `CannotRun` with what to do.
    """
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        raise CannotRun(f"{', '.join(missing)} not found. Run `make packages`.")
    leftovers.end(run)
    check_engine()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            other = port % 65535 + 1
            raise CannotRun(
                f"port {port} is taken or not allowed. Choose another: make demo PORT={other}"
            ) from error


def hub_environment(port: int, folder: Path, run: Path) -> dict[str, str]:
    """Return the environment in which the hub starts."""
    state = folder / "state"
    node = (REPOSITORY / ".node" / "node").resolve()
    proxy = REPOSITORY / ".node" / "proxy.mjs"
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        **hub_secrets(state),
        "DAAS_RUN": str(run),
        "DAAS_STATE": str(state),
        "DAAS_URL": f"http://127.0.0.1:{port}/",
        "DAAS_HOSTING": "paths",
        "DAAS_PROXY": shlex.join([str(node), str(proxy)]),
        "DAAS_SETTINGS": str(REPOSITORY / "daas_demo" / "settings.py"),
        "DAAS_DEMO_FOLDER": str(folder),
        "DAAS_DEMO_CLIENT_SECRET": secrets.token_urlsafe(32),
    }


def start_hub(environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """Start the hub; its log goes to `hub.log` in *folder*."""
    descriptor = os.open(folder / "hub.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(REPOSITORY / "jupyterhub_config.py")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_ready(hub: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Wait until the portal answers. Raises `CannotRun`."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if hub.poll() is not None:
            break
        try:
            health = f"http://127.0.0.1:{port}/services/portal/static/icon.svg"
            with urllib.request.urlopen(health, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise CannotRun(f"the hub did not start. Its last words are in {folder / 'hub.log'}")


def keep(hub: subprocess.Popen[bytes], environment: dict[str, str], folder: Path) -> None:
    """Wait for Ctrl-C; start the hub again when it ends by itself, but not for ever."""
    endings: list[float] = []
    while True:
        hub.wait()
        endings = [end for end in endings if end > time.monotonic() - 60] + [time.monotonic()]
        if len(endings) > MOST_RESTARTS:
            raise CannotRun(f"the hub keeps ending. Its last words are in {folder / 'hub.log'}")
        print("  The hub ended and is started again; sessions keep running.", flush=True)
        hub = start_hub(environment, folder)


if __name__ == "__main__":
    raise SystemExit(main())
