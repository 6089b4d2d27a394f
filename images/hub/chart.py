"""The hub's settings in a cluster: the Helm chart's values, then its snippets of Python.

`DAAS_SETTINGS` names this file there, and `DAAS_VALUES` the folder that the chart fills.
"""

import os
import sys
from pathlib import Path

from daas_command.chart import apply, require_state, run_snippet

c = get_config()

folder = Path(os.environ["DAAS_VALUES"])
try:
    if "DAAS_STATE" in os.environ:
        require_state(Path(os.environ["DAAS_STATE"]))
    apply(c, folder / "values.json")
    for snippet in sorted(folder.glob("*.py")):
        run_snippet(snippet, globals())
except ValueError as error:
    sys.exit(str(error))
