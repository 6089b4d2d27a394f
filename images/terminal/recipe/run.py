"""Proves that the terminal works, unattended: starts it and lets a shell in it add some numbers.

Run it with the Python of the image: `python run.py`. Ends with 0 when the sum is right.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from daas_desktop.picture.display import Display

SUM = "5050"
WITHIN_S = 30


def main() -> int:
    """Start X server and terminal, print what the shell found, return the exit status."""
    display = Display(os.environ)
    display.wait()
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said")
        adds = f"test -t 1 && seq 100 | awk '{{ s += $1 }} END {{ print s }}' > {said}"
        command = ["xterm", "-fa", "DejaVu Sans Mono", "-e", "sh", "-c", adds]
        subprocess.run(command, env=display.environment, timeout=WITHIN_S, check=False)
        found = said.read_text().strip() if said.exists() else "nothing"
    display.close()
    good = found == SUM
    print(f"sum in the terminal: {found}, expected {SUM}: {'good' if good else 'WRONG'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
