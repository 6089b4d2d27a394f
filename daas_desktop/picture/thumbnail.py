"""The session's screen as a small picture, for its card in the portal: made when somebody asks.

Served at `thumbnail`. It asks the X server as one more viewer would, for one whole picture, and
keeps the result for a while: without a portal page that shows it, it costs nothing.
"""

import asyncio
import struct
import time

from tornado.web import HTTPError

from daas_desktop.picture.small import BYTES_A_PIXEL, png, shrink
from daas_desktop.web import Handler

KEPT_S = 30.0
WITHIN_S = 10
# 32 bits for a pixel, true colour, in the order blue, green, red (RFC 6143, 7.4).
_PIXEL_FORMAT = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_RAW = 0


class Thumbnails:
    """The last small picture of the screen behind the socket *rfb_path*."""

    def __init__(self, rfb_path: str, kept_s: float = KEPT_S) -> None:
        self._rfb_path = rfb_path
        self._kept_s = kept_s
        self._made_at = float("-inf")
        self._picture = b""
        self._making = asyncio.Lock()

    async def picture(self) -> bytes:
        """Give a PNG that is not older than 30 s.

        Raises OSError or TimeoutError when the X server gives no picture.
        """
        async with self._making:
            if time.monotonic() - self._made_at > self._kept_s:
                async with asyncio.timeout(WITHIN_S):
                    pixels, width, height = await screen(self._rfb_path)
                    self._picture = await asyncio.to_thread(_small, pixels, width, height)
                self._made_at = time.monotonic()
        return self._picture


def _small(pixels: bytes, width: int, height: int) -> bytes:
    return png(*shrink(pixels, width, height))


async def screen(rfb_path: str) -> tuple[bytes, int, int]:
    """Give the X server's whole picture, BGRX, with its width and height.

    Raises OSError when the connection ends before.
    """
    reader, writer = await asyncio.open_unix_connection(rfb_path)
    try:
        width, height = await _shake_hands(reader, writer)
        writer.write(struct.pack(">Bxxx", 0) + _PIXEL_FORMAT)
        writer.write(struct.pack(">BxHi", 2, 1, _RAW))
        writer.write(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
        return await _one_picture(reader, width, height), width, height
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the X server has gone") from error
    finally:
        writer.close()


async def _shake_hands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[int, int]:
    writer.write(await reader.readexactly(12))
    (kinds,) = await reader.readexactly(1)
    await reader.readexactly(kinds)
    writer.write(b"\1")  # no password: the socket is private
    await reader.readexactly(4)
    writer.write(b"\1")  # nobody else is sent away
    width, height = struct.unpack(">HH", await reader.readexactly(4))
    await reader.readexactly(16)
    (name,) = struct.unpack(">I", await reader.readexactly(4))
    await reader.readexactly(name)
    return width, height


async def _one_picture(reader: asyncio.StreamReader, width: int, height: int) -> bytes:
    """Put the rectangles of one answer together; what else the X server says is passed over."""
    pixels = bytearray(width * height * BYTES_A_PIXEL)
    while (kind := (await reader.readexactly(1))[0]) != 0:
        await _pass_over(kind, reader)
    (rectangles,) = struct.unpack(">xH", await reader.readexactly(3))
    for _ in range(rectangles):
        x, y, w, h, _encoding = struct.unpack(">HHHHi", await reader.readexactly(12))
        for row in range(y, y + h):
            at = (row * width + x) * BYTES_A_PIXEL
            pixels[at : at + w * BYTES_A_PIXEL] = await reader.readexactly(w * BYTES_A_PIXEL)
    return bytes(pixels)


async def _pass_over(kind: int, reader: asyncio.StreamReader) -> None:
    if kind == 1:  # colours
        (count,) = struct.unpack(">3xH", await reader.readexactly(5))
        await reader.readexactly(6 * count)
    elif kind == 3:  # text that was copied
        (length,) = struct.unpack(">3xI", await reader.readexactly(7))
        await reader.readexactly(length)
    elif kind != 2:  # a bell has nothing more
        raise ConnectionResetError(f"the X server said {kind}")


class ThumbnailHandler(Handler):
    """`GET thumbnail`: for the person's own portal; a guest sees the picture itself."""

    for_owner = True

    async def get(self) -> None:
        """Give the picture; a browser that has the same one gets 304."""
        try:
            picture = await self.settings["thumbnails"].picture()
        except (OSError, TimeoutError):
            raise HTTPError(503) from None
        # The portal is on another host of the same site.
        self.set_header("Cross-Origin-Resource-Policy", "same-site")
        self.set_header("Content-Type", "image/png")
        self.finish(picture)
