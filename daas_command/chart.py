"""The values of the Helm chart as the hub's configuration.

`images/hub/chart.py` calls this in the hub and in the portal, which read one configuration.
What is wrong is one sentence: the last that a person reads of a pod that does not start.
"""

import json
import os
import traceback
from pathlib import Path
from typing import Any


def require_state(folder: Path) -> None:
    """Raise ValueError unless the hub can write where its databases are."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"The hub's state cannot be kept: {folder} cannot be written by the user id "
            f"{os.geteuid()}. Give the folder of its volume to that user, with mode 0700."
        )


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
        require_apps(c, config.get("Facility", {}).get("apps_left_out", []))
    for owner, settings in config.items():
        for name, value in settings.items():
            c[owner][name] = value


def require_apps(c: Any, left_out: list[str]) -> None:
    """Raise ValueError when *left_out* names an app that there is not: it would leave out none."""
    folder = c.Facility.get("apps_folder")
    apps = {file.parent.name for file in Path(folder).glob("*/app.yaml")} if folder else set()
    unknown = [name for name in left_out if name not in apps] if apps else []
    if unknown:
        from daas_command.known import meant  # noqa: PLC0415  all of the hub's code

        raise ValueError(
            f"There is no app {unknown[0]}, which apps.leftOut in the chart's values names."
            f"{meant(unknown[0], apps)} The hub's image has: {', '.join(sorted(apps))}."
        )


def run_snippet(snippet: Path, names: dict[str, Any]) -> None:
    """Run the Python in *snippet* with *names*. Raises ValueError that says what and where."""
    try:
        # Not by load_subconfig: a snippet sees what is set already, and can add to it.
        exec(compile(snippet.read_text("utf-8"), snippet, "exec"), names)  # noqa: S102  theirs
    except Exception as error:  # it is a program, of the administrators' own
        if isinstance(error, SyntaxError):
            line, why = error.lineno, error.msg
        else:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(snippet)]
            line, why = lines[-1] if lines else None, str(error)
        raise ValueError(
            f"hub.extraConfig.{snippet.stem} in the chart's values cannot be used: "
            f"{type(error).__name__} in line {line or '?'}: {why.rstrip('.')}."
        ) from None
