"""The values of the Helm chart as the hub's configuration.

`images/hub/chart.py` calls `apply` in the hub and in the portal, which read one configuration.
"""

import json
import os
from pathlib import Path
from typing import Any


def apply(c: Any, file: Path) -> None:
    """Set what *file* says in *c*, the traitlets configuration.

    The chart writes it: `{"config": {CLASS: {SETTING: VALUE}}, "machines": [{"name": …}]}`.
    Raises ValueError with a sentence for each setting that does not exist, or not with such a
    value: a hub would start without it, and nobody would know.
    """
    values = json.loads(file.read_text("utf-8"))
    config = values["config"]
    if values.get("machines"):
        # A list there, because Helm keeps no order of names, and the first is the default.
        machines = {one.pop("name"): one for one in values["machines"]}
        config.setdefault("Facility", {}).setdefault("machines_offered", machines)
    if "JUPYTERHUB_SERVICE_NAME" not in os.environ:  # the hub has looked before its services
        from daas_command.known import known, refusals  # noqa: PLC0415  all of the hub's code

        if wrong := list(refusals(config, known())):
            raise ValueError(" ".join(["hub.config in the chart's values cannot be used.", *wrong]))
    for owner, settings in config.items():
        for name, value in settings.items():
            c[owner][name] = value
