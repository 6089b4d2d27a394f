"""What can be started, and on what: apps and machines.

An app is data: a folder `images/<name>/` with an `app.yaml`. A machine is a size with its
numbers. Both are parsed here, once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_model import parsing
from daas_model.parsing import Malformed

KINDS = ("desktop", "web")
_ENTRIES = frozenset(
    {
        "title",
        "summary",
        "kind",
        "command",
        "icon",
        "own_resources",
        "image_only",
        "writable_root",
        "order",
        "gpu",
        "desktop",
    }
)
_OF_A_DESKTOP = frozenset({"folder", "environment", "windows", "opens", "file_arguments", "tile"})
FOLDERS = ("data", "processed", "home")
WINDOWS = ("one", "own")
#: Stands for the file in the arguments that open one.
FILE = "{file}"
_OF_A_MACHINE = frozenset({"title", "cpus", "memory_gib", "engine", "gpus", "node_labels"})


@dataclass(frozen=True, slots=True)
class Desktop:
    """How a program with windows is started.

    *folder* is where: with the `data`, in `processed`, or at `home`. *windows*: `one` fills the
    page and dialogs float on it, or the program brings a desktop of its `own`. It opens files
    that end with one of *opens*; *file_arguments* then follow its command. *tile* says whether
    JupyterLab offers it too.
    """

    folder: str = "data"
    environment: Mapping[str, str] = field(default_factory=dict)
    windows: str = "one"
    opens: tuple[str, ...] = ()
    file_arguments: tuple[str, ...] = (FILE,)
    tile: bool = True

    @classmethod
    def parse(cls, data: object) -> "Desktop":
        """Read the part `desktop` of an `app.yaml`. Raises `Malformed`."""
        fields = parsing.only(data, _OF_A_DESKTOP)
        opens = parsing.texts(fields, "opens")
        if not all(re.fullmatch(r"\.[A-Za-z0-9._+-]{1,20}", ending) for ending in opens):
            raise Malformed("'opens' must be endings of file names, such as .h5")
        arguments = parsing.texts(fields, "file_arguments") or (FILE,)
        if not any(FILE in argument for argument in arguments):
            raise Malformed(f"'file_arguments' must hold {FILE}")
        environment = parsing.table(fields, "environment")
        if ours := [name for name in environment if name.startswith(("DAAS_", "JUPYTERHUB_"))]:
            raise Malformed(f"'environment' may not set {ours[0]}: it is the portal's own")
        return cls(
            folder=_one_of(fields, "folder", FOLDERS),
            environment=environment,
            windows=_one_of(fields, "windows", WINDOWS),
            opens=tuple(ending.lower() for ending in opens),
            file_arguments=arguments,
            tile=parsing.yes({"tile": True, **fields}, "tile"),
        )


@dataclass(frozen=True, slots=True)
class App:
    """A program that a person opens in her browser.

    *kind* is `desktop` (a window program, shown through the desktop) or `web` (it serves its
    own pages). *command* is what runs in the session. *icon* is the file name of its picture.
    *image_only* apps run on container engines only; *writable_root* is for programs that write
    beside themselves. Buttons stand by *order*, small numbers first. With *gpu* it gets the
    graphics card of the machine, if there is one. *desktop* is for programs with windows.
    """

    name: str
    title: str
    summary: str
    kind: str
    command: tuple[str, ...]
    icon: str
    own_resources: bool
    image_only: bool = False
    writable_root: bool = False
    order: float = 50
    gpu: bool = False
    desktop: Desktop = field(default_factory=Desktop)

    @classmethod
    def parse(cls, name: str, data: object) -> "App":
        """Read the contents of an `app.yaml`. Raises `Malformed`."""
        fields = parsing.only(data, _ENTRIES)
        kind = parsing.text(fields, "kind")
        if kind not in KINDS:
            raise Malformed(f"'kind' must be one of {', '.join(KINDS)}")
        command = parsing.texts(fields, "command")
        if not command:
            raise Malformed("'command' must name the program to run")
        if kind != "desktop" and "desktop" in fields:
            raise Malformed("'desktop' is for apps of the kind desktop")
        return cls(
            name=parsing.identifier(name, "the folder's name"),
            title=parsing.text(fields, "title"),
            summary=parsing.text(fields, "summary"),
            kind=kind,
            command=command,
            icon=parsing.identifier(parsing.text(fields, "icon", "icon.svg"), "icon"),
            own_resources=parsing.yes(fields, "own_resources"),
            image_only=parsing.yes(fields, "image_only"),
            writable_root=parsing.yes(fields, "writable_root"),
            order=parsing.number({"order": 50, **fields}, "order"),
            gpu=parsing.yes(fields, "gpu"),
            desktop=Desktop.parse(fields.get("desktop", {})),
        )


def _one_of(fields: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    """Return one of *choices*, the first when there is none."""
    value = parsing.text(fields, key, choices[0])
    if value not in choices:
        raise Malformed(f"'{key}' must be one of {', '.join(choices)}")
    return value


@dataclass(frozen=True, slots=True)
class Machine:
    """A size that a session may have. *cpus* in cores, *memory_gib* in GiB (2³⁰ bytes).

    *engine* names where its sessions run; empty for the first engine of the configuration. In a
    cluster it may have *gpus*, and *node_labels* choose the nodes.
    """

    name: str
    title: str
    cpus: float
    memory_gib: float
    engine: str = ""
    gpus: int = 0
    node_labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, data: object) -> "Machine":
        """Read one machine of the configuration. Raises `Malformed`."""
        fields = parsing.only(data, _OF_A_MACHINE)
        return cls(
            name=parsing.identifier(name, "the machine's name"),
            title=parsing.text(fields, "title"),
            cpus=parsing.number(fields, "cpus"),
            memory_gib=parsing.number(fields, "memory_gib"),
            engine=parsing.text(fields, "engine", ""),
            gpus=parsing.whole_number(fields, "gpus"),
            node_labels=parsing.table(fields, "node_labels"),
        )

    @property
    def numbers(self) -> str:
        """Its size for a page: `2 CPU, 4 GB, 1 GPU`."""
        gpus = f", {self.gpus} GPU" if self.gpus else ""
        return f"{self.cpus:g} CPU, {self.memory_gib:g} GB{gpus}"


Apps = Mapping[str, App]
Machines = Mapping[str, Machine]
