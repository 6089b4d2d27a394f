"""`helm template` with values: needs helm's program, and no cluster."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import EVERY_ENGINE, REPOSITORY
from tests.engines.daemons import NotHere
from tests.engines.kubernetes.programs import HELM, require_programs

CHART = REPOSITORY / "helm" / "daas-hub"

Helm = Callable[..., "subprocess.CompletedProcess[str]"]
Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    """Call helm's `template` with values."""
    try:
        require_programs()
    except NotHere as reason:
        said = f"helm was not run: {reason}"
        pytest.fail(said) if request.config.getoption(EVERY_ENGINE) else pytest.skip(said)

    def call(values: object) -> "subprocess.CompletedProcess[str]":
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        argv = [HELM, "template", "x", CHART, "--kube-version=1.35.0", f"--values={file}"]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def rendered(helm: Helm) -> Render:
    """Return what the chart makes of values, as objects."""

    def render(values: object) -> list[dict[str, Any]]:
        done = helm(values)
        assert done.returncode == 0, done.stderr
        return [made for made in yaml.safe_load_all(done.stdout) if made]

    return render
