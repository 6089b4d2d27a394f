"""Names of images, logins for registries, progress, problems: what is pure about fetching."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

import daas_model
from daas_model.errors import ImageProblem
from daas_model.parsing import Malformed
from daas_spawner.containers.fetch_problems import fetch_problem
from daas_spawner.containers.images import ContainerImages, Image
from daas_spawner.containers.progress import FetchProgress, Layers
from daas_spawner.containers.pull_secret import NOBODY, Login, PullSecret, read_login

DIGEST = "sha256:" + "5f" * 32


@pytest.mark.parametrize(
    ("settings", "name", "registry"),
    [
        pytest.param({}, f"daas/pymca:{daas_model.__version__}", "", id="made on the machine"),
        pytest.param(
            {"prefix": "registry.example/daas/", "tag": "7"},
            "registry.example/daas/pymca:7",
            "registry.example",
            id="of a registry",
        ),
        pytest.param(
            {"prefix": "localhost:5000/", "tag": "7"},
            "localhost:5000/pymca:7",
            "localhost:5000",
            id="of a registry with a port",
        ),
        pytest.param(
            {"prefix": "localhost/daas/", "tag": "7"},
            "localhost/daas/pymca:7",
            "",
            id="as Podman names what was made on the machine",
        ),
        pytest.param(
            {"references": {"pymca": "ghcr.io/x/y:1"}}, "ghcr.io/x/y:1", "ghcr.io", id="of its own"
        ),
        pytest.param(
            {"references": {"pymca": f"ghcr.io/x/y:1@{DIGEST}"}},
            f"ghcr.io/x/y@{DIGEST}",
            "ghcr.io",
            id="of its own by digest",
        ),
        pytest.param(
            {"prefix": "registry.example/", "pins": {"pymca": DIGEST}},
            f"registry.example/pymca@{DIGEST}",
            "registry.example",
            id="pinned",
        ),
        pytest.param(
            {"prefix": "registry.example/", "pins": {"jupyterlab": DIGEST}, "tag": "1"},
            "registry.example/pymca:1",
            "registry.example",
            id="another app is pinned",
        ),
    ],
)
def test_an_app_has_one_image(settings: dict[str, Any], name: str, registry: str) -> None:
    image = ContainerImages(**settings).image_of("pymca")
    assert image.name == name
    assert image.registry == registry


def test_an_app_in_capitals_has_an_image_in_small_letters() -> None:
    assert ContainerImages(tag="1").image_of("PyMca").name == "daas/pymca:1"


def test_an_app_whose_name_is_no_images_has_none() -> None:
    with pytest.raises(ImageProblem, match="no image here"):
        ContainerImages().image_of("pymca.")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        pytest.param({"prefix": "https://registry.example/"}, "prefix", id="an address"),
        pytest.param({"prefix": "registry.example/DAAS/"}, "prefix", id="capitals"),
        pytest.param({"tag": "a:b"}, "tag", id="two tags"),
        pytest.param({"tag": ""}, "tag", id="no tag: an engine would fetch all of them"),
        pytest.param({"references": {"pymca": "ghcr.io/x/y"}}, "tag or digest", id="no tag either"),
        pytest.param({"pins": {"pymca": "3f5a"}}, "'pymca' must have sha256", id="half a digest"),
    ],
)
def test_a_setting_that_makes_no_name_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(TraitError, match=reason):
        ContainerImages(**settings)


def packed(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


SECRET = json.dumps(
    {
        "auths": {
            "registry.example": {"auth": packed("whole", "pass:with:colons")},
            "registry.example/daas": {"username": "part", "password": "of-the-part"},
            "https://index.docker.io/v1/": {"auth": packed("hub", "p")},
            "tokens.example:5000": {"auth": packed("x", ""), "identitytoken": "a-token"},
        }
    }
)


@pytest.mark.parametrize(
    ("name", "auth"),
    [
        pytest.param(
            "registry.example/x:1",
            {"username": "whole", "password": "pass:with:colons"},
            id="of the registry",
        ),
        pytest.param(
            "registry.example/daas/x:1",
            {"username": "part", "password": "of-the-part"},
            id="of the longest place",
        ),
        pytest.param(
            "registry.example/daas-2/x:1",
            {"username": "whole", "password": "pass:with:colons"},
            id="a place is whole parts",
        ),
        pytest.param(
            "docker.io/x/y:1", {"username": "hub", "password": "p"}, id="Docker Hub's old address"
        ),
        pytest.param("tokens.example:5000/x:1", {"identitytoken": "a-token"}, id="a token"),
        pytest.param("registry.example.org/x:1", {}, id="a host that begins alike"),
        pytest.param("elsewhere.example/x:1", {}, id="none for it"),
    ],
)
def test_a_registry_is_shown_its_own_login_only(name: str, auth: dict[str, str]) -> None:
    assert PullSecret.parse(SECRET).login_for(Image.parse(name)).as_auth() == auth


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("not-JSON-hunter2", "must be JSON", id="no JSON"),
        pytest.param('{"hunter2": 1}', "must have 'auths'", id="something else"),
        pytest.param('{"credsStore": "hunter2"}', "credential helper", id="a helper"),
        pytest.param('{"auths": {"r.example": "hunter2"}}', "mapping", id="no mapping"),
        pytest.param('{"auths": {"r.example": {"auth": "hunter2"}}}', "base64", id="no base64"),
        pytest.param('{"auths": {"r.example": {"auth": 7}}}', "'auth' must be a text", id="number"),
    ],
)
def test_a_secret_that_is_none_is_named_without_quoting_it(text: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as raised:
        PullSecret.parse(text)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_the_log_names_the_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageProblem) as raised:
        read_login(str(tmp_path / "none.json"), Image.parse("r.example/x:1"))
    assert "none.json: No such file" in raised.value.detail
    assert str(tmp_path) not in str(raised.value)


def test_without_a_file_there_is_no_login() -> None:
    assert read_login("", Image.parse("r.example/x:1")) is NOBODY


def test_no_secret_stands_in_a_repr() -> None:
    assert "of-the-part" not in repr(PullSecret.parse(SECRET))
    assert repr(Login("name", "hunter2", "token")) == "Login()"


@pytest.mark.parametrize(
    ("progress", "sentence"),
    [
        pytest.param(FetchProgress(), "Fetching PyMca", id="nothing is known yet"),
        pytest.param(
            FetchProgress(1, 5, 120_000_000, 400_000_000, more_layers=False),
            "Fetching PyMca: layer 2 of 5, 120 of 400 MB",
            id="all is known",
        ),
        pytest.param(
            FetchProgress(1, 5, 120_000_000, None, more_layers=False),
            "Fetching PyMca: layer 2 of 5, 120 MB so far",
            id="a layer's size is not known",
        ),
        pytest.param(
            FetchProgress(1, 6, 120_000_000),
            "Fetching PyMca: layer 2 of at least 6, 120 MB so far",
            id="further layers may come",
        ),
        pytest.param(
            FetchProgress(5, 5, 400_000_000, 400_000_000, more_layers=False),
            "Fetching PyMca: layer 5 of 5, 400 of 400 MB",
            id="the last moment",
        ),
        pytest.param(
            FetchProgress(0, 1, 999, 1000, more_layers=False),
            "Fetching PyMca: layer 1 of 1",
            id="too small to speak of",
        ),
        pytest.param(
            FetchProgress(0, 1, 1_400_000, 1_400_001, more_layers=False),
            "Fetching PyMca: layer 1 of 1, 1 of 1 MB",
            id="never more than all",
        ),
    ],
)
def test_progress_is_a_sentence(progress: FetchProgress, sentence: str) -> None:
    assert progress.sentence("PyMca") == sentence


def line(status: str, layer: str = "", done: int = 0, total: int = 0) -> Mapping[str, Any]:
    return {
        "status": status,
        "id": layer,
        "progressDetail": {"current": done, "total": total} if total else {},
    }


#: As the two engines were heard to report, with round numbers.
DOCKER = (
    (line("Pulling from daas/pymca", "1"), FetchProgress(0, 0, 0, 0, more_layers=False)),
    (line("Already exists", "a"), FetchProgress(1, 1, 0, 0, more_layers=False)),
    (line("Pulling fs layer", "b"), FetchProgress(1, 2, 0, None, more_layers=False)),
    (line("Pulling fs layer", "c"), FetchProgress(1, 3, 0, None, more_layers=False)),
    (line("Waiting", "c"), FetchProgress(1, 3, 0, None, more_layers=False)),
    (line("Downloading", "b", 10, 20), FetchProgress(1, 3, 10, None, more_layers=False)),
    (line("Downloading", "c", 5, 30), FetchProgress(1, 3, 15, 50, more_layers=False)),
    (line("Download complete", "b"), FetchProgress(1, 3, 25, 50, more_layers=False)),
    (line("Extracting", "b", 1, 20), FetchProgress(1, 3, 25, 50, more_layers=False)),
    (line("Pull complete", "b"), FetchProgress(2, 3, 25, 50, more_layers=False)),
    (line("Digest: sha256:5f"), FetchProgress(2, 3, 25, 50, more_layers=False)),
)
PODMAN = (
    (line("Pulling fs layer", "b"), FetchProgress(0, 1, 0, None)),
    (line("Downloading", "b", 10, 20), FetchProgress(0, 1, 10, None)),
    (line("Download complete", "b"), FetchProgress(1, 1, 20, None)),
    (line("Already exists", "c"), FetchProgress(2, 2, 20, None)),
    (line("Downloading", "unknown", 10, 20), FetchProgress(2, 2, 20, None)),
    ({}, FetchProgress(2, 2, 20, None)),
    ({"status": None, "id": 7, "progressDetail": "odd"}, FetchProgress(2, 2, 20, None)),
)


@pytest.mark.parametrize("report", [DOCKER, PODMAN], ids=["docker", "podman"])
def test_an_engines_report_is_folded_line_by_line(
    report: tuple[tuple[Mapping[str, Any], FetchProgress], ...],
) -> None:
    layers = Layers()
    for number, (event, progress) in enumerate(report):
        layers.take(event)
        assert layers.progress == progress, f"line {number}"


def test_the_engines_words_reach_the_log_without_their_secrets() -> None:
    problem = fetch_problem(
        'Get "https://name:hunter2@store.example/x?Signature=hunter2": dial tcp: no such host',
        "registry.example/x:1",
    )
    assert problem.message == "The registry of this app's image does not answer as it should."
    assert problem.detail == (
        'registry.example/x:1: Get "https://…@store.example/x?…": dial tcp: no such host'
    )


def test_words_that_nobody_foresaw_are_a_problem_too() -> None:
    assert fetch_problem("the moon is full", "x:1").message == (
        "This app's image could not be fetched."
    )
