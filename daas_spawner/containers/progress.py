"""How far a fetch has come, from what the engine reports while it pulls. Pure.

Docker Engine names every layer first, downloads three at a time and then unpacks them; Podman
names a layer when it begins with it, six at a time, so that the whole is known at the end only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """A moment of a fetch.

    *bytes_total* is None while the size of a layer is not known. *more_layers* says that
    further layers may come. *bytes_done* counts what was downloaded, packed.
    """

    layers_done: int = 0
    layers: int = 0
    bytes_done: int = 0
    bytes_total: int | None = None
    more_layers: bool = True

    def sentence(self, title: str) -> str:
        """Return what the page says: "Fetching PyMca: layer 2 of 5, 120 of 400 MB"."""
        if not self.layers:
            return f"Fetching {title}"
        layer = min(self.layers_done + 1, self.layers)
        of = "of at least" if self.more_layers else "of"
        return f"Fetching {title}: layer {layer} {of} {self.layers}{self._megabytes()}"

    def _megabytes(self) -> str:
        done = self.bytes_done // MEGABYTE
        if self.bytes_total is None:
            return f", {done} MB so far" if done else ""
        total = round(self.bytes_total / MEGABYTE)
        return f", {min(done, total)} of {total} MB" if total else ""


@dataclass(slots=True)
class _Layer:
    done: bool = False
    bytes_done: int = 0
    bytes_total: int | None = None


class Layers:
    """The layers of one fetch. One thread reports; *progress* may be read by any."""

    def __init__(self) -> None:
        self.progress = FetchProgress()
        self._layers: dict[str, _Layer] = {}
        self._all_are_named = False

    def take(self, event: Mapping[str, Any]) -> None:
        """Note one line of the engine's report; what is not about a layer is passed over."""
        status, key = str(event.get("status") or ""), str(event.get("id") or "")
        if status.startswith("Pulling from "):
            self._all_are_named = True
        elif status == "Pulling fs layer":
            self._layers[key] = _Layer()
        elif status == "Already exists":
            self._layers[key] = _Layer(done=True, bytes_total=0)
        elif key in self._layers:
            self._continue(self._layers[key], status, event.get("progressDetail"))
        self.progress = self._now()

    def _continue(self, layer: _Layer, status: str, detail: object) -> None:
        if status == "Downloading" and isinstance(detail, Mapping):
            done, total = detail.get("current"), detail.get("total")
            if isinstance(done, int) and isinstance(total, int) and total > 0:
                layer.bytes_done, layer.bytes_total = min(done, total), total
        elif status == "Download complete":
            layer.bytes_done = layer.bytes_total or layer.bytes_done
            # Podman unpacks while it downloads and says no more of it.
            layer.done = not self._all_are_named
        elif status == "Pull complete":
            layer.done = True

    def _now(self) -> FetchProgress:
        layers = self._layers.values()
        totals = [layer.bytes_total for layer in layers if layer.bytes_total is not None]
        is_whole = self._all_are_named and len(totals) == len(layers)
        return FetchProgress(
            layers_done=sum(layer.done for layer in layers),
            layers=len(layers),
            bytes_done=sum(layer.bytes_done for layer in layers),
            bytes_total=sum(totals) if is_whole else None,
            more_layers=not self._all_are_named,
        )
