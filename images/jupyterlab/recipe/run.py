"""Proves that notebooks work, unattended: runs one in a real kernel and checks its number.

`scan.csv` is a simulated rocking curve with its centre at 12.345°. Run it with the Python of the
app: `python run.py`. Ends with 0 when the number is right.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
CENTRE_DEGREES = 12.345
TOLERANCE_DEGREES = 0.001

CELL = """
import csv
with open("scan.csv") as file:
    scan = [(float(row["angle"]), float(row["counts"])) for row in csv.DictReader(file)]
print(sum(angle * counts for angle, counts in scan) / sum(counts for _, counts in scan))
"""


def main() -> int:
    """Run the notebook, print what was found, return the exit status."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, resources={"metadata": {"path": str(HERE)}}).execute()
    centre = float(notebook.cells[0].outputs[0].text)
    good = abs(centre - CENTRE_DEGREES) < TOLERANCE_DEGREES
    print(f"centre: {centre:.4f}°, expected {CENTRE_DEGREES}°: {'good' if good else 'WRONG'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
