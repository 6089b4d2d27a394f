"""The session's own directory of people: this person, her groups, and nobody else. Pure."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from daas_model.people import Account


def people_files(account: Account, home: PurePosixPath, with_root: bool) -> Mapping[str, str]:
    """Return small texts by the path at which the session sees them.

    *with_root* names the machine's root, which a user namespace does not have.
    """
    groups = {gid: name for name, gid in account.groups.items()}
    groups.setdefault(account.gid, account.name)
    lines = [f"{name}:x:{gid}:{account.name}" for gid, name in sorted(groups.items())]
    root = "root:x:0:0:root:/root:/usr/sbin/nologin\n" if with_root else ""
    return {
        "/etc/passwd": f"{root}{account.name}:x:{account.uid}:{account.gid}::{home}:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "/etc/group": "\n".join(["root:x:0:", *lines, "nogroup:x:65534:", ""]),
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    }
