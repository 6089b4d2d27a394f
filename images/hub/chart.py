"""The hub's settings in a cluster: the Helm chart's values, then its snippets of Python.

`DAAS_SETTINGS` names this file there, and `DAAS_VALUES` the folder that the chart fills.
"""

import os
import sys
from pathlib import Path

from daas_command.chart import apply

c = get_config()

folder = Path(os.environ["DAAS_VALUES"])
try:
    apply(c, folder / "values.json")
except ValueError as error:
    sys.exit(str(error))
for snippet in sorted(folder.glob("*.py")):
    # Not by load_subconfig: a snippet sees what is set already, and can add to it.
    exec(compile(snippet.read_text("utf-8"), snippet, "exec"))  # noqa: S102  the administrators' own
