"""Looks at a person's home before it is mounted, as the person herself.

Called by the process that the session hangs on: as root a file server would trust nobody with it.
"""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

#: What `keeper.py` turns into a sentence.
NO_HOME = "is no usable home"

_USABLE = "test -O . && test -w . && test -x ."


def check_home(home: str, account: Mapping[str, int]) -> None:
    """Raise `OSError` with this module's word unless *home* is usable by *account*.

    *account* has `uid` and `gid`. The home is entered before the rights are given up: a path to it
    may lead through folders that only root may pass.
    """
    become: dict[str, Any] = {}
    if os.geteuid() == 0:
        become = {"user": account["uid"], "group": account["gid"], "extra_groups": []}
    argv = ["/bin/sh", "-c", _USABLE]
    try:
        usable = not os.path.islink(home) and not subprocess.call(
            argv, cwd=home, umask=0o077, stderr=subprocess.DEVNULL, **become
        )
    except OSError:
        usable = False
    if not usable:
        raise OSError(0, NO_HOME, home)
