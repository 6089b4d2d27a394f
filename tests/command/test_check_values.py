"""`daas check values`: what an upgrade would stop at is said before the portal is away."""

import base64
import io
import json

import pytest
import yaml

from daas_command.__main__ import main
from tests.conftest import REPOSITORY


def chart(snippet: str = "c.PortalApp.notice = 'x'", **config: object) -> str:
    """What `helm template` writes, as far as it counts."""
    values = json.dumps({"config": config, "machines": []})
    files = {"values.json": values, "10-mine.py": snippet}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
    return yaml.safe_dump_all(
        [{"kind": "Secret", "data": None}, None, {"kind": "Secret", "data": data}]
    )


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        pytest.param(chart(), 0, "can read these values: 10-mine.py, values.json.", id="well"),
        pytest.param(
            chart(PortalApp={"titel": "x"}), 1, "Did you mean PortalApp.title?", id="a setting"
        ),
        pytest.param(chart("if x"), 1, "extraConfig.10-mine in the chart's", id="a snippet"),
        pytest.param(
            chart(Facility={"apps_left_out": ["pymcaa"]}), 1, "no app pymcaa", id="an app"
        ),
        pytest.param(
            chart(Facility={"machines_offered": {"small": {"cpus": 0}}}),
            1,
            "Facility.machines_offered cannot be used",
            id="a machine",
        ),
        pytest.param("", 2, "This is no rendered chart of ours.", id="nothing"),
        pytest.param("a word", 2, "This is no rendered chart of ours.", id="a word"),
        pytest.param("{", 2, "This is no rendered chart of ours.", id="no YAML"),
    ],
)
def test_a_rendered_chart_is_examined_and_nothing_of_it_is_run(
    text: str,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DAAS_APPS", str(REPOSITORY / "images"))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["check", "values"]) == code
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    assert len((printed.out + printed.err).splitlines()) == 1
