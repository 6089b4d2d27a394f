"""Apps and machines are data: what a file may say, and what is refused (A3)."""

from dataclasses import replace

import pytest

from daas_model.apps import App, Desktop, Machine
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


WITHOUT = Desktop()
DESKTOPS = {
    "nothing said": ({}, WITHOUT),
    "where it starts": ({"folder": "processed"}, replace(WITHOUT, folder="processed")),
    "its variables": (
        {"environment": {"QT_SCALE_FACTOR": "1"}},
        replace(WITHOUT, environment={"QT_SCALE_FACTOR": "1"}),
    ),
    "a desktop of its own": ({"windows": "own"}, replace(WITHOUT, windows="own")),
    "files": (
        {"opens": [".H5", ".mca"], "file_arguments": ["--open={file}"]},
        replace(WITHOUT, opens=(".h5", ".mca"), file_arguments=("--open={file}",)),
    ),
    "no tile": ({"tile": False}, replace(WITHOUT, tile=False)),
}


@pytest.mark.parametrize(("said", "desktop"), DESKTOPS.values(), ids=DESKTOPS.keys())
def test_an_app_says_how_its_desktop_is(said: dict[str, object], desktop: Desktop) -> None:
    assert App.parse("pymca", {**GOOD, "desktop": said}).desktop == desktop


NO_DESKTOPS = {
    "a misspelt entry": ({"widows": "one"}, "unknown entry widows"),
    "a folder of its own": ({"folder": "/etc"}, "'folder' must be one of data, processed, home"),
    "tiled windows": ({"windows": "tiled"}, "'windows' must be one of one, own"),
    "the portal's variable": (
        {"environment": {"DAAS_PORTAL_URL": "x"}},
        "'environment' may not set DAAS_PORTAL_URL: it is the portal's own",
    ),
    "a number as a variable": (
        {"environment": {"OMP_NUM_THREADS": 2}},
        "'environment' must be a table of names and texts",
    ),
    "a type without its dot": (
        {"opens": ["h5"]},
        "'opens' must be endings of file names, such as .h5",
    ),
    "arguments without the file": (
        {"file_arguments": ["--open"]},
        "'file_arguments' must hold {file}",
    ),
}


@pytest.mark.parametrize(("said", "sentence"), NO_DESKTOPS.values(), ids=NO_DESKTOPS.keys())
def test_a_wrong_desktop_is_refused_in_a_sentence(said: dict[str, object], sentence: str) -> None:
    with pytest.raises(Malformed) as refused:
        App.parse("pymca", {**GOOD, "desktop": said})
    assert str(refused.value) == sentence


def test_only_programs_with_windows_have_a_desktop() -> None:
    with pytest.raises(Malformed, match="kind desktop"):
        App.parse("lab", {**GOOD, "kind": "web", "desktop": {}})


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
