"""Looks at a person's home before it is mounted, as the person herself.

Called by the process that the session hangs on: as root a file server would trust nobody with it.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

# What `keeper.py` turns into sentences.
NO_HOME = "is no usable home"
IN_THE_WAY = "is in the way"

# Docker gives what it mounts there the folder's mode, and root as its owner.
_MAKE = 'mkdir -p -- "$1" && test ! -L "$1" && chmod 0755 -- "$1"'
_USABLE = "test -O . && test -w . && test -x ."


def prepare_home(home: str, own_folders: Sequence[str], account: Mapping[str, int]) -> None:
    """Check *home*, and make the folders in it that are mounted over.

    *account* has `uid` and `gid`. Raises `OSError` with one of this module's words.
    """
    if os.path.islink(home) or not _as_person(account, home, "/bin/sh", "-c", _USABLE):
        raise OSError(0, NO_HOME, home)
    for path in own_folders:
        parent, name = os.path.split(path)
        _as_person(account, parent, "/bin/sh", "-c", _MAKE, "make", name)
        if os.path.islink(path) or not os.path.isdir(path):
            raise OSError(0, IN_THE_WAY, path)


def _as_person(account: Mapping[str, int], home: str, *argv: str) -> bool:
    """Run a program as the person in her home.

    The home is entered before the rights are given up: a path to it may lead through folders
    that only root may pass.
    """
    become: dict[str, Any] = {}
    if os.geteuid() == 0:
        become = {"user": account["uid"], "group": account["gid"], "extra_groups": []}
    try:
        done = subprocess.run(
            argv, check=False, cwd=home, umask=0o077, stderr=subprocess.DEVNULL, **become
        )
    except OSError:
        return False
    return done.returncode == 0
