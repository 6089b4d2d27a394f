"""The X server with its window manager: started before anything else, ended with us.

Called by `__main__` before tornado is imported, so that the X server comes up meanwhile; only
small modules of the standard library are imported here, and one of ours.
"""

import os
import select
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from daas_desktop.picture.clipboard import clipboard_switch, x_parameters

GEOMETRY = "1920x1080"
# What vncconfig may change while it runs: more, and any program could turn the clipboard on again.
MAY_CHANGE = "desktop,FrameRate"
READY_WITHIN_S = 15
END_WITHIN_S = 2
# The application needs no key to the hub; what it does not have it cannot leak.
_OURS_ONLY = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "LISTEN_FDS", "LISTEN_PID")


class DesktopError(Exception):
    """The desktop cannot be started; the text says what to do."""


def dies_with_us(command: Sequence[str]) -> list[str]:
    """Give the command such that the kernel ends it when this process is gone."""
    guard = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
    return [*guard, *command]


class Display:
    """One X server; `environment` is what its programs need, `rfb_path` where it paints."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.directory = _private_directory(environment)
        self.rfb_path = str(self.directory / "rfb")
        self._authority = self.directory / "Xauthority"
        self._log = self.directory / "x.log"
        self._base = {k: v for k, v in environment.items() if k not in _OURS_ONLY}
        self._wm: subprocess.Popen[bytes] | None = None
        self._x: subprocess.Popen[bytes] | None = None
        _write_cookie(self._authority)
        self._number_fd, number_to_us = os.pipe()
        try:
            self._x = self._start_x(number_to_us)
        except FileNotFoundError:
            self.close()
            raise DesktopError("Xtigervnc is missing: install TigerVNC in the image.") from None
        finally:
            os.close(number_to_us)

    def _start_x(self, number_to_us: int) -> subprocess.Popen[bytes]:
        command = [
            "Xtigervnc",
            *("-displayfd", str(number_to_us), "-auth", str(self._authority)),
            *("-rfbunixpath", self.rfb_path, "-rfbunixmode", "0600", "-rfbport", "-1"),
            *("-SecurityTypes", "None", "-nolisten", "tcp", "-noreset"),
            *("-AlwaysShared", "-AcceptSetDesktopSize", "-geometry", GEOMETRY, "-depth", "24"),
            *("-AllowOverride", MAY_CHANGE),
            *x_parameters(clipboard_switch(self._base)),
        ]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                dies_with_us(command),
                env=self._base,
                pass_fds=(number_to_us,),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Return once programs can connect; raise DesktopError if that never happens."""
        number = self._read_number()
        if not number:
            last = self.last_words()
            self.close()
            raise DesktopError(f"The X server did not start: {last}")
        self.environment = {
            **self._base,
            "DISPLAY": f":{number}",
            "XAUTHORITY": str(self._authority),
        }

    def _read_number(self) -> str:
        """Read a whole line: the X server writes its end apart, and dies if nobody takes it."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._number_fd], [], [], READY_WITHIN_S)
            part = os.read(self._number_fd, 16) if ready else b""
            if not part:
                break
            line += part
        os.close(self._number_fd)
        return line.decode().strip()

    def start_window_manager(self) -> None:
        """Start the window manager that gives the main window the whole screen.

        An image whose program is a whole desktop says that it brings its own.
        """
        if self._base.get("DAAS_OWN_WINDOW_MANAGER") == "1":
            return
        try:
            self._wm = subprocess.Popen(
                dies_with_us(["matchbox-window-manager", "-use_titlebar", "no"]),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            self.close()
            raise DesktopError(
                "matchbox-window-manager is missing: install it in the image."
            ) from None

    def keep_window_manager(self) -> None:
        """Start the window manager again if it has ended: without it no window fills the screen."""
        if self._wm is not None and self._wm.poll() is not None:
            self.start_window_manager()

    def alive(self) -> bool:
        """Say whether the X server runs; without it there is no session."""
        return self._x is not None and self._x.poll() is None

    def last_words(self) -> str:
        """Give the end of the X server's log."""
        return " ".join(self._log.read_text(errors="replace").strip().splitlines()[-3:])

    def close(self) -> None:
        """End window manager and X server and remove their files."""
        for process in (self._wm, self._x):
            if process is not None:
                end(process)
        shutil.rmtree(self.directory, ignore_errors=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it if it does not."""
    process.terminate()
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _private_directory(environment: Mapping[str, str]) -> Path:
    """Make a directory of our own; a unix socket's path has only 107 bytes."""
    for parent in (environment.get("XDG_RUNTIME_DIR", ""), "/tmp"):  # noqa: S108
        path = Path(parent, f"daas-{os.urandom(6).hex()}")
        if parent and len(bytes(path)) < 90:
            path.mkdir(mode=0o700)
            return path
    raise DesktopError("There is no place for the desktop's socket.")


def _write_cookie(path: Path) -> None:
    """Write an Xauthority file that fits any display number (Xau: FamilyWild, empty number)."""
    name, cookie = b"MIT-MAGIC-COOKIE-1", os.urandom(16)
    fields = b"".join(struct.pack(">H", len(f)) + f for f in (b"", b"", name, cookie))
    path.touch(mode=0o600)
    path.write_bytes(b"\xff\xff" + fields)
