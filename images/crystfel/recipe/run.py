"""Proves that CrystFEL works, unattended: indexes simulated patterns and checks the crystal's cell.

Five patterns of a lysozyme-like crystal in random orientations are made here with the standard
library: a reflection is where its point of the reciprocal lattice lies on Ewald's sphere.
CrystFEL is not told the cell. Run it with any Python beside CrystFEL's programs: `python run.py`.
Ends with 0 when the volume of the cell that it finds is right.
"""

import array
import math
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CELL_A = (79.2, 79.2, 38.0)
VOLUME_NM3 = 79.2 * 79.2 * 38.0 / 1000
TOLERANCE = 0.01
PATTERNS = 5
SIZE_PX, PIXEL_M, DISTANCE_M = 1024, 200e-6, 0.2
PHOTON_EV = 9500
WAVELENGTH_A = 12398.42 / PHOTON_EV
NEAR_SPHERE = 0.0012  # 1/Å: how far a point may lie from the sphere and still reflect

GEOMETRY = f"""photon_energy = {PHOTON_EV} eV
adu_per_photon = 1
clen = {DISTANCE_M}
res = {1 / PIXEL_M:.0f}
panel/min_fs = 0
panel/max_fs = {SIZE_PX - 1}
panel/min_ss = 0
panel/max_ss = {SIZE_PX - 1}
panel/corner_x = {-SIZE_PX / 2}
panel/corner_y = {-SIZE_PX / 2}
panel/fs = +x
panel/ss = +y
"""
HEADER = """###CBF: VERSION 1.5
data_simulated
_array_data.data
;
--CIF-BINARY-FORMAT-SECTION--
Content-Type: application/octet-stream;
X-Binary-Size: {size}
X-Binary-Element-Type: "signed 32-bit integer"
X-Binary-Element-Byte-Order: LITTLE_ENDIAN
X-Binary-Number-of-Elements: {count}
X-Binary-Size-Fastest-Dimension: {side}
X-Binary-Size-Second-Dimension: {side}

"""

Matrix = list[tuple[float, float, float]]


def orientation(chance: random.Random) -> Matrix:
    """Give a random rotation, from a random unit quaternion."""
    four = [chance.gauss(0, 1) for _ in range(4)]
    length = math.sqrt(sum(x * x for x in four))
    w, x, y, z = (value / length for value in four)
    return [
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]


def spots(turn: Matrix) -> Iterator[tuple[int, int]]:
    """Give the pixels where reflections hit the detector; the beam goes along z."""
    k = 1 / WAVELENGTH_A
    ranges = [range(-math.ceil(a / 2.4), math.ceil(a / 2.4) + 1) for a in CELL_A]
    for h in ranges[0]:
        for m in ranges[1]:
            for n in ranges[2]:
                g = (h / CELL_A[0], m / CELL_A[1], n / CELL_A[2])
                x, y, z = (sum(r * c for r, c in zip(row, g, strict=True)) for row in turn)
                out = math.sqrt(x * x + y * y + (z + k) ** 2)
                if (h or m or n) and z + k > 0 and abs(out - k) < NEAR_SPHERE:
                    scale = DISTANCE_M / (z + k) / PIXEL_M
                    yield round(x * scale + SIZE_PX / 2), round(y * scale + SIZE_PX / 2)


def pattern(chance: random.Random) -> bytes:
    """Give one detector image, in CBF, not compressed."""
    counts = array.array("i", chance.choices(range(5, 16), k=SIZE_PX * SIZE_PX))
    for x, y in spots(orientation(chance)):
        if 3 < x < SIZE_PX - 4 and 3 < y < SIZE_PX - 4:
            for down in range(-2, 3):
                for right in range(-2, 3):
                    counts[(y + down) * SIZE_PX + x + right] += int(
                        900 * math.exp(-(down**2 + right**2) / 1.5)
                    )
    data = counts.tobytes()
    header = HEADER.format(size=len(data), count=len(counts), side=SIZE_PX)
    ending = b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"
    return header.replace("\n", "\r\n").encode() + b"\x0c\x1a\x04\xd5" + data + ending


def volumes(stream: str) -> list[float]:
    """Give the volumes, in nm³, of the cells in CrystFEL's stream."""
    line = re.compile(r"^Cell parameters (\S+) (\S+) (\S+) nm", re.MULTILINE)
    return [math.prod(map(float, found)) for found in line.findall(stream)]


def main() -> int:
    """Simulate, index, print what was found, return the exit status."""
    chance = random.Random(20111111)  # noqa: S311  the same patterns each time
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [f"pattern-{number}.cbf" for number in range(PATTERNS)]
        for file in names:
            (folder / file).write_bytes(pattern(chance))
        (folder / "list").write_text("".join(f"{folder / file}\n" for file in names))
        (folder / "geom").write_text(GEOMETRY)
        command = ["indexamajig", "-i", "list", "-g", "geom", "-o", "stream", "-j", "2"]
        command += ["--peaks=peakfinder8", "--threshold=100", "--min-snr=5", "--min-pix-count=2"]
        command += ["--indexing=asdf", "--int-radius=3,4,5"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stderr[-2000:])
            return 1
        found = volumes((folder / "stream").read_text())
    mean = sum(found) / len(found) if found else 0.0
    good = len(found) >= PATTERNS - 1 and abs(mean / VOLUME_NM3 - 1) < TOLERANCE
    print(
        f"cell: {mean:.1f} nm³ from {len(found)} of {PATTERNS} patterns, expected "
        f"{VOLUME_NM3:.1f} nm³: {'good' if good else 'WRONG'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
