"""What was measured, with its bound: printed as it comes, and kept for the table in the docs."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- begin: make bench-desktop -->", "<!-- end: make bench-desktop -->"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: `kept` is None where nothing is demanded."""

    what: str
    bound: str
    measured: str
    kept: bool | None


@dataclass(slots=True)
class Figures:
    """The lines of one run, in order."""

    lines: list[Figure] = field(default_factory=list)

    def add(self, what: str, measured: str, bound: str = "", kept: bool | None = None) -> None:
        """Print a line and keep it."""
        self.lines.append(Figure(what, bound, measured, kept))
        verdict = {True: "  kept", False: "  MISSED", None: ""}[kept]
        print(f"{what:<66} {measured:>28}  {bound:<24}{verdict}", flush=True)

    def at_most(self, what: str, value: float, limit: float, unit: str) -> None:
        """Add a line whose value may not be above the limit."""
        self.add(what, f"{value:.2f} {unit}", f"≤ {limit:.4g} {unit}", value <= limit)

    def at_least(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """Add a line whose value may not be below the limit."""
        self.add(
            what, f"{value:.2f} {unit}".strip(), f"≥ {limit:.4g} {unit}".strip(), value >= limit
        )

    @property
    def missed(self) -> list[Figure]:
        """The lines whose bound is missed."""
        return [line for line in self.lines if line.kept is False]

    def write(self, page: Path, how: str) -> None:
        """Put the lines as a table between the page's two markers."""
        rows = [f"{how}\n", "| what | bound | measured |", "|---|---|---|"]
        for line in self.lines:
            mark = " **missed**" if line.kept is False else ""
            rows.append(f"| {line.what} | {line.bound} | {line.measured}{mark} |")
        text = page.read_text("utf-8")
        between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
        table = "\n".join([BEGIN, *rows, END])
        page.write_text(between.sub(lambda _: table, text), "utf-8")


def p95(values: Sequence[float]) -> float:
    """Return the value that one in twenty is above."""
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
