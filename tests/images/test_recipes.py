"""Every app proves that it works: its recipe runs and a number is right (A7)."""

import subprocess
from pathlib import Path

import pytest

from daas_catalogue.facility import read_apps

REPOSITORY = Path(__file__).parents[2]
APPS = read_apps(REPOSITORY / "images")
#: Those of the other apps run in their images: `make recipe`, and the tests of engines.
RECIPES = [
    REPOSITORY / "images" / name / "recipe" / "run.py"
    for name, app in APPS.items()
    if not app.image_only
]
PYTHON = REPOSITORY / ".session-env" / "bin" / "python"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.parts[-3])
def test_the_recipe_finds_the_right_number(recipe: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, recipe], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "good" in done.stdout


@pytest.mark.parametrize("app", APPS)
def test_every_app_has_a_recipe(app: str) -> None:
    folder = REPOSITORY / "images" / app / "recipe"
    assert (folder / "run.py").is_file()
