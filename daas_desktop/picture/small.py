"""A whole screen made small: a PNG of a few kilobytes from the X server's raw picture.

Pure, and without a library for pictures: slices of bytes and sums of large numbers do the work, in
a few hundredths of a second for 1920×1080. Called by `thumbnail`. Source: the PNG specification.
"""

import struct
import zlib

WIDTH, HEIGHT = 320, 180
BYTES_A_PIXEL = 4


def scaled(width: int, height: int) -> tuple[int, int]:
    """Give the size of a small picture of the same shape; none is made larger."""
    share = min(1.0, WIDTH / width, HEIGHT / height)
    return max(1, round(width * share)), max(1, round(height * share))


def shrink(pixels: bytes, width: int, height: int) -> tuple[bytes, int, int]:
    """Give RGB from BGRX pixels, each the mean of 16 of its place, with its width and height."""
    small_width, small_height = scaled(width, height)
    # Where each small pixel takes its 4 columns and its 4 rows.
    columns = [_places(width, small_width, part) for part in range(4)]
    rows = [_places(height, small_height, part) for part in range(4)]
    stride = width * BYTES_A_PIXEL
    small = bytearray()
    for at in zip(*rows, strict=True):
        lines = [pixels[y * stride : (y + 1) * stride] for y in at]
        line = memoryview(_mean(lines)).cast("I")
        picked = [_pick(line, places) for places in columns]
        small += _rgb(_mean(picked))
    return bytes(small), small_width, small_height


def _places(size: int, small: int, part: int) -> list[int]:
    return [min(size - 1, (4 * place + part) * size // (4 * small)) for place in range(small)]


def _pick(line: memoryview, places: list[int]) -> bytes:
    return struct.pack(f"={len(places)}I", *(line[place] for place in places))


def _mean(four: list[bytes]) -> bytes:
    """Give the mean of four runs of bytes, byte by byte; it may be too small by three."""
    size = len(four[0])
    mask = int.from_bytes(b"\x3f" * size, "little")
    total = sum((int.from_bytes(run, "little") >> 2) & mask for run in four)
    return total.to_bytes(size, "little")


def _rgb(bgrx: bytes) -> bytes:
    line = bytearray(len(bgrx) // BYTES_A_PIXEL * 3)
    line[0::3], line[1::3], line[2::3] = bgrx[2::4], bgrx[1::4], bgrx[0::4]
    return bytes(line)


def png(rgb: bytes, width: int, height: int) -> bytes:
    """Give a PNG of 8 bits per colour; each line is told as its difference to the one above."""
    stride = 3 * width
    above = bytes(stride)
    lines = bytearray()
    for y in range(height):
        line = rgb[y * stride : (y + 1) * stride]
        lines += b"\x02" + _difference(line, above)
        above = line
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(lines), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _difference(line: bytes, above: bytes) -> bytes:
    return bytes((a - b) & 0xFF for a, b in zip(line, above, strict=True))


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
