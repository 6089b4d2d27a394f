"""A real Chromium, and what axe-core finds wrong on its pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".node" / "node_modules" / "axe-core" / "axe.min.js"
NOVNC = ROOT / "daas_desktop" / "page" / "novnc.js"


@contextmanager
def running_chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None or not NOVNC.exists() or not AXE.exists():
        pytest.skip("chromium, page/novnc.js or axe-core is missing: run `make`")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def violations(page: Any, within: str = "html") -> list[str]:
    page.evaluate(AXE.read_text() + ";0")
    found = page.evaluate("within => axe.run(within)", within)["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found]
