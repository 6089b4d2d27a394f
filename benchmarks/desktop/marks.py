"""Where the painter paints what viewers look for, and in which colours.

Two squares on a grey strip: one changes with each key, the other with each frame. Their colours
are far apart, so that a lossy picture does not confuse them.
"""

WIDTH, HEIGHT = 1920, 1080
STRIP = 64
SQUARE = 64
KEY_AT = (64, 0)
FRAME_AT = (192, 0)
COLOURS = 64

#: Keys that the painter takes as orders (X keysyms); every other key changes the key's square.
REST, PLOT, NOISE, STILL = 0xFFBE, 0xFFBF, 0xFFC0, 0xFFC1
ORDERS = {"rest": REST, "plot": PLOT, "noise": NOISE, "still": STILL}


def colour(number: int) -> int:
    """Return the colour 0xRRGGBB of a number; they repeat after COLOURS."""
    red, green, blue = (number & 3) * 85, (number >> 2 & 3) * 85, (number >> 4 & 3) * 85
    return red << 16 | green << 8 | blue


def number(rgb: int) -> int:
    """Return the number whose colour is nearest to 0xRRGGBB."""
    red, green, blue = ((rgb >> shift & 255) + 42 for shift in (16, 8, 0))
    return red // 85 | blue // 85 << 4 | green // 85 << 2
