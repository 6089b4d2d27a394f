"""What the documentation must name is read from the code, so that the two cannot drift apart."""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets import TraitType

from daas_command.known import OURS
from docs import make_reference

REPOSITORY = Path(__file__).parents[2]
REFERENCE = REPOSITORY / "docs" / "reference"
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *REPOSITORY.glob("images/**/*.md"),
        *REPOSITORY.glob("helm/**/*.md"),
    ]
)
MODULES = sorted(
    path
    for pattern in ("daas_*/**/*.py", "*.py", "docs/*.py", "templates/*.py", "benchmarks/*.py")
    for path in REPOSITORY.glob(pattern)
)
LONGEST_MODULE = 350

#: A link or a picture in Markdown, and the names of tests in it.
LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"`(test_\w+)`")


def text_of(*parts: str) -> str:
    return REPOSITORY.joinpath(*parts).read_text("utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def settings() -> Iterator[tuple[str, TraitType[object, object]]]:
    for configured in OURS:
        for name, trait in make_reference.settings_of(configured).items():
            yield f"{configured.__name__}.{name}", trait


def in_code(pattern: str) -> set[str]:
    sources = [*MODULES, REPOSITORY / "Makefile", *(REPOSITORY / "tools").iterdir()]
    return {found for path in sources for found in re.findall(pattern, path.read_text("utf-8"))}


def classes_with_settings() -> set[str]:
    """The names of all classes of ours whose body tags a trait with `config=True`."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(map(is_setting, node.body)):
                found.add(node.name)
    return found


def is_setting(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.Call) and any(word.arg == "config" for word in value.keywords)


@pytest.mark.parametrize("name", [name for name, _ in settings()])
def test_a_setting_says_what_it_does_and_gives_an_example(name: str) -> None:
    help_text = dict(settings())[name].help
    assert "Example: " in help_text
    assert len(help_text.partition("Example: ")[0].split()) >= 4


def test_every_class_with_settings_is_in_the_reference() -> None:
    listed = {parent.__name__ for made in OURS for parent in made.__mro__}
    assert classes_with_settings()
    assert classes_with_settings() - listed == set()


def test_the_page_of_settings_is_what_the_code_says() -> None:
    command = [sys.executable, "docs/make_reference.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("code", sorted(in_code(r'code = "(DAAS-[A-Z-]+)"')))
def test_every_error_code_is_explained(code: str) -> None:
    lines = text_of("docs", "reference", "errors.md").splitlines()
    row = next((line for line in lines if line.startswith(f"| `{code}` |")), "")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 4
    assert all(cells)


@pytest.mark.parametrize("variable", sorted(in_code(r"\bDAAS_[A-Z_]*[A-Z]\b")))
def test_every_environment_variable_is_explained(variable: str) -> None:
    assert f"`{variable}`" in text_of("docs", "reference", "environment.md")


def entry_points() -> Iterator[tuple[str, str]]:
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    for group, lines in setup["options.entry_points"].items():
        for line in lines.strip().splitlines():
            yield group, line.partition("=")[0].strip()


@pytest.mark.parametrize(("group", "name"), list(entry_points()))
def test_every_entry_point_is_explained(group: str, name: str) -> None:
    rows = text_of("docs", "reference", "entry-points.md").splitlines()
    assert any(f"`{group}`" in row and f"`{name}`" in row for row in rows)


@pytest.mark.parametrize(
    "script", [name for group, name in entry_points() if group == "console_scripts"]
)
def test_every_command_is_explained(script: str) -> None:
    assert re.search(rf"`{script}[` ]", text_of("docs", "reference", "commands.md"))


def make_targets() -> list[str]:
    return text_of("Makefile").partition(".PHONY:")[2].partition("\n")[0].split()


@pytest.mark.parametrize("target", make_targets())
def test_every_make_target_is_explained(target: str) -> None:
    assert f"| `{target}` |" in text_of("docs", "reference", "commands.md")


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in LINK.findall(page.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                yield page, target.partition("#")[0]


@pytest.mark.parametrize(
    ("page", "target"),
    list(links()),
    ids=lambda value: named(value) if isinstance(value, Path) else None,
)
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


def test_every_page_can_be_found_from_the_first() -> None:
    found, waiting = set(), [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            targets = [(page.parent / target).resolve() for at, target in links() if at == page]
            waiting += [target for target in targets if target.suffix == ".md"]
    assert set(PAGES) - found == set()


def test_a_test_that_a_page_names_exists() -> None:
    pages = {name for page in PAGES for name in TEST.findall(page.read_text("utf-8"))}
    tests = {
        name
        for path in (REPOSITORY / "tests").rglob("*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert pages
    assert pages - tests == set()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= LONGEST_MODULE
