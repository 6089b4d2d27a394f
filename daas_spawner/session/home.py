"""Looks at a person's home before it is mounted, as the person herself.

Called by the process that the session hangs on: as root a file server would trust nobody with it.
"""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

#: What `keeper.py` turns into a sentence.
NO_HOME = "is no usable home"

_USABLE = 'test -O "$1" && test -w "$1" && test -x "$1"'


def check_home(home: str, account: Mapping[str, int]) -> None:
    """Raise `OSError` with this module's word unless *home* is usable by *account*.

    *account* has `uid` and `gid`.
    """
    parent, name = os.path.split(home.rstrip("/"))
    try:
        # A path may lead through folders that only root may pass, so root goes first.
        usable = not os.path.islink(home) and _as_person(account, home, ".")
    except PermissionError:
        # But a file server may let everybody into a home except root.
        usable = _as_person(account, parent, name)
    except OSError:
        usable = False
    if not usable:
        raise OSError(0, NO_HOME, home)


def _as_person(account: Mapping[str, int], start: str, home: str) -> bool:
    """Look at the home as the person, from the folder *start*. Raises `OSError`."""
    become: dict[str, Any] = {}
    if os.geteuid() == 0:
        become = {"user": account["uid"], "group": account["gid"], "extra_groups": []}
    argv = ["/bin/sh", "-c", _USABLE, "home", f"./{home}"]
    return not subprocess.call(argv, cwd=start, umask=0o077, stderr=subprocess.DEVNULL, **become)
