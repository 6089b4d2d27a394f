"""Tells when the application's main window is on the screen.

Called by the server while a program starts. A splash screen, a licence question and the
window manager's own windows are not the main window; a large ordinary window is.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

MAIN_SHARE = 0.6
# A window that grows after it was mapped sends the root window no event.
LOOK_AGAIN_S = 0.25

_TYPE = "_NET_WM_WINDOW_TYPE"
# The background of a whole desktop (EWMH: DESKTOP) is all there is at its start.
_MAIN_TYPES = ("NORMAL", "DESKTOP")
_TRANSIENT = re.compile(r"^WM_TRANSIENT_FOR\(WINDOW\)", re.MULTILINE)
_STANDARD_TYPE = re.compile(r"(?<!\w)_NET_WM_WINDOW_TYPE_(\w+)")


def client_windows(line: str) -> tuple[str, ...] | None:
    """Give the managed windows named by a line of `xprop -root -spy`; None for other lines."""
    name, _, rest = line.partition("(")
    return tuple(re.findall(r"0x[0-9a-f]+", rest)) if name == "_NET_CLIENT_LIST" else None


def window_type(properties: str) -> str:
    """Give the first type that the standard knows, e.g. NORMAL or SPLASH (EWMH, window types)."""
    for line in properties.splitlines():
        if line.startswith(f"{_TYPE}(") and (
            known := _STANDARD_TYPE.search(line.partition("=")[2])
        ):
            return known[1]
    return "DIALOG" if _TRANSIENT.search(properties) else "NORMAL"


def is_main(properties: str, geometry: str, root_geometry: str) -> bool:
    """Say whether a window is the main one, from `xprop -id` and `xwininfo` of it and the root."""
    area, screen = _area(geometry), _area(root_geometry)
    return (
        window_type(properties) in _MAIN_TYPES
        and "Map State: IsViewable" in geometry
        and screen > 0
        and area >= MAIN_SHARE * screen
    )


def _area(geometry: str) -> int:
    width = re.search(r"^\s*Width: (\d+)", geometry, re.MULTILINE)
    height = re.search(r"^\s*Height: (\d+)", geometry, re.MULTILINE)
    return int(width[1]) * int(height[1]) if width and height else 0


async def main_window(environment: Mapping[str, str]) -> None:
    """Return once the main window is there; cancel it when the program ends."""
    spy = await _start("xprop", "-root", "-spy", environment=environment)
    try:
        async for windows in _lists(spy):
            for window in windows:
                if await _looks_main(window, environment):
                    return
    finally:
        await _end(spy)


async def open_windows(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the managed windows with their types; one that belongs to another is a dialog."""
    listed = await run_tool("xprop", "-root", "_NET_CLIENT_LIST", environment=environment)
    windows = client_windows(listed) or ()
    properties = await asyncio.gather(
        *(
            run_tool("xprop", "-id", window, _TYPE, "WM_TRANSIENT_FOR", environment=environment)
            for window in windows
        )
    )
    return {window: _role(said) for window, said in zip(windows, properties, strict=True) if said}


def _role(properties: str) -> str:
    kind = window_type(properties)
    return "DIALOG" if kind == "NORMAL" and _TRANSIENT.search(properties) else kind


async def _lists(spy: asyncio.subprocess.Process) -> AsyncIterator[tuple[str, ...]]:
    """Give the list of managed windows at each change, and again while there are any."""
    assert spy.stdout is not None
    windows: tuple[str, ...] = ()
    line = asyncio.ensure_future(spy.stdout.readline())
    try:
        while True:
            done, _ = await asyncio.wait({line}, timeout=LOOK_AGAIN_S if windows else None)
            if done:
                text = line.result().decode(errors="replace")
                if not text:
                    return
                line = asyncio.ensure_future(spy.stdout.readline())
                listed = client_windows(text)
                if listed is None:
                    continue
                windows = listed
            yield windows
    finally:
        line.cancel()


async def _looks_main(window: str, environment: Mapping[str, str]) -> bool:
    properties, geometry, root = await asyncio.gather(
        run_tool("xprop", "-id", window, _TYPE, "WM_TRANSIENT_FOR", environment=environment),
        run_tool("xwininfo", "-id", window, environment=environment),
        run_tool("xwininfo", "-root", environment=environment),
    )
    return is_main(properties, geometry, root)


async def run_tool(*command: str, environment: Mapping[str, str]) -> str:
    """Give what a small X program writes; nothing if it fails. Raises OSError without it."""
    process = await _start(*command, environment=environment)
    try:
        out, _ = await process.communicate()
    finally:
        await _end(process)
    # A window that went away in between makes the tool fail: no text, no main window.
    return out.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _start(*command: str, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 20,
    )
