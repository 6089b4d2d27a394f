"""A real demo hub whose facility has a second engine, at a socket of the test's choice."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from daas_demo.__main__ import hub_environment, make_private, run_folder, start_hub, wait_ready
from daas_demo.prepare import prepare
from tests.conftest import REPOSITORY, Demo, free_port, short_folder

SETTINGS = """
c = get_config()
load_subconfig({demo!r})
c.DaasSpawner.session_environment = {environment!r}
# Else the hub says after 10 s that a start takes longer.
c.JupyterHub.tornado_settings.update({{"slow_spawn_timeout": 1}})
c.Facility.apps_folder = {apps!r}
c.Facility.engines_offered = {{
    "here": {{"title": "here", "kind": "local"}},
    "containers": {{"title": "containers", "kind": "docker", "address": "unix://{socket}"}},
}}
c.Facility.machines_offered = {{
    "small": {{"title": "Small", "cpus": 2, "memory_gib": 4}},
    "large": {{"title": "Large", "cpus": 8, "memory_gib": 32, "engine": "containers"}},
}}
{more}
"""

#: An app that is not on this machine itself.
IMAGE_ONLY = (
    "title: CrystFEL\nsummary: Processes snapshots of crystals.\nkind: desktop\n"
    "command: [crystfel]\nown_resources: true\nimage_only: true\n"
)
#: An app that takes its time, and says so by leaving a file.
SLOW = (
    "title: Slow\nsummary: Starts when it is told to.\nkind: web\nown_resources: true\n"
    "command: [sh, -c, 'until test -e $HOME/go; do sleep 0.1; done; exec daas-notebook']\n"
)


class TwoEngines(Demo):
    """The demo with more in its facility. Its hub stands alone: end it with `end`."""

    @property
    def socket(self) -> Path:
        """Where the second engine would listen."""
        return self.folder / "engine.sock"

    def end(self) -> None:
        """End it whatever state it is in."""
        hubs = list(self.launchers)
        super().end()
        for hub in hubs:
            hub.wait()

    def begin(self, more: str = "", apps_too: Sequence[Path] = ()) -> None:
        """Run it with further settings and the folders of further apps; return when it is there."""
        packages = (REPOSITORY / ".session-env").resolve()
        prepare(self.folder, packages, REPOSITORY / ".node" / "wheels")
        apps = self.folder / "apps"
        for name in ("pymca", "jupyterlab"):
            shutil.copytree(REPOSITORY / "images" / name, apps / name)
        for name, text in (("crystfel", IMAGE_ONLY), ("slow", SLOW)):
            shutil.copytree(apps / "jupyterlab", apps / name)
            (apps / name / "app.yaml").write_text(text, "utf-8")
        for folder in apps_too:
            shutil.copytree(folder, apps / folder.name)
        file = self.folder / "settings.py"
        file.write_text(
            SETTINGS.format(
                demo=str(REPOSITORY / "daas_demo" / "settings.py"),
                environment=str(packages),
                apps=str(apps),
                socket=self.socket,
                more=more,
            )
        )
        make_private(run_folder(self.folder))
        own = {"DAAS_SETTINGS": str(file)}
        if "PYTHONPATH" in os.environ:  # of whoever runs the tests from another folder
            own["PYTHONPATH"] = os.environ["PYTHONPATH"]
        environment = {**hub_environment(self.port, self.folder, self.run), **own}
        hub = start_hub(environment, self.folder)
        self.launchers.append(hub)
        wait_ready(hub, self.port, self.folder)


@contextmanager
def second_engine_away() -> Iterator[TwoEngines]:
    """Run one in a folder of its own; at its second engine's socket nobody listens."""
    with short_folder() as folder:
        place = TwoEngines(folder, free_port())
        try:
            place.begin()
            yield place
        finally:
            place.end()
