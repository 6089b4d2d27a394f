"""Cuts what a VNC client sends into messages, without waiting for long ones, and sifts them.

Called by the bridge, which tells input from chatter with it and drops what comes from somebody
who only looks. Whatever passes, the X server must cut at the same places: what it may read in
another way is refused or made plain. Nothing here does I/O. Source: RFC 6143 and the RFB community
specification.
"""

import enum
from dataclasses import dataclass


class Kind(enum.IntEnum):
    """What a client may send; negative numbers are the three handshake messages."""

    VERSION = -3
    SECURITY = -2
    CLIENT_INIT = -1
    SET_PIXEL_FORMAT = 0
    SET_ENCODINGS = 2
    UPDATE_REQUEST = 3
    KEY = 4
    POINTER = 5
    CUT_TEXT = 6
    CONTINUOUS_UPDATES = 150
    FENCE = 248
    XVP = 250
    SET_DESKTOP_SIZE = 251
    QEMU = 255


INPUT = frozenset({Kind.KEY, Kind.POINTER, Kind.CUT_TEXT, Kind.QEMU})
#: What changes something for everybody: only one viewer's counts.
CONTROL = INPUT | {Kind.SET_DESKTOP_SIZE, Kind.XVP}

_FIXED = {
    Kind.VERSION: 12,
    Kind.SECURITY: 1,
    Kind.CLIENT_INIT: 1,
    Kind.SET_PIXEL_FORMAT: 20,
    Kind.UPDATE_REQUEST: 10,
    Kind.KEY: 8,
    Kind.CONTINUOUS_UPDATES: 10,
    Kind.XVP: 4,
}
#: Any other line the X server takes for the one or the other of them, by rules of its own.
_VERSIONS = frozenset({b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"})
# What is no longer goes on whole: a key never stands half pressed when somebody loses control.
_LONGEST_HEAD = 12
_PRESSES = frozenset({Kind.KEY, Kind.QEMU, Kind.POINTER})


class ProtocolError(Exception):
    """The client sent something that is no RFB message; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes that belongs to one message; `first` on the run that opens it."""

    kind: Kind
    data: bytes
    first: bool


class ClientStream:
    """Follows one client from its first byte; the pieces joined are what the X server may read."""

    def __init__(self) -> None:
        self._kind: Kind | None = Kind.VERSION
        self._head = b""
        self._missing = 0

    def feed(self, data: bytes) -> list[Piece]:
        """Give the pieces that `data` completes or goes on with; at most 11 bytes are held back.

        Raises ProtocolError for a message of unknown type, and for an unknown version.
        """
        data, self._head = self._head + data, b""
        pieces: list[Piece] = []
        at = 0
        while at < len(data):
            first = self._missing == 0
            if first:
                kind = self._kind if self._kind is not None else _kind(data[at])
                length = _length(kind, data[at : at + _LONGEST_HEAD])
                if length is None or len(data) - at < length <= _LONGEST_HEAD:
                    self._head = data[at:]
                    break
                self._current, self._missing = kind, length
            run = data[at : at + self._missing]
            plain = _plain_pointer(run) if self._current is Kind.POINTER else run
            pieces.append(Piece(self._current, plain, first))
            at += len(run)
            self._missing -= len(run)
            if self._missing == 0 and self._kind is not None:
                self._kind = _next_handshake(self._kind, run)
        return pieces

    @property
    def between_messages(self) -> bool:
        """Say whether something else may be sent now without standing inside a message."""
        return self._missing == 0


class Sieve:
    """Lets one viewer's messages pass or not, and knows which keys and buttons it has down."""

    def __init__(self) -> None:
        self._passes = True
        self._message = b""
        self._keys: dict[bytes, bytes] = {}
        self._pointer = b""

    def passes(self, piece: Piece, controls: bool) -> bool:
        """Say whether a piece goes on to the X server; a message goes whole or not at all."""
        if piece.first:
            self._passes = controls or piece.kind not in CONTROL
            self._message = b""
        if self._passes and piece.kind in _PRESSES:
            self._message += piece.data
            self._note(piece.kind)
        return self._passes

    @property
    def holds(self) -> bool:
        """Say whether a key or a button is down."""
        return bool(self._keys or self._pointer)

    def releases(self) -> bytes:
        """Give the messages that let go of everything, and forget it."""
        released = b"".join(self._keys.values()) + self._pointer
        self._keys, self._pointer = {}, b""
        return released

    def _note(self, kind: Kind) -> None:
        message = self._message
        match kind:
            case Kind.KEY if len(message) == 8:
                self._press(message[4:], down=message[1] != 0, up=b"\4\0" + message[2:])
            case Kind.QEMU if len(message) == 12 and message[1] == 0:
                up = message[:2] + b"\0\0" + message[4:]
                self._press(message[4:], down=message[2:4] != b"\0\0", up=up)
            case Kind.POINTER if len(message) == 6:
                self._pointer = b"\5\0" + message[2:] if message[1] else b""

    def _press(self, key: bytes, *, down: bool, up: bytes) -> None:
        if down:
            self._keys[key] = up
        else:
            self._keys.pop(key, None)


def _kind(number: int) -> Kind:
    try:
        kind = Kind(number)
    except ValueError:
        raise ProtocolError(f"unknown client message type {number}") from None
    return kind


def _plain_pointer(message: bytes) -> bytes:
    """Give a pointer message without the buttons beyond the seventh.

    Which X server reads their byte depends on its version, and on what the client asked for.
    """
    return bytes((message[0], message[1] & 0x7F)) + message[2:6]


def _next_handshake(done: Kind, data: bytes) -> Kind | None:
    if done is Kind.VERSION:
        if data not in _VERSIONS:
            raise ProtocolError(f"unknown version {data!r}")
        # A 3.3 client does not choose a security type (RFC 6143, 7.1.2).
        return Kind.CLIENT_INIT if data == b"RFB 003.003\n" else Kind.SECURITY
    return Kind.CLIENT_INIT if done is Kind.SECURITY else None


def _length(kind: Kind, head: bytes) -> int | None:  # noqa: PLR0911
    """Give the whole message's length, or None while `head` is too short to tell."""
    if kind in _FIXED:
        return _FIXED[kind]
    match kind:
        case Kind.POINTER if len(head) >= 2:
            # The marker bit of the extended mouse buttons announces one more byte.
            return 7 if head[1] & 0x80 else 6
        case Kind.SET_ENCODINGS if len(head) >= 4:
            return 4 + 4 * _number(head, 2, 2)
        case Kind.CUT_TEXT if len(head) >= 8:
            # A negative length marks the extended clipboard.
            return 8 + abs(int.from_bytes(head[4:8], "big", signed=True))
        case Kind.FENCE if len(head) >= 9:
            return 9 + head[8]
        case Kind.SET_DESKTOP_SIZE if len(head) >= 7:
            return 8 + 16 * head[6]
        case Kind.QEMU if len(head) >= 2 and head[1] == 0:
            return 12
        case Kind.QEMU if len(head) >= 4 and head[1] == 1:
            return 10 if _number(head, 2, 2) == 2 else 4
        case Kind.QEMU if len(head) >= 2 and head[1] > 1:
            raise ProtocolError(f"unknown QEMU message {head[1]}")
    return None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
