"""Desktops as tiles of JupyterLab's launcher: what the spawner says, in the proxy's terms.

Called by the notebook; pure, so that it is tested without a Jupyter server.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_desktop.picture.display import dies_with_us

TILE_READY_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Tile:
    """A desktop in the launcher; `name` is the last part of its address."""

    name: str
    title: str
    icon: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def parse_tiles(text: str) -> tuple[Tile, ...]:
    """Read DAAS_TILES, a JSON list of {name, title, icon, command, …}; empty text means none.

    Raises ValueError, KeyError or TypeError for anything else: the spawner wrote it.
    """
    return tuple(
        Tile(
            name=str(tile["name"]),
            title=str(tile["title"]),
            icon=str(tile.get("icon", "")),
            command=tuple(str(part) for part in tile["command"]),
            environment={str(k): str(v) for k, v in tile.get("environment", {}).items()},
        )
        for tile in (json.loads(text) if text else ())
    )


def proxy_entry(tile: Tile) -> dict[str, Any]:
    """Give what jupyter-server-proxy needs to start and show a tile's desktop."""
    desktop = [sys.executable, "-m", "daas_desktop", "tile", "--title", tile.title]
    desktop += ["--icon", tile.icon] if tile.icon else []
    # The proxy puts every argument and variable through str.format().
    fixed = [_verbatim(part) for part in (*desktop, "--socket")]
    program = [_verbatim(part) for part in tile.command]
    # No category of our own: JupyterLab shows a picture only on the tiles of "Notebook".
    entry: dict[str, Any] = {"title": tile.title, "enabled": True}
    if tile.icon:
        entry["icon_path"] = tile.icon
    return {
        "command": dies_with_us([*fixed, "{unix_socket}", "--", *program]),
        "unix_socket": True,
        "environment": {name: _verbatim(text) for name, text in tile.environment.items()},
        "timeout": TILE_READY_WITHIN_S,
        "launcher_entry": entry,
        # The desktop itself reports keyboard and mouse; pictures are not activity.
        "update_last_activity": False,
    }


def _verbatim(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
