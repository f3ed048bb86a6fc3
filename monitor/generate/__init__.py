"""What is generated from the catalogue: a fact stands in one place, and the files made from it are checked in CI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate import signal_docs, stream_docs
from monitor.signals import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENERATED: Final[dict[str, Callable[[], str]]] = {
    "docs/signals.md": lambda: signal_docs.signals_page(CATALOGUE),
    "docs/thresholds.md": lambda: signal_docs.thresholds_page(CATALOGUE),
    "docs/streams.md": stream_docs.streams_page,
}
"""Path from the project's root: what makes the file's text."""


def write_all(root: Path) -> list[Path]:
    """Write every generated file below a folder; returns those whose text changed."""
    changed = []
    for name, make in GENERATED.items():
        path, text = root / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale(root: Path) -> list[str]:
    """The generated files below a folder that are missing or not current."""
    return [
        name
        for name, make in GENERATED.items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != make()
    ]
