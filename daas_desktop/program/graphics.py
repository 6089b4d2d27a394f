"""Which way a program's OpenGL goes: by the graphics card, or painted by the processor.

Called by `__main__` before the program is started. The X server has no graphics card: OpenGL in
it is Mesa's llvmpipe, everywhere. With VirtualGL's `vglrun` a program draws on the card, and the
picture is copied.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

DEV = Path("/dev")


def with_graphics(
    command: Sequence[str], environment: Mapping[str, str], card: bool, vglrun: str | None
) -> list[str]:
    """Give the command as it is to be run.

    It goes by the graphics card when its app's file asks for one (DAAS_GPU), a *card* is there and
    the image has *vglrun*; a program that only computes on the card needs nothing of this.
    """
    if environment.get("DAAS_GPU") == "1" and card and vglrun:
        # EGL: no X server on the card is needed.
        return [vglrun, "-d", "egl", *command]
    return list(command)


def has_card(dev: Path = DEV) -> bool:
    """Say whether this session was given a graphics card that can draw."""
    return any(dev.glob("dri/renderD*")) or any(dev.glob("nvidia[0-9]*"))


def graphical(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Give the command as it is to be run here; one that is missing is to be missed as it is."""
    path = environment.get("PATH")
    if shutil.which(command[0], path=path) is None:
        return list(command)
    return with_graphics(command, environment, has_card(), shutil.which("vglrun", path=path))
