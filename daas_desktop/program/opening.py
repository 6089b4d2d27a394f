"""Which files a program opens, and with which arguments: what its app's file says.

Made by `__main__` from the command line, asked by the page's list of files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FILE = "{file}"


@dataclass(frozen=True, slots=True)
class Opens:
    """The endings of names, in small letters with their dot, and what follows the command."""

    endings: tuple[str, ...] = ()
    arguments: tuple[str, ...] = (FILE,)

    def fits(self, name: str) -> bool:
        """Say whether the program opens a file of this name."""
        return name.lower().endswith(self.endings) if self.endings else False

    def arguments_for(self, path: str) -> Sequence[str]:
        """Give what follows the command to open the file at *path*."""
        return [argument.replace(FILE, path) for argument in self.arguments]


#: Of a program that is given none.
NO_FILES = Opens()
