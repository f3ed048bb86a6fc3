"""Every generated file: made, written, and compared with what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.generate import alertmanager, board_docs, boards, metric_docs, rules, runbooks, signal_docs, stream_docs
from monitor.generate.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def generated(facts: Facts | None = None) -> dict[str, str]:
    """Every generated file: path from the project's root, and text; of the defaults unless other facts are given."""
    facts = facts or Facts()
    return {
        "docs/signals.md": signal_docs.signals_page(facts.signals),
        "docs/thresholds.md": signal_docs.thresholds_page(facts.signals),
        "docs/metrics.md": metric_docs.metrics_page(facts.signals),
        "docs/streams.md": stream_docs.streams_page(),
        **runbooks.files(facts),
        **rules.files(facts),
        **alertmanager.files(facts),
        **boards.files(facts),
        **board_docs.files(facts),
    }


def write_all(root: Path, files: Mapping[str, str]) -> list[Path]:
    """Write files below a folder; returns those whose text changed.

    Args:
        root: the folder.
        files: path from there, and text.
    """
    changed = []
    for name, text in files.items():
        path = root / name
        if not _says(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            changed.append(path)
    return changed


def stale(root: Path, files: Mapping[str, str]) -> list[str]:
    """Those of the files that are missing below a folder, or not current."""
    return [name for name, text in files.items() if not _says(root / name, text)]


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()
