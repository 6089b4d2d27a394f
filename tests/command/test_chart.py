"""The Helm chart's values as the hub's configuration: all of it is set, or nothing starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from traitlets.config import Config

from daas_command.chart import apply
from daas_command.configuration import load
from daas_command.known import OURS, known, refusals
from daas_model.errors import BadRequest
from tests.conftest import REPOSITORY

GOOD = {
    "config": {
        "DaasAuthenticator": {"issuer": "https://sso.example/realms/users", "min_uid": 1000},
        "JupyterHub": {"concurrent_spawn_limit": 64, "authenticator_class": "daas"},
        "KubeSpawner": {"image_pull_policy": "Always"},
        "LdapAccounts": {"servers": ["ldaps://ldap.example"]},
    },
    "machines": [
        {"name": "small", "title": "Small", "cpus": 2, "memory_gib": 4},
        {"name": "gpu", "title": "GPU", "cpus": 8, "memory_gib": 64},
        {"name": "large", "title": "Large", "cpus": 16, "memory_gib": 128},
    ],
}


def written(folder: Path, config: object, **more: object) -> Path:
    file = folder / "values.json"
    file.write_text(json.dumps({"config": config, **more}))
    return file


def test_everything_is_set_and_machines_keep_their_order(tmp_path: Path) -> None:
    c = Config()
    apply(c, written(tmp_path, **GOOD))
    assert c.DaasAuthenticator == GOOD["config"]["DaasAuthenticator"]
    assert c.JupyterHub.concurrent_spawn_limit == 64
    assert list(c.Facility.machines_offered) == ["small", "gpu", "large"]
    assert c.Facility.machines_offered["gpu"] == {"title": "GPU", "cpus": 8, "memory_gib": 64}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        pytest.param(
            {"DaasAuthenticater": {"issuer": "x"}},
            r"no settings of DaasAuthenticater\. Did you mean DaasAuthenticator\?",
            id="a class misspelt",
        ),
        pytest.param(
            {"DaasAuthenticator": {"isuer": "x"}},
            r"no setting DaasAuthenticator\.isuer\. Did you mean DaasAuthenticator\.issuer\?",
            id="a setting misspelt",
        ),
        pytest.param(
            {"KubeSpawner": {"image_pull": "Always"}},
            r"no setting KubeSpawner\.image_pull\.",
            id="a setting of KubeSpawner's misspelt",
        ),
        pytest.param(
            {"JupyterHub": {"log_datefmt": 7}},
            r"JupyterHub\.log_datefmt cannot be so: .* expected a unicode string, not the int 7\.",
            id="a value of another type",
        ),
        pytest.param(
            {"Facility": {"without_proposal": "somebody"}},
            r"Facility\.without_proposal cannot be so: .*'everyone'",
            id="none of the values there are",
        ),
        pytest.param(
            {"StorageLayout": {"roots": "/data, /more"}},
            r"StorageLayout\.roots must be a list, such as \[/data, /more\]\.",
            id="a text for a list",
        ),
        pytest.param(
            {"Facility": {"apps_left_out": ["crystfell"]}},
            r"no app crystfell, which apps\.leftOut .* Did you mean crystfel\? The hub's image has",
            id="an app that is none",
        ),
        pytest.param(
            {"PortalApp": {"titel": "x"}, "Facility": {"zoo": 1}},
            r"PortalApp\.titel.* There is no setting Facility\.zoo\.",
            id="two at once",
        ),
    ],
)
def test_what_cannot_be_set_stops_the_start_with_a_sentence(
    config: object, sentence: str, tmp_path: Path
) -> None:
    c = Config()
    c.Facility.apps_folder = str(REPOSITORY / "images")
    with pytest.raises(ValueError, match=sentence):
        apply(c, written(tmp_path, config))


def test_the_apps_that_the_chart_leaves_out_are_there(tmp_path: Path) -> None:
    values = yaml.safe_load((REPOSITORY / "helm" / "daas-hub" / "values.yaml").read_text("utf-8"))
    c = Config()
    c.Facility.apps_folder = str(REPOSITORY / "images")
    left_out = values["apps"]["leftOut"]
    apply(c, written(tmp_path, {"Facility": {"apps_left_out": left_out}}))
    assert c.Facility.apps_left_out == left_out


def test_what_takes_a_text_or_a_list_takes_both() -> None:
    """JupyterHub's own commands do."""
    for command in ("node proxy.mjs", ["node", "proxy.mjs"]):
        assert list(refusals({"ConfigurableHTTPProxy": {"command": command}}, known())) == []


