"""Proves that PyMca works, unattended: fits the spectrum of a steel and checks the iron.

The spectrum and the fit's configuration come with PyMca (Steel.spe, Steel.cfg). Run it with the
Python of the app: `python run.py`. Ends with 0 when the number is right.
"""

import sys
from pathlib import Path

import PyMca5
from PyMca5.PyMcaIO import ConfigDict, specfilewrapper
from PyMca5.PyMcaPhysics.xrf import ClassMcaTheory

DATA = Path(PyMca5.__file__).parent / "PyMcaData"
IRON_COUNTS = 3.072e6  # area of the Fe Kα group, in counts, fitted by PyMca 5.9.7
TOLERANCE = 0.01


def main() -> int:
    """Fit, print what was found, return the exit status."""
    configuration = ConfigDict.ConfigDict()
    configuration.read(str(DATA / "Steel.cfg"))
    spectrum = specfilewrapper.Specfile(str(DATA / "Steel.spe"))[0].mca(1)
    theory = ClassMcaTheory.McaTheory()
    theory.setConfiguration(configuration)
    limits = configuration["fit"]
    theory.setData(spectrum, xmin=limits["xmin"], xmax=limits["xmax"])
    theory.estimate()
    _, result = theory.startfit(digest=1)
    iron = result["Fe Ka"]["fitarea"]
    good = abs(iron / IRON_COUNTS - 1) < TOLERANCE
    print(f"Fe Ka: {iron:.4g} counts, expected {IRON_COUNTS:.4g}: {'good' if good else 'WRONG'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
