"""A durable log of bars in a folder: what was sealed is there again after a restart, or the restart says why not.

A commit is one file, whole or not there: the rows that it appends to the tiers, and the states (such as the
positions of the sources) as they stand with those rows. As files get many, runs of the same size are merged into
one, so there are about `fan_out` files a power of `fan_out` commits, and each row is rewritten once a power.

A damaged newest commit is left out: the states of the one before say from where to read the sources again. Any
other damage is an error, for bars would be missing and a number wrong.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from monitor.engine import barlog_folder
from monitor.engine.barlog_file import BarFile, BarLogError, DamagedError, encode, read
from monitor.engine.barlog_folder import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["BarLog", "BarLogError", "Recovered"]

FAN_OUT: Final = 16
"""So many files of one size become one."""

_BEGIN_ANEW: Final = "put it back from a copy, or discard the log and let it be built again from the sources"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Recovered:
    """What a log holds.

    Attributes:
        appends: by tier, every row ever appended that no merge has pruned, in the order of commits.
        states: by name, the newest, whole.
        commits: number of the newest commit; the first is 1.
    """

    appends: dict[str, pl.DataFrame]
    states: dict[str, pl.DataFrame]
    commits: int


def keep_all(tier: str, rows: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG001 - the shape of a `prune`
    """Prune nothing."""
    return rows


class BarLog:
    """The log in one folder, of one process at a time, and in it of one thread.

    Args:
        folder: made if it is not there. Files of other names in it are left alone.
        prune: the rows of a tier that are still of use, of some consecutive commits' in their order. Called when
            files are merged, so which rows were seen by it depends on how many commits there are.
        fan_out: so many files of one size become one, at least 2.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prune: Callable[[str, pl.DataFrame], pl.DataFrame] = keep_all,
        fan_out: int = FAN_OUT,
    ) -> None:
        if fan_out < 2:
            raise ValueError(f"a merge takes at least 2 files, not {fan_out}")
        self._folder, self._prune, self._fan_out = folder, prune, fan_out
        self._lock: int | None = None
        self._begin([], {})

    def open(self) -> Recovered | None:
        """Lock the log and read all of it; None if it is new.

        Raises:
            BarLogError: another process has it open; bars are missing or damaged; the folder cannot be written.
        """
        with self._saying("opened"), ExitStack() as on_error:
            on_error.callback(self.close)
            self._take_lock()
            barlog_folder.clean(self._folder)
            recovered = self._recover()
            on_error.pop_all()
        return recovered if recovered.commits else None

    def commit(self, appends: Mapping[str, pl.DataFrame], states: Mapping[str, pl.DataFrame]) -> None:
        """Keep all of this, on the disk when it returns; after an error nothing of it is kept.

        Args:
            appends: new rows by tier; a tier has the same columns in every commit.
            states: by name; a state that is not given stays as it is.

        Raises:
            BarLogError: it could not be written, and may be committed again; or an older file is damaged.
        """
        if self._lock is None:
            raise BarLogError(f"the log in {self._folder} is not open: open it before a commit")
        for tier, rows in appends.items():
            self._check_columns(tier, rows, f"commit {self._newest + 1}")
        self._merge_what_is_due()
        span = Span(self._newest + 1, self._newest + 1)
        parts = encode(*span, appends, states)
        with self._saying(f"written (commit {span.last})"):
            barlog_folder.write(self._folder / span.name, parts)
        self._files.append(span)
        self._columns |= {tier: rows.schema for tier, rows in appends.items()}

    def discard(self) -> None:
        """Remove all that was committed, after a crash all or nothing; the log is then open and new.

        Also for a log that cannot be opened. Damaged files that were set aside stay where they are.

        Raises:
            BarLogError: another process has it open; the folder cannot be written, and the log is then closed.
        """
        with self._saying("discarded"), ExitStack() as on_error:
            # A discard that has begun is finished by the next open, and would take later commits with it.
            on_error.callback(self.close)
            self._take_lock()
            barlog_folder.discard(self._folder)
            on_error.pop_all()
        self._begin([], {})

    def close(self) -> None:
        """Let another process have the log."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _begin(self, files: list[Span], columns: dict[str, pl.Schema]) -> None:
        self._files, self._columns = files, columns
        self._merge_again_after = 0

    @property
    def _newest(self) -> int:
        return self._files[-1].last if self._files else 0

    def _take_lock(self) -> None:
        if self._lock is None:
            barlog_folder.make(self._folder)
            self._lock = barlog_folder.take_lock(self._folder)

    def _recover(self) -> Recovered:
        whole: dict[Span, BarFile] = {}
        damaged: dict[Span, DamagedError] = {}
        for span in barlog_folder.spans(self._folder):
            try:
                whole[span] = self._read(span)
            except DamagedError as error:
                damaged[span] = error
        kept, covered = self._arrange(whole, damaged)
        self._begin(kept, {})
        appends, states = self._together(kept, whole)
        # Nothing was touched until here: where there is an error, all stays as it was found.
        for span in covered:
            (self._folder / span.name).unlink()
        for span, damage in damaged.items():
            aside = barlog_folder.set_aside(self._folder / span.name)
            _log.warning(
                "a file of the log is damaged and was set aside; the log goes on from the commit before",
                file=str(self._folder / span.name), kept_as=aside.name, damage=str(damage),
                first_commit=span.first, last_commit=span.last, goes_on_from=self._newest,
            )  # fmt: skip
        if covered or damaged:
            barlog_folder.sync(self._folder)
        return Recovered(appends, states, self._newest)

    def _arrange(self, whole: Iterable[Span], damaged: Mapping[Span, DamagedError]) -> tuple[list[Span], list[Span]]:
        """The files that hold each commit once, and those that a merge made needless.

        Raises:
            BarLogError: commits before the newest file's are missing.
        """
        kept: list[Span] = []
        covered: list[Span] = []
        reach = 0
        for span in sorted(whole, key=lambda s: (s.first, -s.last)):
            if span.last <= reach:
                covered.append(span)
            elif span.first == reach + 1:
                kept.append(span)
                reach = span.last
            else:
                self._refuse_gap(reach, span, damaged)
        lost = sorted(span for span in damaged if span.last > reach)
        if len(lost) > 1 or (lost and lost[0].first > reach + 1):
            self._refuse_gap(reach, lost[-1], damaged)
        return kept, covered

    def _refuse_gap(self, reach: int, after: Span, damaged: Mapping[Span, DamagedError]) -> None:
        """Say why the commits between `reach` and `after` are missing."""
        for span in sorted(damaged):
            if span.last > reach and span < after:
                raise BarLogError(
                    f"{self._folder / span.name} is damaged ({damaged[span]}), and there are later commits, so bars"
                    f" would be missing: {_BEGIN_ANEW}"
                )
        if after.first <= reach:
            raise BarLogError(
                f"{self._folder / after.name} holds commits that are also in another file: remove it if it is no"
                " file of this log, or discard the log and let it be built again from the sources"
            )
        raise BarLogError(
            f"{self._folder / Span(reach + 1, after.first - 1).name}, or files for parts of it, is missing before"
            f" {after.name}, so bars would be missing: {_BEGIN_ANEW}"
        )

    def _together(
        self, files: Iterable[Span], read_already: Mapping[Span, BarFile]
    ) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
        """The appends and the newest states of consecutive files."""
        rows: dict[str, list[pl.DataFrame]] = {}
        states: dict[str, pl.DataFrame] = {}
        for span in files:
            for tier, frame in read_already[span].appends().items():
                self._check_columns(tier, frame, str(self._folder / span.name))
                self._columns[tier] = frame.schema
                rows.setdefault(tier, []).append(frame)
            states |= read_already[span].states()
        return {tier: pl.concat(frames, rechunk=True) for tier, frames in rows.items()}, states

    def _check_columns(self, tier: str, rows: pl.DataFrame, where: str) -> None:
        before = self._columns.get(tier, rows.schema)
        if rows.schema != before:
            raise BarLogError(
                f"{where}: the columns of the tier {tier!r} are {dict(rows.schema)}, and those of the commits before"
                f" are {dict(before)}: discard the log when the shape of a tier changes"
            )

    def _merge_what_is_due(self) -> None:
        """Merge before a commit, not after, so that an error does not leave in doubt whether it was made."""
        if self._newest < self._merge_again_after:
            return
        try:
            while run := self._due():
                self._merge(run)
        except OSError as error:
            # A merge takes more room than a commit, and is no need of today.
            self._merge_again_after = self._newest + self._fan_out
            _log.warning(
                "files of the log could not be merged; they stay as they are",
                folder=str(self._folder), error=error.strerror, tried_again_at_commit=self._merge_again_after + 1,
            )  # fmt: skip

    def _due(self) -> list[Span]:
        """The next files to merge: consecutive, of one size; none if there are too few."""
        for _, group in groupby(self._files, key=lambda span: span.commits):
            run = list(group)[: self._fan_out]
            if len(run) == self._fan_out:
                return run
        return []

    def _merge(self, run: list[Span]) -> None:
        rows, states = self._together(run, {span: self._read_again(span) for span in run})
        appends = {tier: self._prune(tier, frame) for tier, frame in rows.items()}
        for tier, frame in appends.items():
            self._check_columns(tier, frame, "what was left by pruning")
        merged = Span(run[0].first, run[-1].last)
        barlog_folder.write(self._folder / merged.name, encode(*merged, appends, states))
        at = self._files.index(run[0])
        self._files[at : at + len(run)] = [merged]
        for span in run:
            (self._folder / span.name).unlink()  # what is left of them after a crash, the next open removes

    def _read(self, span: Span) -> BarFile:
        file = read(self._folder / span.name)
        if (file.first, file.last) != span:
            raise DamagedError(f"it holds the commits {file.first} to {file.last}, which is not what its name says")
        return file

    def _read_again(self, span: Span) -> BarFile:
        """A file that was whole when the log was opened, or was written since."""
        path = self._folder / span.name
        try:
            return self._read(span)
        except DamagedError as error:
            raise BarLogError(f"{path} was damaged while the log was open ({error}): {_BEGIN_ANEW}") from error
        except FileNotFoundError as error:
            raise BarLogError(f"{path} was removed while the log was open: {_BEGIN_ANEW}") from error

    @contextmanager
    def _saying(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BarLogError(
                f"{error.filename or self._folder}: the log cannot be {what}: {error.strerror or error}; make room"
                " there, see to it that it may be written, or name another folder for the log"
            ) from error
