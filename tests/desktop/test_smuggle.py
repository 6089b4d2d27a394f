"""What the X server could read differently than the sieve, so that whoever looks types (S1)."""

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.desktop.test_together import CTRL, key, said

View = Callable[..., Any]
PIXEL_FORMAT = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
# For the sieve nothing but 65535 encodings; what is in them is whatever a guest likes.
ENCODINGS = b"\2\0\xff\xff"
STROKE = key(ord("z")) + key(ord("z"), down=False)


def types_nothing(desktop: Any, owner: Any, wait_until: Callable[..., Any]) -> None:
    """Nothing of the other viewer's arrives before what the person types after it."""
    time.sleep(0.5)
    owner.send(key(ord("a")) + key(ord("a"), down=False))
    wait_until(lambda: "key a" in said(desktop), "the person's key arrives")
    assert "key z" not in said(desktop)


@pytest.mark.parametrize("version", [b"RFB 003.005\n", b"RFB 003.003 ", b"RFB   3.  3\n"])
def test_a_version_that_the_x_server_takes_for_another(
    shown: Any,
    view: View,
    wait_until: Callable[..., Any],
    version: bytes,
) -> None:
    """The X server takes it for 3.3, where nothing follows but one byte."""
    guest, owner = view(shown, "guest"), view(shown, "owner").look()
    assert guest.read(12) == b"RFB 003.008\n"
    # Its encodings, of which it sees 255, begin one byte before those that the sieve sees.
    guest.send(version + b"\1" + b"\2" + ENCODINGS + bytes(1019) + STROKE)
    types_nothing(shown, owner, wait_until)


def test_a_release_inside_a_key(shown: Any, view: View, wait_until: Callable[..., Any]) -> None:
    """Half a key is held back: the release does not become its other half."""
    guest = view(shown, "guest").look()
    guest.send(key(CTRL) + key(0)[:4])
    time.sleep(0.3)
    owner = view(shown, "owner").look()
    guest.send(PIXEL_FORMAT + STROKE)
    types_nothing(shown, owner, wait_until)


def test_a_release_inside_a_long_message(
    shown: Any, view: View, wait_until: Callable[..., Any]
) -> None:
    """Who loses control there and says no more is disconnected; the key is let go all the same."""
    guest = view(shown, "guest")
    guest.handshake()
    # The release is 8 bytes: they would be the rest of three encodings, whose own rest is a key.
    guest.send(key(CTRL) + struct.pack(">BxHi", 2, 3, 0))
    time.sleep(0.3)
    owner = view(shown, "owner").look()
    with pytest.raises(EOFError):
        guest.read(1)
    types_nothing(shown, owner, wait_until)


def test_a_release_waits_for_the_rest_of_a_long_message(
    shown: Any, view: View, wait_until: Callable[..., Any]
) -> None:
    guest = view(shown, "guest")
    guest.handshake()
    guest.send(key(CTRL) + struct.pack(">BxHi", 2, 2, 0))
    time.sleep(0.3)
    owner = view(shown, "owner").look()
    guest.send(struct.pack(">i", 0) + struct.pack(">BBHHHH", 3, 0, 0, 0, 1, 1))
    assert guest.read(1) == b"\0"
    types_nothing(shown, owner, wait_until)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"\0" + STROKE + bytes(1000), id="a release stands between"),
        pytest.param(bytes(1019) + STROKE, id="nothing stands between"),
    ],
)
def test_a_pointer_with_a_byte_that_not_every_x_server_reads(
    shown: Any, view: View, wait_until: Callable[..., Any], rest: bytes
) -> None:
    guest = view(shown, "guest").look()
    # The seventh byte would begin encodings, which go on with what comes next.
    guest.send(struct.pack(">BBHHB", 5, 0x80, 0x200, 0, 2))
    time.sleep(0.3)
    owner = view(shown, "owner").look()
    guest.send(ENCODINGS + rest)
    types_nothing(shown, owner, wait_until)
