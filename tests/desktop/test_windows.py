import pytest

from daas_desktop.program.windows import client_windows, is_main, window_type

ROOT = "  Width: 1920\n  Height: 1080\n  Map State: IsViewable\n"
DESKTOP = "_NET_WM_WINDOW_TYPE(ATOM) = _NET_WM_WINDOW_TYPE_DESKTOP\n"
NORMAL = "_NET_WM_WINDOW_TYPE(ATOM) = _NET_WM_WINDOW_TYPE_NORMAL\nWM_TRANSIENT_FOR:  not found.\n"
# As PyMca's splash screen and main window looked under matchbox.
SPLASH = (
    "_NET_WM_WINDOW_TYPE(ATOM) = _NET_WM_WINDOW_TYPE_SPLASH, _KDE_NET_WM_WINDOW_TYPE_OVERRIDE, "
    "_NET_WM_WINDOW_TYPE_NORMAL\nWM_TRANSIENT_FOR(WINDOW): window id # 0x600008\n"
)
NO_TYPE = "_NET_WM_WINDOW_TYPE:  not found.\nWM_TRANSIENT_FOR:  not found.\n"
NO_TYPE_TRANSIENT = (
    "_NET_WM_WINDOW_TYPE:  not found.\nWM_TRANSIENT_FOR(WINDOW): window id # 0x600008\n"
)
KDE_FIRST = (
    "_NET_WM_WINDOW_TYPE(ATOM) = _KDE_NET_WM_WINDOW_TYPE_OVERRIDE, _NET_WM_WINDOW_TYPE_NORMAL\n"
)


def geometry(width: int, height: int, state: str = "IsViewable") -> str:
    return f"  Width: {width}\n  Height: {height}\n  Map State: {state}\n"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param(NORMAL, "NORMAL", id="a main window"),
        pytest.param(SPLASH, "SPLASH", id="PyMca's splash screen"),
        pytest.param(KDE_FIRST, "NORMAL", id="a foreign type comes first"),
        pytest.param(NO_TYPE, "NORMAL", id="an old program"),
        pytest.param(NO_TYPE_TRANSIENT, "DIALOG", id="an old program's dialogue"),
    ],
)
def test_the_first_standard_type_counts(properties: str, expected: str) -> None:
    assert window_type(properties) == expected


@pytest.mark.parametrize(
    ("properties", "window", "root", "expected"),
    [
        pytest.param(NORMAL, geometry(1920, 1080), ROOT, True, id="the whole screen"),
        pytest.param(NORMAL, geometry(1200, 1080), ROOT, True, id="most of it"),
        pytest.param(NORMAL, geometry(900, 1080), ROOT, False, id="less than that"),
        pytest.param(NORMAL, geometry(1920, 1080, "IsUnMapped"), ROOT, False, id="not mapped"),
        pytest.param(SPLASH, geometry(1920, 1080), ROOT, False, id="a large splash screen"),
        pytest.param(DESKTOP, geometry(1920, 1080), ROOT, True, id="a whole desktop"),
        pytest.param("", "", ROOT, False, id="gone in between"),
        pytest.param(NORMAL, geometry(1920, 1080), "", False, id="no screen known"),
    ],
)
def test_the_main_window_is_ordinary_mapped_and_large(
    properties: str, window: str, root: str, expected: bool
) -> None:
    assert is_main(properties, window, root) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("_NET_CLIENT_LIST(WINDOW): window id # ", (), id="none"),
        pytest.param(
            "_NET_CLIENT_LIST(WINDOW): window id # 0x600010, 0x60002a",
            ("0x600010", "0x60002a"),
            id="two",
        ),
        pytest.param(
            "_NET_CLIENT_LIST_STACKING(WINDOW): window id # 0x6", None, id="another property"
        ),
        pytest.param("_NET_CLIENT_LIST:  not found.", None, id="not there yet"),
    ],
)
def test_managed_windows_are_read_from_the_root(
    line: str, expected: tuple[str, ...] | None
) -> None:
    assert client_windows(line) == expected
