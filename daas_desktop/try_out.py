"""`daas-desktop try`: an app's program in a browser with no hub, for whoever builds its image.

Called by `__main__`. The picture goes through websockify, which has no sign-in and no flow control:
on this machine's own address, and for one's own eyes only. Sessions go another way (decision 0055).
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from daas_desktop.picture.display import READY_WITHIN_S, DesktopError, Display, dies_with_us, end

PAGE = Path(__file__).parent / "page"
FILES = ("try/index.html", "try/try.js", "novnc.js")
#: Our images' own person, where the one who tries is root.
PERSON = 10000
INSIDE = "/run/try"


def try_out(target: Sequence[str], image: str, port: int) -> int:
    """Show a program until it ends or Ctrl+C is pressed; give its exit status.

    *target* is a command, or an app's folder with its `app.yaml`. With *image* it runs in a
    container of it, without network. Raises DesktopError.
    """
    command, environment = _app(target)
    if importlib.util.find_spec("websockify") is None:
        raise DesktopError("websockify is missing: pip install websockify.")
    # Also where a shell has started it in the background, with the first of them ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="daas-try-") as name:
        folder = Path(name)
        program = (
            _in_image(image, command, folder, environment) if image else _here(command, environment)
        )
        with program as (process, rfb), _websockify(folder, rfb, port):
            print(  # noqa: T201  the command's own words
                f"{command[0]} is at http://127.0.0.1:{port}/ until it ends or Ctrl+C is pressed. "
                "There is no sign-in: everybody on this machine can see it.",
                flush=True,
            )
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()
    return 0


def _app(target: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Give the command, and the variables that an app's file adds for its desktop."""
    file = Path(target[0], "app.yaml")
    if not file.is_file():
        if os.path.isdir(target[0]):
            raise DesktopError(f"{target[0]} has no app.yaml.")
        return list(target), {}
    try:
        import yaml  # noqa: PLC0415  only who builds apps has it
    except ImportError:
        raise DesktopError(
            "PyYAML is missing: pip install PyYAML, or give the command itself."
        ) from None
    try:
        app = yaml.safe_load(file.read_text())
        words = [str(word) for word in app["command"]]
        desktop = app.get("desktop") or {}
        environment = {str(k): str(v) for k, v in (desktop.get("environment") or {}).items()}
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise DesktopError(f"{file} names no command: {error}") from None
    if desktop.get("windows") == "own":
        environment["DAAS_OWN_WINDOW_MANAGER"] = "1"
    return [*words, *target[1:]], environment


@contextlib.contextmanager
def _here(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    if shutil.which(command[0]) is None:
        path = "/" in command[0]
        raise DesktopError(
            f"There is no {command[0]}." if path else f"{command[0]} is not installed here."
        )
    display = Display({**os.environ, **environment})
    try:
        display.wait()
        display.start_window_manager()
        process = subprocess.Popen(dies_with_us(command), env=display.environment)
        try:
            yield process, Path(display.rfb_path)
        finally:
            end(process)
    finally:
        display.close()


@contextlib.contextmanager
def _in_image(
    image: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run the program with its X server in a container; the picture's socket is seen from here."""
    # As `make images` has it.
    wanted = os.environ.get("ENGINE")
    engine = shutil.which(wanted) if wanted else shutil.which("docker") or shutil.which("podman")
    if engine is None:
        raise DesktopError(f"{wanted or 'docker'} is not installed here.")
    shared = folder / "run"
    shared.mkdir(mode=0o700)
    person = os.getuid() or PERSON
    os.chown(shared, person, -1)
    name = folder.name
    run = [engine, "run", "--rm", "--init", "--name", name, "--network", "none"]
    run += ["--user", f"{person}:{os.getgid() or PERSON}", "--env", f"XDG_RUNTIME_DIR={INSIDE}"]
    for name_of, text in environment.items():
        run += ["--env", f"{name_of}={text}"]
    run += ["--env", "HOME=/tmp", "--volume", f"{shared}:{INSIDE}"]
    run += ["--entrypoint", "daas-desktop", image, "show", "--", *command]
    process = subprocess.Popen(run, start_new_session=True)
    try:
        yield process, _wait_for_socket(process, shared)
    finally:
        subprocess.run([engine, "stop", "--time", "3", name], capture_output=True, check=False)
        process.wait()


def _wait_for_socket(process: subprocess.Popen[bytes], folder: Path) -> Path:
    until = time.monotonic() + 2 * READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        for socket in folder.glob("daas-*/rfb"):
            return socket
        time.sleep(0.05)
    raise DesktopError("The image shows no picture: is it made from daas/desktop?")


@contextlib.contextmanager
def _websockify(folder: Path, rfb: Path, port: int) -> Iterator[None]:
    web = folder / "web"
    web.mkdir()
    for file in FILES:
        (web / Path(file).name).symlink_to(PAGE / file)
    command = [sys.executable, "-m", "websockify", "--web", str(web), "--unix-target", str(rfb)]
    log = folder / "websockify.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            dies_with_us([*command, f"127.0.0.1:{port}"]), stdout=output, stderr=output
        )
    try:
        _wait_until_it_listens(process, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise DesktopError(f"websockify has ended: {' '.join(last)}")
        if "proxying from" in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise DesktopError("websockify does not listen.")


def show(command: Sequence[str]) -> int:
    """Run a program with its X server and nothing else: what `try` calls in a container."""
    stop = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with _here(command, {}) as (process, _):
            return process.wait()
    finally:
        signal.signal(signal.SIGTERM, stop)
