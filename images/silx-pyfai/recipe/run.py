"""Proves that pyFAI works, unattended: integrates a diffraction ring and checks its angle.

The image is made here by plain trigonometry, without pyFAI: a Pilatus 300K, tilted by nothing,
200 mm behind the sample, with a ring at 2θ = 12.5° on a flat background and noise from a fixed
seed. Run it with the Python of the app: `python run.py`. Ends with 0 when the angle is right.
"""

import sys

import numpy as np
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

DISTANCE_M = 0.2
PIXEL_M = 172e-6
SHAPE = (619, 487)
CENTRE_PX = (300.0, 240.0)  # y, x
RING_DEGREES = 12.5
WIDTH_DEGREES = 0.1
TOLERANCE_DEGREES = 0.002


def ring() -> np.ndarray:
    """Give the detector's image, in counts."""
    y, x = np.indices(SHAPE) + 0.5
    radius = np.hypot(y - CENTRE_PX[0], x - CENTRE_PX[1]) * PIXEL_M
    angle = np.degrees(np.arctan2(radius, DISTANCE_M))
    expected = 20 + 1000 * np.exp(-0.5 * ((angle - RING_DEGREES) / WIDTH_DEGREES) ** 2)
    return np.random.default_rng(20230612).poisson(expected).astype(np.float32)


def main() -> int:
    """Integrate, print what was found, return the exit status."""
    integrator = AzimuthalIntegrator(
        dist=DISTANCE_M,
        poni1=CENTRE_PX[0] * PIXEL_M,
        poni2=CENTRE_PX[1] * PIXEL_M,
        pixel1=PIXEL_M,
        pixel2=PIXEL_M,
    )
    # The solid angle's correction would not move a ring by as much as the tolerance.
    angle, counts = integrator.integrate1d(
        ring(), 1000, unit="2th_deg", correctSolidAngle=False, method=("full", "csr", "cython")
    )
    near = abs(angle - RING_DEGREES) < 5 * WIDTH_DEGREES
    above = counts[near] - counts[near].min()
    centre = float((angle[near] * above).sum() / above.sum())
    good = abs(centre - RING_DEGREES) < TOLERANCE_DEGREES
    print(f"ring: {centre:.4f}°, expected {RING_DEGREES}°: {'good' if good else 'WRONG'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
