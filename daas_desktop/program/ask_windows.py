"""Asks windows to close, as a window manager does, and says how many could be asked.

Run by `closing` as a process of its own: Xlib ends the process whose X server goes away. Source:
ICCCM 4.2.8.1 (WM_DELETE_WINDOW). Xlib is there where `xprop` is.
"""

import ctypes
import sys
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_int, c_long, c_ulong, c_void_p

CLIENT_MESSAGE = 33


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
    x = _library()
    display = x.XOpenDisplay(None)
    if not display:
        raise OSError("there is no display")
    x.XSetErrorHandler(_GO_ON)
    protocols = x.XInternAtom(display, b"WM_PROTOCOLS", 0)
    delete = x.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    asked = 0
    for window in windows:
        if delete not in _protocols(x, display, window):
            continue
        event = _Event()
        event.client.type = CLIENT_MESSAGE
        event.client.window = window
        event.client.message_type = protocols
        event.client.format = 32
        # 0 is CurrentTime.
        event.client.data[0], event.client.data[1] = delete, 0
        x.XSendEvent(display, window, 0, 0, byref(event))
        asked += 1
    x.XCloseDisplay(display)
    return asked


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
    print(ask([int(window, 16) for window in sys.argv[1:]]))  # noqa: T201