@pytest.mark.parametrize("made", OURS, ids=lambda made: made.__name__)
def test_each_default_of_ours_may_be_written_down(made: type) -> None:
    """What is looked at alone must not be refused where the class takes it."""
    defaults = {
        name: value
        for name, trait in made.class_traits(config=True).items()  # type: ignore[attr-defined]
        if isinstance(value := trait.default(), str | int | float | list | dict)
    }
    assert list(refusals({made.__name__: defaults}, known())) == []


def test_the_settings_file_of_the_image_takes_values_then_snippets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"PortalApp": {"title": "From values", "notice": "From values"}})
    (tmp_path / "10-later.py").write_text("c.PortalApp.notice += ', then more'")
    (tmp_path / "00-first.py").write_text("c.PortalApp.notice = 'From a snippet'")
    monkeypatch.setenv("DAAS_VALUES", str(tmp_path))
    c = load(REPOSITORY / "images" / "hub" / "chart.py")
    assert c.PortalApp.title == "From values"
    assert c.PortalApp.notice == "From a snippet, then more"


VALUES = "hub.config in the chart's values cannot be used. "
SNIPPET = "hub.extraConfig.10-mine in the chart's values cannot be used: "


@pytest.mark.parametrize(
    ("titles", "snippet", "said"),
    [
        pytest.param(
            {"titel": "x"},
            "",
            VALUES + "There is no setting PortalApp.titel. Did you mean PortalApp.title?",
            id="a setting misspelt",
        ),
        pytest.param(
            {}, "x = 1\nif x\n", SNIPPET + "SyntaxError in line 2: expected ':'.", id="no Python"
        ),
        pytest.param(
            {},
            "x = 1\ny = z\n",
            SNIPPET + "NameError in line 2: name 'z' is not defined.",
            id="Python that fails",
        ),
    ],
)
def test_a_hub_with_values_that_cannot_be_used_says_one_sentence_and_ends(
    tmp_path: Path, titles: object, snippet: str, said: str
) -> None:
    """No traceback: it is the last that a person reads of a pod that does not start."""
    written(tmp_path, {"PortalApp": titles})
    (tmp_path / "10-mine.py").write_text(snippet)
    done = hub(tmp_path, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == said


def test_a_hub_that_cannot_keep_its_state_says_so_before_all_else(tmp_path: Path) -> None:
    """JupyterHub would speak of a cookie's file, in forty lines."""
    written(tmp_path, {"PortalApp": {"titel": "x"}})
    state = tmp_path / "state"
    done = hub(tmp_path, state)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"The hub's state cannot be kept: {state} cannot be written by the user")
    assert f"id {os.geteuid()}. Give the folder of its volume to that user" in said


def hub(values: Path, state: Path) -> "subprocess.CompletedProcess[str]":
    """Start the hub with the chart's *values*; return how it ended."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "DAAS_VALUES": str(values),
        "DAAS_SETTINGS": str(REPOSITORY / "images" / "hub" / "chart.py"),
        "DAAS_HOSTING": "paths",
        "DAAS_STATE": str(state),
        "DAAS_RUN": str(values),
    }
    return subprocess.run(
        [sys.executable, "-m", "jupyterhub", "--config", REPOSITORY / "jupyterhub_config.py"],
        env=environment,
        cwd=values,
        capture_output=True,
        text=True,
        check=False,
    )


def test_daas_check_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, {"PortalApp": {"titel": "x"}})
    monkeypatch.setenv("DAAS_VALUES", str(tmp_path))
    with pytest.raises(BadRequest, match=r"Did you mean PortalApp\.title\?"):
        load(REPOSITORY / "images" / "hub" / "chart.py")
