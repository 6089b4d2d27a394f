"""Style, types and the direction of imports are tests like others; `make lint` runs them alone."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent


def complaints(program: str, *arguments: str) -> str:
    command = [str(PROGRAMS / program), *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_code_follows_the_rules() -> None:
    assert complaints("ruff", "check", ".") == ""


def test_the_code_is_set_as_the_formatter_sets_it() -> None:
    assert complaints("ruff", "format", "--check", ".") == ""


def test_the_types_fit() -> None:
    assert complaints("mypy") == ""


def test_nobody_imports_against_the_direction() -> None:
    assert complaints("lint-imports") == ""
