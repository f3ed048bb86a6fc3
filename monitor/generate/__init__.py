"""What is generated from the catalogue: a fact stands in one place, and the files made from it are checked in CI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate import metric_docs, signal_docs, stream_docs
from monitor.signals import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENERATED: Final[dict[str, Callable[[], str]]] = {
    "docs/signals.md": lambda: signal_docs.signals_page(CATALOGUE),
    "docs/thresholds.md": lambda: signal_docs.thresholds_page(CATALOGUE),
    "docs/metrics.md": lambda: metric_docs.metrics_page(CATALOGUE),
    "docs/streams.md": stream_docs.streams_page,
}
"""Path from the project's root: what makes the file's text."""


def write_all(root: Path) -> list[Path]:
    """Write every generated file below a folder; returns those whose text changed."""
    changed = []
    for name, make in GENERATED.items():
        path, text = root / name, make()
        if not _says(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            changed.append(path)
    return changed


def stale(root: Path) -> list[str]:
    """The generated files below a folder that are missing or not current."""
    return [name for name, make in GENERATED.items() if not _says(root / name, make())]


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()
