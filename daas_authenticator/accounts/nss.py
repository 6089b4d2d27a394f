"""The accounts of this machine, from its name service (files, SSSD, LDAP): the default source."""

import grp
import os
import pwd
from pathlib import PurePosixPath

from daas_model.people import Account


class NssDirectory:
    """What `getent passwd` and `id` say. A `Directory`."""

    def account(self, name: str) -> Account:
        """Return the account called *name*."""
        entry = pwd.getpwnam(name)
        groups: dict[str, int] = {}
        for gid in os.getgrouplist(name, entry.pw_gid):
            try:
                groups[grp.getgrgid(gid).gr_name] = gid
            except KeyError:
                # A file server may know a number that has no name here.
                if gid != entry.pw_gid:
                    groups[str(gid)] = gid
        home = PurePosixPath(entry.pw_dir)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, home)

    def names_of(self, uid: int) -> frozenset[str]:
        """Return the one name that the C library gives for *uid*."""
        return frozenset({pwd.getpwuid(uid).pw_name})
