"""`daas check values`: a rendered Helm chart, before an upgrade takes the portal away for it.

Exit codes are those of `daas check`. It needs no configuration: the hub that runs looks at what the
next one would read.
"""

import argparse
import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from traitlets import TraitError
from traitlets.config import Config

from daas_catalogue.facility import Facility
from daas_command.chart import apply, compiled
from daas_model.errors import DaasError

VALUES = "values.json"


def add_to(parts: Any) -> None:
    """Add the part to the *parts* of `daas check`."""
    words = "examine the hub's settings in a rendered Helm chart, from standard input"
    parser = parts.add_parser("values", help=words, description=words)
    parser.set_defaults(run=check_values)


def check_values(_wanted: argparse.Namespace) -> int:
    """Examine what `helm template` wrote to standard input; print and return the exit code."""
    try:
        settings = rendered(sys.stdin.read())
    except (ValueError, AttributeError, yaml.YAMLError):
        print("This is no rendered chart of ours. Pipe `helm template …` into it.", file=sys.stderr)
        return 2
    try:
        examine(settings)
    except (ValueError, TraitError, DaasError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    print(f"The hub can read these values: {', '.join(sorted(settings))}.")
    return 0


def rendered(text: str) -> dict[str, str]:
    """Return the files of the hub's Secret in *text*. Raises ValueError when there is none."""
    for made in yaml.safe_load_all(text):
        data = (made or {}).get("data") or {}
        if VALUES in data:
            return {name: base64.b64decode(value).decode() for name, value in data.items()}
    raise ValueError


def examine(settings: dict[str, str]) -> None:
    """Raise ValueError, TraitError or DaasError when the hub could not start with *settings*."""
    c = Config()
    if "DAAS_APPS" in os.environ:
        c.Facility.apps_folder = os.environ["DAAS_APPS"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / VALUES
        file.write_text(settings[VALUES], "utf-8")
        apply(c, file)
    for name, text in settings.items():
        if name.endswith(".py"):
            compiled(Path(name), text)
    if "apps_folder" in c.Facility:
        Facility(config=c)
