"""A bar where one waits: on a terminal, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console


class ReplayProgress:
    """Shows how far a replay has come; a context manager."""

    def __init__(self, console: Console) -> None:
        columns = (
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def read(self, source: str, done: int, total: int | None) -> None:
        """So much of a source was read."""
        self._progress.update(self._task(source, f"reading {escape(source)}"), completed=done, total=total)

    def evaluated(self, until: int) -> None:
        """All ticks up to this epoch second were run."""
        day = datetime.fromtimestamp(until, UTC).date().isoformat()
        self._progress.update(self._task("", "computing signals"), note=f"up to {day}")

    def noted(self, what: str, note: str) -> None:
        """How something goes of which nobody knows the end."""
        self._progress.update(self._task(what, escape(what)), note=note)

    def _task(self, key: str, description: str) -> TaskID:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(description, total=None, note="")
        return self._tasks[key]
