"""`daas check apps`: a contributed folder is judged in plain words, without a hub."""

import os
from pathlib import Path

import pytest

from daas_command.checks.app_images import shape_of, size_of

from .checking import REPOSITORY, run

APP = """\
title: Spectra
summary: Looks at spectra.
kind: desktop
command: [spectra, --full]
"""
ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder of an app of which there is nothing to say."""
    folder = tmp_path / "spectra"
    (folder / "recipe").mkdir(parents=True)
    (folder / "app.yaml").write_text(APP)
    (folder / "icon.svg").write_text(ICON)
    (folder / "Dockerfile").write_text("FROM registry.facility.example/daas/desktop:1\n")
    (folder / "recipe" / "run.py").write_text("print(1)\n")
    return folder


def checked(printed: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    """Return what the command says of apps; it must end with *code*."""
    ended = run(["--config", "/nowhere", "check", "apps", *map(str, arguments)])
    out, err = printed.readouterr()
    assert ended == code, out + err
    assert "Traceback" not in out + err
    return out + err


def test_a_good_folder_needs_no_configuration(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = checked(capsys, app)
    assert "spectra\n" in told
    assert "All is well (3)." in told


def test_a_folder_of_apps_is_all_of_them(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = app.parent / "other"
    other.mkdir()
    (other / "app.yaml").write_text("title: [")
    told = checked(capsys, app.parent, code=1)
    assert told.index("other\n") < told.index("spectra\n")
    assert "wrong    app.yaml: cannot be used" in told


SPOILT = {
    "an unknown entry": ("app.yaml", APP + "port: 80\n", "wrong    app.yaml: cannot be used"),
    "no command": ("app.yaml", "title: X\n", "wrong    app.yaml: cannot be used"),
    "not text": ("app.yaml", b"\xff\xfe", "wrong    app.yaml: cannot be used"),
    "a page for a picture": ("icon.svg", "<html/>", "wrong    icon.svg: is neither"),
    "a bomb for a picture": ("icon.svg", '<!DOCTYPE x [<!ENTITY a "b">]>' + ICON, "is neither"),
    "no picture": ("icon.svg", None, "wrong    icon.svg: the picture cannot be read"),
    "a huge picture": ("icon.svg", ICON + " " * 300_000, "warning  icon.svg: has"),
    "another name than its kind": (
        "app.yaml",
        APP + "icon: icon.png\n",
        "wrong    icon.png: the picture cannot be read",
    ),
    "no Dockerfile": ("Dockerfile", None, "warning  Dockerfile: is missing"),
    "root": ("Dockerfile", "FROM daas/base:1\nUSER root\n", "wrong    Dockerfile: line 2"),
    "no recipe": ("recipe/run.py", None, "warning  recipe/run.py: is missing"),
}


@pytest.mark.parametrize(("name", "text", "says"), SPOILT.values(), ids=SPOILT.keys())
def test_what_is_wrong_with_a_folder_is_named_and_mended(
    app: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | bytes | None, says: str
) -> None:
    if text is None:
        (app / name).unlink()
    else:
        (app / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    told = checked(capsys, app, code=1 if says.startswith(("wrong", "is")) else 0)
    (line,) = [line for line in told.splitlines() if says in line]
    assert " → " in line


def test_a_contributors_link_leads_nowhere(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever checks may read more than whoever contributes."""
    secret = app.parent / "secret"
    secret.write_text("title: hunter2")
    for name in ("app.yaml", "icon.svg", "Dockerfile"):
        kept = (app / name).read_bytes()
        (app / name).unlink()
        (app / name).symlink_to(secret)
        told = checked(capsys, app, code=1)
        assert f"wrong    {name}: " in told
        assert "hunter2" not in told
        (app / name).unlink()
        (app / name).write_bytes(kept)


def test_what_is_no_ordinary_file_holds_nobody_up(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (app / "icon.svg").unlink()
    os.mkfifo(app / "icon.svg")
    assert "wrong    icon.svg: the picture cannot be read" in checked(capsys, app, code=1)


def test_an_app_for_containers_only_needs_a_dockerfile(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (app / "app.yaml").write_text(APP + "image_only: true\n")
    (app / "Dockerfile").unlink()
    assert "wrong    Dockerfile: is missing, and the app" in checked(capsys, app, code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param((), "There is no configuration", id="no folder and no configuration"),
        pytest.param(("/usr/share",), "There is no app.yaml", id="no app"),
        pytest.param((REPOSITORY / "images", "--engine", "x"), "no configuration", id="a name"),
        pytest.param((REPOSITORY / "images", "--engine", "unix:x"), "unix:///", id="no socket"),
        pytest.param((REPOSITORY / "images", "--image", "x"), "--image is of one", id="of which"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert says in checked(capsys, *arguments, code=2)


def test_an_engine_that_is_away_is_a_sentence(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = checked(capsys, app, "--engine", "unix:///nowhere/docker.sock", code=1)
    assert "wrong    socket: /nowhere/docker.sock: No such file" in told


GOOD = {
    "Config": {"Labels": {"daas.runtime": "1"}, "User": "10000:10000", "Entrypoint": ["daas-enter"]}
}


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        pytest.param({"Labels": None}, "runtime: is missing", id="no label"),
        pytest.param({"Labels": {"daas.runtime": "0"}}, "runtime: is missing", id="build stage"),
        pytest.param({"User": ""}, "user: the image runs as root", id="no user"),
        pytest.param({"User": "0:0"}, "user: the image runs as root", id="root's number"),
        pytest.param({"User": "root"}, "user: the image runs as root", id="root"),
        pytest.param({"Entrypoint": None}, "entry point: is none", id="no entry point"),
        pytest.param({"Entrypoint": ["sh", "-c"]}, "entry point: is sh -c", id="another"),
    ],
)
def test_the_shape_of_an_image_is_judged(spoilt: dict[str, object], says: str) -> None:
    assert all(finding.state == "ok" for finding in shape_of(GOOD))
    found = shape_of({"Config": {**GOOD["Config"], **spoilt}})
    (bad,) = [finding for finding in found if finding.state != "ok"]
    assert f"{bad.what}: {bad.said}".startswith(says)
    assert bad.mend


def test_an_image_of_more_than_3_gb_is_said_to_be_slow() -> None:
    assert size_of({"Size": 2_900_000_000}).state == "ok"
    assert size_of({"Size": 3_100_000_000}).state == "warning"
