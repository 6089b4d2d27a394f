"""An X program that paints as fast as it can, run in the session under measurement.

Started by `chain` and `peers` with the Python of the sessions (it needs numpy). Keys F1 to F4 say
what to paint: nothing, a scrolling plot, a detector's noisy rings, or stand still; each other key
changes a square at once. An argument limits the frames per second.
"""

import sys
import time
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Run as a file: the session's environment has no `benchmarks`.
sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.desktop import marks
from benchmarks.desktop.x11 import KEY_PRESS, Screen

AREA = marks.HEIGHT - marks.STRIP
RINGS = 6
NOISE = 0.55
Pixels: TypeAlias = NDArray[np.uint32]


def plot() -> Pixels:
    """Return curves on a grid, twice as wide as the screen and the same in both halves."""
    width = marks.WIDTH
    image = np.full((AREA, width), 0xFFFFFF, np.uint32)
    image[::254, :] = image[:, ::240] = 0xDDDDDD
    x = np.arange(width)
    for turn, colour in ((2, 0x1F77B4), (3, 0xFF7F0E)):
        y = (AREA / 2 + AREA / 2.5 * np.sin(2 * np.pi * turn * x / width) / (1 + turn / 9)).astype(
            int
        )
        y += np.random.default_rng(turn).integers(-2, 3, width)
        for near, far, column in zip(y, np.roll(y, -1), x, strict=True):
            image[min(near, far) : max(near, far) + 2, column] = colour
    return np.hstack((image, image))


def rings() -> Pixels:
    """Return frames of a powder pattern with the noise of counting, one below the other."""
    random = np.random.default_rng(1)
    y, x = np.ogrid[:AREA, : marks.WIDTH]
    radius = np.hypot(x - marks.WIDTH / 2, y - AREA / 2)
    mean = 40 + 60 * np.cos(radius / 19) ** 8 + 4000 / (radius + 40)
    frames = []
    for _ in range(RINGS):
        value = np.clip(random.normal(mean, NOISE * np.sqrt(mean)), 0, 255)
        # Rounded apart, so that there are too many colours for a palette, as in a photograph.
        red, green, blue = value, value * 0.93 + 5, (255 - value) * 0.52
        parts = (part.astype(np.uint32) for part in (red, green, blue))
        frames.append(sum(part << shift for part, shift in zip(parts, (16, 8, 0), strict=True)))
    return np.vstack(frames)


class Painter:
    """The window and what it shows."""

    def __init__(self, frames_per_s: float) -> None:
        self.screen = Screen(marks.WIDTH, marks.HEIGHT, "Painter")
        self.images = {
            marks.PLOT: self.screen.image(plot()),
            marks.NOISE: self.screen.image(rings()),
        }
        self.order = marks.REST
        self.keys = self.frames = 0
        self.wait = 1 / frames_per_s if frames_per_s else 0.0
        self.due = 0.0

    def run(self) -> None:
        """Paint and obey without end."""
        self.screen.show()
        self.screen.fill(0, 0, marks.WIDTH, marks.HEIGHT, 0x808080)
        while True:
            moving = self.order in self.images
            while not moving or self.screen.pending():
                self.obey(self.screen.event())
                moving = self.order in self.images
            if (now := time.monotonic()) < self.due:
                time.sleep(min(self.due - now, 0.002))
                continue
            self.due = max(now, self.due + self.wait)
            self.paint()

    def obey(self, event: tuple[int, int]) -> None:
        """Change what is painted, or the square."""
        kind, key = event
        if kind != KEY_PRESS:
            return
        if key in marks.ORDERS.values():
            self.order = key
            return
        self.keys += 1
        self.screen.fill(*marks.KEY_AT, marks.SQUARE, marks.SQUARE, marks.colour(self.keys))
        self.screen.flush()

    def paint(self) -> None:
        """Paint one frame and wait until the X server has it."""
        self.frames += 1
        if self.order == marks.PLOT:
            at = (self.frames * 8 % marks.WIDTH, 0)
        else:
            at = (0, self.frames % RINGS * AREA)
        # The square first: the X server may send a picture after the larger of the two.
        colour = marks.colour(self.frames)
        self.screen.fill(*marks.FRAME_AT, marks.SQUARE, marks.SQUARE, colour)
        self.screen.put(self.images[self.order], at, (0, marks.STRIP), (marks.WIDTH, AREA))
        self.screen.sync()


if __name__ == "__main__":
    Painter(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0).run()
