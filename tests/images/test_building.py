"""Which images `make images` builds, in which order, with what, and what it says when it cannot."""

from pathlib import Path

import pytest

from tools import images
from tools.images import Engine, Trouble, find_engine, in_order, report


def dockerfile(folder: Path, name: str, *begins: str) -> None:
    (folder / name).mkdir()
    lines = [f"FROM ${{PREFIX}}{below}:${{VERSION}}\n" for below in begins]
    (folder / name / "Dockerfile").write_text("".join(lines) or "FROM debian:bookworm-slim\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dockerfile(tmp_path, "base")
    dockerfile(tmp_path, "build", "base")
    dockerfile(tmp_path, "desktop", "base")
    dockerfile(tmp_path, "pymca", "build", "desktop")
    return tmp_path


def test_an_image_comes_after_all_that_it_begins_with(folder: Path) -> None:
    assert in_order(["pymca"], folder) == ["base", "build", "desktop", "pymca"]
    assert in_order(["desktop", "base", "pymca"], folder)[:2] == ["base", "desktop"]


def test_a_facility_adds_an_image_by_adding_a_folder(folder: Path) -> None:
    dockerfile(folder, "rgbcorrelator", "pymca")
    assert in_order(["rgbcorrelator"], folder)[-2:] == ["pymca", "rgbcorrelator"]


def test_an_image_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(Trouble, match=r"There is no images/savu/Dockerfile\."):
        in_order(["savu"], folder)


def test_images_that_begin_with_each_other_are_refused(folder: Path) -> None:
    dockerfile(folder, "one", "two")
    dockerfile(folder, "two", "one")
    with pytest.raises(Trouble, match="begin with each other"):
        in_order(["one"], folder)


def command(folder: Path, name: str, script: str) -> str:
    """Put a command there that answers as *script* says; give the folder for PATH."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / name).chmod(0o755)
    return str(place)


# What the clients answer: which version, and whether a daemon is behind them.
OLD = 'case $1 in buildx) exit 1;; --version) echo "Docker version 20.10.24";; esac'
OLD_ALONE = OLD.replace("esac", "version) exit 1;; esac")
OLD_SERVED = OLD.replace("esac", "version) echo 20.10.24;; esac")
NEW_BARE = 'case $1 in buildx) exit 1;; --version) echo "Docker version 28.2.2";; esac'


@pytest.mark.parametrize(
    ("docker", "podman", "wanted", "expected"),
    [
        pytest.param(OLD_SERVED, "", "", "docker", id="Docker that answers"),
        pytest.param(OLD_SERVED, "exit 0", "podman", "podman", id="Podman is asked for"),
        pytest.param(OLD_ALONE, "exit 0", "", "podman", id="Docker does not run"),
        pytest.param(NEW_BARE, "exit 0", "", "podman", id="Docker cannot take secrets"),
        pytest.param("", "exit 0", "", "podman", id="there is Podman only"),
    ],
)
def test_the_engine_is_the_one_that_can(
    docker: str, podman: str, wanted: str, expected: str, tmp_path: Path
) -> None:
    for name, script in (("docker", docker), ("podman", podman)):
        if script:
            command(tmp_path, name, script)
    environment = {"PATH": str(tmp_path / "bin"), "ENGINE": wanted}
    assert find_engine(environment).name == expected


@pytest.mark.parametrize(
    ("docker", "wanted", "said"),
    [
        pytest.param("", "", "There is no container engine here: start Docker", id="none"),
        pytest.param("", "lxc", "ENGINE is lxc; it can be docker or podman.", id="another"),
        pytest.param(OLD_ALONE, "docker", "Docker does not answer: start it", id="no daemon"),
        pytest.param(NEW_BARE, "docker", "cannot build with secrets", id="no BuildKit"),
    ],
)
def test_without_an_engine_one_sentence_says_what_to_do(
    docker: str, wanted: str, said: str, tmp_path: Path
) -> None:
    path = command(tmp_path, "docker", docker) if docker else str(tmp_path)
    with pytest.raises(Trouble, match=said):
        find_engine({"PATH": path, "ENGINE": wanted})


def test_certificates_go_along_as_a_secret_and_a_failure_names_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = command(tmp_path, "docker", f'echo "$@" >{tmp_path}/said; echo no space left; exit 1')
    engine = Engine("docker", f"{path}/docker")
    with pytest.raises(Trouble, match=rf"base could not be built; the whole log is {tmp_path}/\S+"):
        images.build(engine, "base", {"DAAS_CA": "/etc/ca.crt", "DAAS_IMAGE_PREFIX": "lab/"})
    said = (tmp_path / "said").read_text()
    assert "--secret id=ca,src=/etc/ca.crt" in said
    assert f"--tag lab/base:{images.VERSION}" in said
    assert said.endswith("/daas_desktop\n")
    assert "no space left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sizes", "good"),
    [
        pytest.param({"desktop": 520.0, "pymca": 1000.0}, True, id="at the bar"),
        pytest.param({"desktop": 520.4, "pymca": 900.0}, False, id="the desktop is too large"),
        pytest.param({"desktop": 400.0, "pymca": 880.5}, False, id="PyMca adds too much"),
        pytest.param({"base": 5000.0}, True, id="no bar"),
    ],
)
def test_an_image_above_its_bar_is_said(
    sizes: dict[str, float], good: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(sizes) is good
    assert ("TOO LARGE" in capsys.readouterr().out) is not good


@pytest.mark.parametrize("arguments", [["recipe"], ["recipe", "savu"], ["build", "savu"]], ids=str)
def test_what_cannot_be_done_is_one_sentence_and_status_1(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert images.main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1
