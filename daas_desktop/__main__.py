"""The command line: `serve` for the hub's spawner, `tile` for JupyterLab, `try` for building apps.

The order of the start is the point of this module: X server first, then the program, while
tornado is still being imported in the background.
"""

import argparse
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from daas_desktop.picture.display import DesktopError, Display
from daas_desktop.program.graphics import graphical
from daas_desktop.program.opening import FILE, Opens
from daas_desktop.program.process import Program

INHERITED_FD = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one desktop until it is told to stop; give the exit status."""
    options = _parser().parse_args(arguments)
    if options.how in ("try", "show"):
        return _try(options)
    if options.how == "serve" and os.environ.get("LISTEN_FDS") != "1":
        print("daas-desktop serve takes its socket from the spawner.", file=sys.stderr)  # noqa: T201
        return 2
    if options.how == "tile" and not os.path.isabs(options.socket):
        # It has no sign-in of its own: JupyterLab's door must be the only way to it.
        print("daas-desktop tile listens on a unix socket only: give a path.", file=sys.stderr)  # noqa: T201
        return 2
    try:
        display = Display(os.environ)
        # Importing takes longer than the X server needs; neither waits for the other.
        importing = threading.Thread(target=_import_server)
        importing.start()
        display.wait()
        display.start_window_manager()
    except DesktopError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    command = graphical(options.command, display.environment)
    opens = Opens(tuple(options.opens), tuple(options.file_argument) or (FILE,))
    program = Program(options.title, command, display.environment, opens)
    program.start()
    importing.join()
    from daas_desktop import server  # noqa: PLC0415

    desktop = {
        "display": display,
        "program": program,
        "env": os.environ,
        "icon": options.icon,
        "hub": options.how == "serve",
    }
    try:
        return server.run(desktop, _listener(options))
    finally:
        program.close()
        display.close()


def _try(options: argparse.Namespace) -> int:
    from daas_desktop.try_out import show, try_out  # noqa: PLC0415  no session needs it

    try:
        if options.how == "show":
            return show(options.command)
        return try_out(options.command, options.image, options.port)
    except DesktopError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1


def _import_server() -> None:
    import daas_desktop.server  # noqa: F401, PLC0415


def _listener(options: argparse.Namespace) -> socket.socket:
    if options.how == "serve":
        return socket.socket(fileno=INHERITED_FD)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # JupyterLab's proxy starts a tile that died again, with the same path.
    Path(options.socket).unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(options.socket)
    finally:
        os.umask(mask)
    listener.listen()
    return listener


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="daas-desktop", description=__doc__)
    ways = parser.add_subparsers(dest="how", required=True)
    for name, about in (
        ("serve", "a session of the hub, on the socket inherited as descriptor 3"),
        ("tile", "a tile of JupyterLab's launcher, on a unix socket in a private directory"),
    ):
        way = ways.add_parser(name, help=about)
        way.add_argument("--title", required=True, help="the app's name, e.g. PyMca")
        way.add_argument("--icon", default="", help="the app's icon, an SVG or PNG file")
        way.add_argument("--opens", action="append", default=[], help="an ending, e.g. .h5")
        way.add_argument("--file-argument", action="append", default=[], help="e.g. {file}")
        if name == "tile":
            way.add_argument("--socket", required=True, help="where to listen")
        way.add_argument("command", nargs="+", help="the program, after --")
    way = ways.add_parser("try", help="a program in a browser with no hub, by websockify")
    way.add_argument("--image", default="", help="run it in this image, e.g. daas/pymca:0.1.0")
    way.add_argument("--port", type=int, default=6080, help="on this machine's own address")
    way.add_argument("command", nargs="+", help="an app's folder (images/pymca), or -- COMMAND")
    way = ways.add_parser("show", help="what `try` calls in a container")
    way.add_argument("command", nargs="+", help="the program, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
