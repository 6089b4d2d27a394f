"""Apps and machines are data: what a file may say, and what is refused (A3)."""

import pytest

from daas_model.apps import App, Machine
from daas_model.parsing import Malformed

GOOD = {"title": "PyMca", "summary": "Fits.", "kind": "desktop", "command": ["pymca"]}

REFUSED = {
    "not a mapping": "pymca",
    "no title": {**GOOD, "title": ""},
    "an unknown kind": {**GOOD, "kind": "vm"},
    "no command": {**GOOD, "command": []},
    "a command line as one text": {**GOOD, "command": "pymca -x"},
    "a misspelt entry": {**GOOD, "comand": ["pymca"]},
    "an icon outside the folder": {**GOOD, "icon": "../secret.svg"},
    "own_resources that is no yes or no": {**GOOD, "own_resources": "yes"},
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_a_malformed_app_is_refused(data: object) -> None:
    with pytest.raises(Malformed):
        App.parse("pymca", data)


def test_an_app_needs_only_what_it_is() -> None:
    app = App.parse("pymca", GOOD)
    assert (app.icon, app.own_resources) == ("icon.svg", False)


@pytest.mark.parametrize("cpus", [0, -1, True, "2", None], ids=repr)
def test_a_machine_without_a_real_size_is_refused(cpus: object) -> None:
    with pytest.raises(Malformed):
        Machine.parse("small", {"title": "Small", "cpus": cpus, "memory_gib": 4})


def test_a_machine_says_its_numbers() -> None:
    machine = Machine.parse("small", {"title": "Small", "cpus": 0.5, "memory_gib": 4})
    assert machine.numbers == "0.5 CPU, 4 GB"
