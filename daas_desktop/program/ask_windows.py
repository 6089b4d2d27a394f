"""Asks windows to close, as a window manager does, or to come to the front.

Run by `closing` as a process of its own: Xlib ends the process whose X server goes away. Sources:
ICCCM 4.2.8.1 (WM_DELETE_WINDOW), EWMH (_NET_ACTIVE_WINDOW). Xlib is there where `xprop` is.
"""

import ctypes
import sys
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_int, c_long, c_ulong, c_void_p

CLIENT_MESSAGE = 33
# What a window manager listens for at the root: SubstructureNotify and SubstructureRedirect.
TO_WINDOW_MANAGER = 1 << 19 | 1 << 20
# EWMH, source indication: as if a pager did it.
BY_THE_PERSON = 2


class _ClientMessage(Structure):
    _fields_ = [
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("window", c_ulong),
        ("message_type", c_ulong),
        ("format", c_int),
        ("data", c_long * 5),
    ]


class _Event(Union):
    _fields_ = [("client", _ClientMessage), ("pad", c_long * 24)]


_ON_ERROR = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
# A window may go away before it is asked; without this Xlib ends the process.
_GO_ON = _ON_ERROR(lambda _display, _error: 0)


def ask(windows: list[int]) -> int:
    """Ask each window to close; give how many of them listen. Raises OSError without a display."""
    x, display = _connected()
    protocols = x.XInternAtom(display, b"WM_PROTOCOLS", 0)
    delete = x.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    asked = 0
    for window in windows:
        if delete not in _protocols(x, display, window):
            continue
        # 0 is CurrentTime.
        event = _event(window, protocols, delete, 0)
        x.XSendEvent(display, window, 0, 0, byref(event))
        asked += 1
    x.XCloseDisplay(display)
    return asked


def show(windows: list[int]) -> int:
    """Have the window manager bring the windows to the front, the last one foremost."""
    x, display = _connected()
    activate = x.XInternAtom(display, b"_NET_ACTIVE_WINDOW", 0)
    for window in windows:
        event = _event(window, activate, BY_THE_PERSON, 0)
        x.XSendEvent(display, x.XDefaultRootWindow(display), 0, TO_WINDOW_MANAGER, byref(event))
    x.XCloseDisplay(display)
    return len(windows)


def _connected() -> tuple[ctypes.CDLL, int]:
    x = _library()
    display = x.XOpenDisplay(None)
    if not display:
        raise OSError("there is no display")
    x.XSetErrorHandler(_GO_ON)
    return x, display


def _event(window: int, kind: int, *data: int) -> _Event:
    event = _Event()
    event.client.type = CLIENT_MESSAGE
    event.client.window = window
    event.client.message_type = kind
    event.client.format = 32
    event.client.data[: len(data)] = data
    return event


def _protocols(x: ctypes.CDLL, display: int, window: int) -> list[int]:
    atoms, count = POINTER(c_ulong)(), c_int()
    if not x.XGetWMProtocols(display, window, byref(atoms), byref(count)):
        return []
    found = list(atoms[: count.value])
    x.XFree(atoms)
    return found


def _library() -> ctypes.CDLL:
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = c_void_p
    x.XOpenDisplay.argtypes = [c_char_p]
    x.XCloseDisplay.argtypes = [c_void_p]
    x.XDefaultRootWindow.argtypes = [c_void_p]
    x.XDefaultRootWindow.restype = c_ulong
    x.XFree.argtypes = [c_void_p]
    x.XInternAtom.restype = c_ulong
    x.XInternAtom.argtypes = [c_void_p, c_char_p, c_int]
    x.XSetErrorHandler.argtypes = [_ON_ERROR]
    x.XSendEvent.argtypes = [c_void_p, c_ulong, c_int, c_long, c_void_p]
    x.XGetWMProtocols.argtypes = [
        c_void_p,
        c_ulong,
        POINTER(POINTER(c_ulong)),
        POINTER(c_int),
    ]
    return x


if __name__ == "__main__":
    do = {"ask": ask, "show": show}[sys.argv[1]]
    print(do([int(window, 16) for window in sys.argv[2:]]))  # noqa: T201
