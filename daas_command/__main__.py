"""`daas`: the command line's front door. Exit codes: 0 done, 1 refused, 2 not understood."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from daas_command import check, people
from daas_model.errors import DaasError


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="daas", description="Looks after a portal for data analysis."
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("DAAS_CONFIG", "/etc/daas/jupyterhub_config.py")),
        help="the hub's configuration (default: $DAAS_CONFIG, then %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    people.add_to(commands)
    check.add_to(commands)
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except DaasError as error:
        print(f"{error}\n{error.detail}".strip(), file=sys.stderr)
        return 1
    return code


def entry() -> NoReturn:
    """Be the command `daas`: end even when a thread hangs, as a dead file server makes it."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
