"""A viewer without a screen: speaks RFB as noVNC does, and finds the painter's squares.

Used by everything that measures without a browser. Lengths are parsed, pictures not decoded.
Sources: RFC 6143, the RFB community specification, noVNC 1.7's core/rfb.js.
"""

import struct
import time
from dataclasses import dataclass, field

from benchmarks.desktop import marks
from benchmarks.desktop.wire import Wire

COPY, RAW, TIGHT = 1, 0, 7
_LAST_RECT, _SIZE, _EXTENDED_SIZE, _NAME = -224, -223, -308, -307
_CURSOR, _VMWARE_CURSOR, _LED, _KEYS = -239, 0x574D5664, -261, -258
_FENCE, _CONTINUOUS, _XVP, _CLIPBOARD = -312, -313, -309, -1063131698
_PSEUDO = (
    *(_SIZE, _LAST_RECT, _KEYS, _LED, _EXTENDED_SIZE, _XVP, _FENCE, _CONTINUOUS, _NAME),
    *(_CLIPBOARD, _VMWARE_CURSOR, _CURSOR),
)
_LENGTHS = {COPY: 4, _LED: 1, _KEYS: 0}
# 32 bits a pixel, 24 deep, true colour, as noVNC asks for: red in the lowest byte.
_PIXELS = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)


@dataclass(slots=True)
class Update:
    """One picture: when it was there in full, its size on the wire, the filled rectangles."""

    at: float = 0.0
    size: int = 0
    rectangles: int = 0
    fills: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    raw: dict[tuple[int, int, int, int], bytes] = field(default_factory=dict)

    def colour_at(self, corner: tuple[int, int]) -> int | None:
        """Return the colour that this update gave the square at `corner`, if it did."""
        x, y = corner[0] + marks.SQUARE // 2, corner[1] + marks.SQUARE // 2
        for left, top, width, height, colour in reversed(self.fills):
            if left <= x < left + width and top <= y < top + height:
                return colour
        return None


class Viewer:
    """One connected viewer; `next` gives one update after the other."""

    def __init__(
        self, wire: Wire, encodings: tuple[int, ...] = (COPY, TIGHT, RAW), quality: int = 6
    ) -> None:
        self.wire = wire
        self.continuous = False
        self._handshake()
        levels = (-32 + quality, -256 + 2)
        self._send("BxH", 2, len(wanted := (*encodings, *levels, *_PSEUDO)), more=wanted)
        self.ask(incremental=False)

    def _handshake(self) -> None:
        self.wire.read(12)
        self.wire.send(b"RFB 003.008\n")
        self.wire.read(self.wire.read(1)[0])
        self.wire.send(b"\1")
        if self.wire.read(4) != bytes(4):
            raise ConnectionError("the X server wants a password")
        self.wire.send(b"\1")
        self.width, self.height = struct.unpack(">HH", self.wire.read(4))
        self.wire.read(16)
        self.wire.read(struct.unpack(">I", self.wire.read(4))[0])
        self.wire.send(bytes(4) + _PIXELS)

    def _send(self, layout: str, *values: int, more: tuple[int, ...] = ()) -> None:
        self.wire.send(struct.pack(f">{layout}{len(more)}i", *values, *more))

    def ask(self, *, incremental: bool, area: tuple[int, int, int, int] | None = None) -> None:
        """Ask for the picture, or for what changes in it."""
        x, y, width, height = area or (0, 0, self.width, self.height)
        self._send("BBHHHH", 3, incremental, x, y, width, height)

    def key(self, keysym: int) -> None:
        """Press a key and let it go."""
        press = struct.pack(">BBxxI", 4, 1, keysym)
        self.wire.send(press + struct.pack(">BBxxI", 4, 0, keysym))

    def point(self, x: int, y: int) -> None:
        """Move the pointer."""
        self.wire.send(struct.pack(">BBHH", 5, 0, x, y))

    def order(self, name: str) -> None:
        """Tell the painter what to paint."""
        self.key(marks.ORDERS[name])

    def next(self, seconds: float) -> Update | None:
        """Return the next update; None when there is none in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self.wire.ready(left):
                return None
            kind = self.wire.read(1)[0]
            if kind == 0:
                update = self._update()
                if not self.continuous:
                    self.ask(incremental=True)
                return update
            self._other(kind)
        return None

    def pause(self, seconds: float) -> None:
        """Take in what comes for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.next(left)

    def _other(self, kind: int) -> None:
        read = self.wire.read
        match kind:
            case 1:
                read(struct.unpack(">xxxH", read(5))[0] * 6)
            case 3:
                read(abs(struct.unpack(">xxxi", read(7))[0]))
            case 150:
                if not self.continuous:
                    self._send("BBHHHH", 150, 1, 0, 0, self.width, self.height)
                self.continuous = True
            case 248:
                flags, size = struct.unpack(">xxxIB", read(8))
                # Answers what noVNC answers: block before and after, sync next.
                self.wire.send(struct.pack(">BxxxIB", 248, flags & 7, size) + read(size))
            case 250:
                read(3)
            case kind if kind != 2:
                raise ConnectionError(f"unknown message {kind}")

    def _update(self) -> Update:
        read = self.wire.read
        before = self.wire.received
        (left,) = struct.unpack(">xH", read(3))
        update = Update()
        while left:
            x, y, width, height, encoding = struct.unpack(">HHHHi", read(12))
            if encoding == _LAST_RECT:
                break
            update.rectangles += 1
            left -= left != 0xFFFF
            self._rectangle(update, (x, y, width, height), encoding)
        update.at = time.monotonic()
        update.size = self.wire.received - before
        return update

    def _rectangle(self, update: Update, area: tuple[int, int, int, int], encoding: int) -> None:
        read = self.wire.read
        width, height = area[2:]
        if encoding == TIGHT:
            self._tight(update, area)
        elif encoding == RAW:
            update.raw[area] = read(width * height * 4)
        elif encoding in (_SIZE, _EXTENDED_SIZE):
            read(read(4)[0] * 16 if encoding == _EXTENDED_SIZE else 0)
            self._resized(width, height)
        elif encoding == _NAME:
            read(struct.unpack(">I", read(4))[0])
        elif encoding == _CURSOR:
            read(width * height * 4 + (width + 7) // 8 * height)
        elif encoding == _VMWARE_CURSOR:
            read(width * height * (8 if read(2)[0] == 0 else 4))
        else:
            read(_LENGTHS[encoding])

    def _resized(self, width: int, height: int) -> None:
        if (width, height) != (self.width, self.height) and width:
            self.width, self.height = width, height
            if self.continuous:
                self._send("BBHHHH", 150, 1, 0, 0, width, height)

    def _tight(self, update: Update, area: tuple[int, int, int, int]) -> None:
        read = self.wire.read
        width, height = area[2:]
        way = read(1)[0] >> 4
        if way == 8:
            update.fills.append((*area, int.from_bytes(read(3), "big")))
            return
        if way in (9, 10):
            read(self._compact())
            return
        size = width * height * 3
        if way & 4 and read(1)[0] == 1:
            colours = read(1)[0] + 1
            read(colours * 3)
            size = (width + 7) // 8 * height if colours == 2 else width * height
        read(size if size < 12 else self._compact())

    def _compact(self) -> int:
        size = 0
        for shift in (0, 7, 14):
            byte = self.wire.read(1)[0]
            size |= (byte & (0x7F if shift < 14 else 0xFF)) << shift
            if byte < 0x80:
                break
        return size
