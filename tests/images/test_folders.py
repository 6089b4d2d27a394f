"""Every folder of images/ has what it must, and no Dockerfile does what it must not (A3, A5)."""

import configparser
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

import daas_desktop
import daas_model
from daas_model.apps import App

REPOSITORY = Path(__file__).parents[2]
DOCKERFILES = sorted(REPOSITORY.glob("images/*/Dockerfile"))
APPS = sorted(file.parent for file in REPOSITORY.glob("images/*/app.yaml"))
#: Nothing runs from it: pip and compilers for the first stages of the others.
BUILD = "build"
#: No session runs from these; the composition takes root's rights away from them.
PORTAL = ("hub", "proxy")
OURS = re.compile(r"\$\{PREFIX\}([a-z0-9-]+):\$\{VERSION\}")
LABELS = ("title", "description", "version", "licenses", "base.name")
#: How a facility's certificates, or the lack of them, get into an image for good.
CERTIFICATES = re.compile(r"\.crt|\.pem|update-ca-certificates|trusted-host|http_proxy", re.I)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Give the instructions with their arguments, continued lines joined."""
    lines = (line for line in dockerfile.read_text("utf-8").splitlines() if line[:1] != "#")
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def last_stage(dockerfile: Path) -> list[tuple[str, str]]:
    """Give the instructions of what is kept."""
    steps = instructions(dockerfile)
    begins = max(number for number, (word, _) in enumerate(steps) if word == "FROM")
    return steps[begins:]


def user_of(dockerfile: Path) -> str:
    """Give the user that an image starts with, its own or that of what it begins with."""
    steps = last_stage(dockerfile)
    users = [rest for word, rest in steps if word == "USER"]
    if users:
        return users[-1]
    below = OURS.match(steps[0][1])
    return user_of(REPOSITORY / "images" / below[1] / "Dockerfile") if below else "root"


def by_folder(path: Path) -> str:
    return path.parent.name if path.is_file() else path.name


each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=by_folder)
each_app = pytest.mark.parametrize("folder", APPS, ids=by_folder)


@each_app
def test_an_app_has_a_dockerfile_an_icon_and_a_recipe(folder: Path) -> None:
    app = App.parse(folder.name, yaml.safe_load((folder / "app.yaml").read_text("utf-8")))
    for needed in ("Dockerfile", app.icon, "recipe/run.py"):
        assert (folder / needed).is_file(), needed


@each_app
def test_an_icon_is_a_square_picture_and_nothing_else(folder: Path) -> None:
    root = ElementTree.parse(folder / "icon.svg").getroot()
    assert root.get("viewBox") == "0 0 48 48"
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds <= {"svg", "g", "rect", "path", "circle"}


@each_dockerfile
def test_an_image_begins_with_debian_or_with_ours(dockerfile: Path) -> None:
    begins = [rest.split()[0] for word, rest in instructions(dockerfile) if word == "FROM"]
    assert begins
    for image in begins:
        ours = OURS.fullmatch(image)
        known = ours is not None and (REPOSITORY / "images" / ours[1] / "Dockerfile").is_file()
        assert image == "debian:bookworm-slim" or known, image


@each_dockerfile
def test_an_image_says_what_it_is(dockerfile: Path) -> None:
    labels = " ".join(rest for word, rest in last_stage(dockerfile) if word == "LABEL")
    for label in LABELS:
        assert re.search(rf'org\.opencontainers\.image\.{label}="[^"]+"', labels), label


@each_dockerfile
def test_an_image_is_built_in_the_version_of_the_hub(dockerfile: Path) -> None:
    arguments = [rest for word, rest in instructions(dockerfile) if word == "ARG" and "=" in rest]
    defaults = dict(rest.split("=", 1) for rest in arguments)
    assert defaults["VERSION"] == daas_model.__version__


@each_dockerfile
def test_no_session_begins_as_root(dockerfile: Path) -> None:
    user = user_of(dockerfile)
    assert (user == "root") == (dockerfile.parent.name in (BUILD, *PORTAL))


@each_dockerfile
def test_no_certificate_and_no_proxy_is_a_line_of_a_dockerfile(dockerfile: Path) -> None:
    for word, rest in instructions(dockerfile):
        assert not CERTIFICATES.search(rest), f"{word} {rest}"


@each_dockerfile
def test_what_is_installed_leaves_no_lists_and_no_suggestions(dockerfile: Path) -> None:
    for word, rest in instructions(dockerfile):
        if "apt-get install" in rest:
            assert "--no-install-recommends" in rest, f"{word} {rest}"
    for _, rest in last_stage(dockerfile):
        if "apt-get install" in rest:
            assert "rm -rf /var/lib/apt/lists/*" in rest


@each_dockerfile
def test_what_is_installed_gives_nobody_rights(dockerfile: Path) -> None:
    if dockerfile.parent.name == BUILD:
        return
    for _, rest in last_stage(dockerfile):
        if "apt-get install" in rest:
            assert "find / -xdev -perm /6000 -type f -exec chmod a-s {} +" in rest


@each_app
def test_python_packages_are_pinned_with_what_they_need(folder: Path) -> None:
    requirements, constraints = folder / "requirements.txt", folder / "constraints.txt"
    if not requirements.is_file():
        return
    wanted = [line for line in requirements.read_text().splitlines() if line[:1] != "#"]
    pinned = [line for line in constraints.read_text().splitlines() if line[:1] != "#"]
    assert all(re.search(r"[=<>]=", line) for line in wanted)
    assert pinned
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned)


def test_apps_of_images_only_stay_out_of_the_environment_of_the_others() -> None:
    rule = ["make", "--no-print-directory", "--eval=said: ; @echo $(REQUIREMENTS)", "said"]
    done = subprocess.run(rule, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == [
        f"images/{name}/requirements.txt" for name in ("jupyterlab", "pymca")
    ]


def test_a_sessions_own_distribution_has_the_commands_that_the_hubs_has() -> None:
    alone = tomllib.loads((REPOSITORY / "daas_desktop" / "pyproject.toml").read_text("utf-8"))
    whole = configparser.ConfigParser()
    whole.read(REPOSITORY / "setup.cfg")
    lines = whole["options.entry_points"]["console_scripts"].strip().splitlines()
    scripts = dict(map(str.strip, line.split("=")) for line in lines)
    ours = {name: place for name, place in scripts.items() if place.startswith("daas_desktop.")}
    assert alone["project"]["scripts"] == ours
    assert daas_desktop.__version__ == daas_model.__version__
