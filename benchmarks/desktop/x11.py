"""As much of Xlib and its shared-memory extension as the painter needs (Xlib manual; MIT-SHM)."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY_PRESS, EXPOSE = 2, 12
_KEY_PRESS_MASK, _EXPOSURE_MASK = 1, 1 << 15
_Z_PIXMAP = 2
_IPC_CREAT = 0o1000


class _Segment(ctypes.Structure):
    """XShmSegmentInfo."""

    _fields_ = (
        ("shmseg", ctypes.c_ulong),
        ("shmid", ctypes.c_int),
        ("shmaddr", ctypes.c_void_p),
        ("read_only", ctypes.c_int),
    )


class _KeyEvent(ctypes.Structure):
    """The first member of XKeyEvent; the space behind is that of any XEvent."""

    _fields_ = (("type", ctypes.c_int), ("rest", ctypes.c_char * 188))


class Screen:
    """One window on the display of the environment."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.x: Any = ctypes.CDLL("libX11.so.6")
        self.shm: Any = ctypes.CDLL("libXext.so.6")
        for call in (self.x.XOpenDisplay, self.x.XDefaultVisual, self.shm.XShmCreateImage):
            call.restype = ctypes.c_void_p
        for call in (self.x.XCreateSimpleWindow, self.x.XDefaultRootWindow, self.x.XLookupKeysym):
            call.restype = ctypes.c_ulong
        self.x.XCreateGC.restype = ctypes.c_void_p
        self.display = ctypes.c_void_p(self.x.XOpenDisplay(None))
        root = ctypes.c_ulong(self.x.XDefaultRootWindow(self.display))
        self.window = ctypes.c_ulong(
            self.x.XCreateSimpleWindow(self.display, root, 0, 0, width, height, 0, 0, 0)
        )
        self.x.XStoreName(self.display, self.window, title.encode())
        self.x.XSelectInput(self.display, self.window, _KEY_PRESS_MASK | _EXPOSURE_MASK)
        self.gc = ctypes.c_void_p(self.x.XCreateGC(self.display, self.window, 0, None))

    def show(self) -> None:
        """Put the window on the screen and give it the keyboard."""
        self.x.XMapWindow(self.display, self.window)
        while self.event()[0] != EXPOSE:
            pass
        self.x.XSetInputFocus(self.display, self.window, 1, 0)

    def event(self) -> tuple[int, int]:
        """Wait for an event; return its kind and, for a key, its keysym."""
        event = _KeyEvent()
        self.x.XNextEvent(self.display, ctypes.byref(event))
        key = self.x.XLookupKeysym(ctypes.byref(event), 0) if event.type == KEY_PRESS else 0
        return event.type, key

    def pending(self) -> bool:
        """Say whether an event waits."""
        return bool(self.x.XPending(self.display))

    def image(self, pixels: NDArray[np.uint32]) -> ctypes.c_void_p:
        """Return an image that the X server shares, with these pixels."""
        libc: Any = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        height, width = pixels.shape
        segment = _Segment(0, libc.shmget(0, pixels.nbytes, _IPC_CREAT | 0o600), None, 0)
        segment.shmaddr = libc.shmat(segment.shmid, None, 0)
        ctypes.memmove(segment.shmaddr, np.ascontiguousarray(pixels).ctypes.data, pixels.nbytes)
        screen = self.x.XDefaultScreen(self.display)
        visual = ctypes.c_void_p(self.x.XDefaultVisual(self.display, screen))
        depth = self.x.XDefaultDepth(self.display, screen)
        data = ctypes.c_void_p(segment.shmaddr)
        image = self.shm.XShmCreateImage(
            self.display, visual, depth, _Z_PIXMAP, data, ctypes.byref(segment), width, height
        )
        self.shm.XShmAttach(self.display, ctypes.byref(segment))
        self.sync()
        libc.shmctl(segment.shmid, 0, None)  # gone with its last user
        self._segments = [*getattr(self, "_segments", []), segment]
        return ctypes.c_void_p(image)

    def put(
        self,
        image: ctypes.c_void_p,
        source: tuple[int, int],
        target: tuple[int, int],
        size: tuple[int, int],
    ) -> None:
        """Copy a part of an image to the window."""
        self.shm.XShmPutImage(self.display, self.window, self.gc, image, *source, *target, *size, 0)

    def fill(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """Fill a rectangle."""
        self.x.XSetForeground(self.display, self.gc, ctypes.c_ulong(colour))
        self.x.XFillRectangle(self.display, self.window, self.gc, x, y, width, height)

    def flush(self) -> None:
        """Send what was drawn."""
        self.x.XFlush(self.display)

    def sync(self) -> None:
        """Return once the X server has drawn everything."""
        self.x.XSync(self.display, 0)
