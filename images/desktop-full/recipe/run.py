"""Proves that the full desktop works, unattended: starts it and counts its programs on the screen.

The background and the panel come by themselves; a file manager and a terminal are opened, as a
person would. Run it with the Python of the image: `python run.py`. Ends with 0 when all four have a
window.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping

from daas_desktop.picture.display import Display
from daas_desktop.program.windows import client_windows

FIRST = {"Xfdesktop", "Xfce4-panel"}
THEN = {"Thunar": ["thunar", "/"], "Xfce4-terminal": ["xfce4-terminal"]}
WITHIN_S = 30.0


def xprop(environment: Mapping[str, str], *arguments: str) -> str:
    """Give what `xprop` says; a window that has gone says nothing."""
    asked = ["xprop", *arguments]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def programs(environment: Mapping[str, str]) -> set[str]:
    """Name the programs that have windows, by their class."""
    windows = client_windows(xprop(environment, "-root", "_NET_CLIENT_LIST")) or ()
    classes = (xprop(environment, "-id", window, "WM_CLASS") for window in windows)
    return {found[1] for text in classes if (found := re.search(r'"([^"]+)"$', text.strip()))}


def wait_for(expected: set[str], environment: Mapping[str, str]) -> int:
    """Wait until these programs have windows; give how many of them have in the end."""
    deadline = time.monotonic() + WITHIN_S
    while not expected <= programs(environment) and time.monotonic() < deadline:
        time.sleep(0.2)
    return len(expected & programs(environment))


def main() -> int:
    """Start the desktop and its programs, print what was found, return the exit status."""
    display = Display(os.environ)
    display.wait()
    environment = display.environment
    silent = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    session = subprocess.Popen(["dbus-run-session", "--", "xfce4-session"], **silent)
    wait_for(FIRST, environment)
    for program in THEN.values():
        subprocess.Popen(["dbus-run-session", "--", *program], **silent)
    expected = FIRST | set(THEN)
    found = wait_for(expected, environment)
    session.terminate()
    display.close()
    good = found == len(expected)
    print(f"programs: {found}, expected {len(expected)}: {'good' if good else 'WRONG'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
