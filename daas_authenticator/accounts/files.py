"""Accounts in two files: for the demo and for trainings, where nobody is added to the machine."""

from pathlib import Path, PurePosixPath

from daas_authenticator.accounts.lookup import DirectoryFault
from daas_model.people import Account


class FilesDirectory:
    """Files `passwd` and `group` of *folder*, in the format of passwd(5), group(5).

    A `Directory`; the files are read at each look-up.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def account(self, name: str) -> Account:
        """Return the account called *name*."""
        fields = next((f for f in self._lines("passwd", 7) if f[0] == name), None)
        if fields is None:
            raise KeyError("no such name")
        uid, gid = int(fields[2]), int(fields[3])
        groups = {
            group[0]: int(group[2])
            for group in self._lines("group", 4)
            if name in group[3].split(",") or int(group[2]) == gid
        }
        return Account(name, uid, gid, groups, PurePosixPath(fields[5]))

    def names_of(self, uid: int) -> frozenset[str]:
        """Return the names that own *uid*."""
        return frozenset(fields[0] for fields in self._lines("passwd", 7) if int(fields[2]) == uid)

    def _lines(self, file: str, fields: int) -> list[list[str]]:
        lines = [
            line.split(":")
            for line in (self._folder / file).read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")
        ]
        if any(len(line) != fields for line in lines):
            raise DirectoryFault(f"a line of the file {file} has not {fields} fields")
        return lines
