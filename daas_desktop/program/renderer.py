"""Says who paints OpenGL in this session: `python -m daas_desktop.program.renderer`.

A program as others are: it asks the X server it finds for a context (GLX 1.3) and the context for
its renderer. Below `vglrun` it names the graphics card. For whoever builds an image, and our tests.
"""

import ctypes
import sys

_DRAWABLE_TYPE, _PBUFFER_BIT = 0x8010, 0x0004
_PBUFFER_WIDTH, _PBUFFER_HEIGHT = 0x8041, 0x8040
_RGBA_TYPE = 0x8014
_VERSION, _RENDERER = 0x1F02, 0x1F01


class NoOpenGLError(Exception):
    """There is none here; the text says what is missing."""


def renderer() -> tuple[str, str]:
    """Give the renderer and its version of OpenGL. Raises NoOpenGLError."""
    try:
        x, gl = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libGL.so.1")
    except OSError as error:
        raise NoOpenGLError(str(error)) from None
    pointer = ctypes.c_void_p
    x.XOpenDisplay.restype = pointer
    gl.glXChooseFBConfig.restype = ctypes.POINTER(pointer)
    gl.glXCreatePbuffer.restype = ctypes.c_ulong
    gl.glXCreateNewContext.restype = pointer
    gl.glGetString.restype = ctypes.c_char_p
    display = pointer(x.XOpenDisplay(None))
    if not display:
        raise NoOpenGLError("no X server answers: is DISPLAY set?")
    wanted = (ctypes.c_int * 3)(_DRAWABLE_TYPE, _PBUFFER_BIT, 0)
    found = ctypes.c_int()
    screen = x.XDefaultScreen(display)
    configs = gl.glXChooseFBConfig(display, screen, wanted, ctypes.byref(found))
    if not configs or not found.value:
        raise NoOpenGLError("the X server has no GLX")
    config = pointer(configs[0])
    size = (ctypes.c_int * 5)(_PBUFFER_WIDTH, 16, _PBUFFER_HEIGHT, 16, 0)
    buffer = ctypes.c_ulong(gl.glXCreatePbuffer(display, config, size))
    context = pointer(gl.glXCreateNewContext(display, config, _RGBA_TYPE, None, 1))
    if not context or not gl.glXMakeContextCurrent(display, buffer, buffer, context):
        raise NoOpenGLError("the X server gives no OpenGL context")
    return gl.glGetString(_RENDERER).decode(), gl.glGetString(_VERSION).decode()


def main() -> int:
    """Print it; give the exit status."""
    try:
        print(*renderer(), sep="\n")  # noqa: T201
    except NoOpenGLError as error:
        print(f"No OpenGL: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
