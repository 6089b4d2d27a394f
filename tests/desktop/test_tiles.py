import json

import pytest

from daas_desktop.notebook.tiles import Tile, parse_tiles, proxy_entry

PYMCA = Tile("pymca", "PyMca", "/apps/pymca.svg", ("pymca", "--nativefiledialogs=0"))


def test_tiles_are_read_from_the_spawners_list() -> None:
    text = json.dumps(
        [{"name": "pymca", "title": "PyMca", "icon": PYMCA.icon, "command": list(PYMCA.command)}]
    )
    assert parse_tiles(text) == (PYMCA,)


def test_no_list_means_no_tiles() -> None:
    assert parse_tiles("") == ()


@pytest.mark.parametrize(
    "text", [pytest.param("[", id="not JSON"), pytest.param('[{"name": "x"}]', id="no command")]
)
def test_a_wrong_list_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_tiles(text)


def test_the_proxy_starts_a_desktop_on_its_private_socket() -> None:
    entry = proxy_entry(PYMCA)
    assert entry["unix_socket"] is True
    at = entry["command"].index("--socket")
    assert entry["command"][at : at + 3] == ["--socket", "{unix_socket}", "--"]
    assert entry["command"][at + 3 :] == list(PYMCA.command)
    assert entry["launcher_entry"]["icon_path"] == PYMCA.icon


def test_braces_in_a_command_survive_the_proxys_formatting() -> None:
    command = proxy_entry(Tile("x", "X", "", ("sh", "-c", "echo ${HOME}")))["command"]
    assert command[-1].format(unix_socket="s") == "echo ${HOME}"
