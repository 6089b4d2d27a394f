"""Every app proves that it works: its recipe runs and a number is right (A7)."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
#: The recipes of apps that are in images only run there: `make recipe`.
RECIPES = sorted(
    file.parent / "recipe" / "run.py"
    for file in REPOSITORY.glob("images/*/app.yaml")
    if "image_only: true" not in file.read_text("utf-8")
)
PYTHON = REPOSITORY / ".session-env" / "bin" / "python"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.parts[-3])
def test_the_recipe_finds_the_right_number(recipe: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, recipe], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "good" in done.stdout
