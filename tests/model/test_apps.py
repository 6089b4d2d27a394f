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


def test_a_machine_of_a_cluster_has_gpus_and_labels_of_nodes() -> None:
    data = {"title": "GPU", "cpus": 8, "memory_gib": 64, "gpus": 2, "node_labels": {"gpu": "a100"}}
    machine = Machine.parse("gpu", data)
    assert (machine.gpus, machine.node_labels) == (2, {"gpu": "a100"})
    assert machine.numbers == "8 CPU, 64 GB, 2 GPU"


A_WHOLE_NUMBER = "'gpus' must be a whole number, 0 or more"
A_TABLE = "'node_labels' must be a table of names and texts"
NO_MACHINES = {
    "half a GPU": ({"gpus": 0.5}, A_WHOLE_NUMBER),
    "fewer than none": ({"gpus": -1}, A_WHOLE_NUMBER),
    "a number as a text": ({"gpus": "1"}, A_WHOLE_NUMBER),
    "yes": ({"gpus": True}, A_WHOLE_NUMBER),
    "one label as a text": ({"node_labels": "gpu=a100"}, A_TABLE),
    "a list of labels": ({"node_labels": ["a100"]}, A_TABLE),
    "a label that YAML takes for true": ({"node_labels": {"gpu": True}}, A_TABLE),
    "a label without a value": ({"node_labels": {"gpu": None}}, A_TABLE),
    "a misspelt entry": ({"gpu": 1}, "unknown entry gpu"),
}


@pytest.mark.parametrize(("wrong", "sentence"), NO_MACHINES.values(), ids=NO_MACHINES.keys())
def test_a_wrong_machine_is_refused_in_a_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(Malformed) as said:
        Machine.parse("m", {"title": "M", "cpus": 1, "memory_gib": 1, **wrong})
    assert str(said.value) == sentence
