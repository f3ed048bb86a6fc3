"""The files that a replay leaves: signals, the index, alert transitions, rejects."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

import polars as pl
from polars import col as c
from polars.exceptions import PolarsError

from monitor.results import BLIND, INDEX_COLUMNS, MICROSECONDS_PER_SECOND, SEGMENTS, Level, rfc3339
from monitor.sinks.base import MAPPED, SYNTHETIC, Sink, SinkError, synthetic_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from monitor.results import Ingested, Output, RejectedEvent, Transition

SIGNALS_FILE: Final = "signals.parquet"
INDEX_FILE: Final = "index.parquet"
ALERTS_FILE: Final = "alerts.jsonl"
REJECTS_FILE: Final = "rejects.jsonl"
SUMMARY_FILE: Final = "summary.json"
CATALOGUE_FILE: Final = "catalogue.json"
_REPORT_FILE: Final = "report.html"
_PARQUET_FILES: Final = (SIGNALS_FILE, INDEX_FILE)
"""Written in parts, which are put together at the end: files whose names begin with a dot and one of these."""
_OF_INDEX: Final = [
    name
    for name in INDEX_COLUMNS
    if name not in {"tick", *(f"{mark}_{s}" for mark in ("level", "blind") for s in SEGMENTS)}
]
"""The columns of `index.parquet` after its time: levels and blindness stand in the other files."""

MAX_REJECTS_KEPT: Final = 1_000_000
"""So many refused payloads are kept; of more, the summary says how many were only counted."""


class ReplayFiles(Sink):
    """Writes a folder; what an earlier replay left there is replaced.

    Args:
        folder: made if it is not there.
        step_shape: the columns of the frames of steps.
        labels: those of them that are labels.
        synthetic: which made-up feed this is; every file then says so. None: the events are real.
        max_rejects: so many refused payloads are kept.
    """

    def __init__(
        self,
        folder: Path,
        step_shape: Mapping[str, pl.DataType],
        labels: tuple[str, ...],
        *,
        synthetic: str | None = None,
        max_rejects: int = MAX_REJECTS_KEPT,
    ) -> None:
        self._synthetic = synthetic
        self._metadata = {SYNTHETIC: synthetic} if synthetic else None
        self._folder, self._shape, self._labels = folder, step_shape, labels
        self._max_rejects = max_rejects
        self._parts: dict[str, list[Path]] = {name: [] for name in _PARQUET_FILES}
        self.rejects_kept = self.rejects_dropped = 0
        with self._writing(), ExitStack() as files:
            folder.mkdir(parents=True, exist_ok=True)
            self._clear()
            self._alerts: IO[str] = files.enter_context((folder / ALERTS_FILE).open("w", encoding="utf-8"))
            self._rejects: IO[str] = files.enter_context((folder / REJECTS_FILE).open("w", encoding="utf-8"))
            self._files = files.pop_all()

    def ingested(self, what: Ingested) -> None:
        """Keep what was refused."""
        with self._writing():
            for reject in what.rejects:
                if self.rejects_kept < self._max_rejects:
                    line = reject_line(reject) | ({SYNTHETIC: True} if self._synthetic else {})
                    self._rejects.write(json.dumps(line, ensure_ascii=False) + "\n")
                    self.rejects_kept += 1
                else:
                    self.rejects_dropped += 1

    def wrote(self, output: Output) -> None:
        """Append steps and transitions."""
        with self._writing():
            for transition in output.transitions:
                line = transition_line(transition)
                if self._synthetic:
                    line |= {SYNTHETIC: True, "sentence": synthetic_sentence(transition.sentence)}
                self._alerts.write(json.dumps(line, ensure_ascii=False) + "\n")
            if output.steps.height:
                self._write_part(SIGNALS_FILE, self.signal_rows(output.steps))
            if output.index.height:
                self._write_part(INDEX_FILE, index_rows(output.index))

    def close(self) -> None:
        """Put the parts together."""
        with self._writing(), self._files:
            self._put_together(SIGNALS_FILE, self.signal_rows(pl.DataFrame(schema=self._shape)))
            self._put_together(INDEX_FILE, index_rows(pl.DataFrame(schema=INDEX_COLUMNS)))

    def _write_part(self, name: str, rows: pl.DataFrame) -> None:
        parts = self._parts[name]
        part = self._folder / f".{name}.{len(parts):06d}"
        rows.write_parquet(part, metadata=self._metadata)
        parts.append(part)

    def _put_together(self, name: str, empty: pl.DataFrame) -> None:
        whole, parts = self._folder / name, self._parts[name]
        if not parts:
            empty.write_parquet(whole, metadata=self._metadata)
        elif len(parts) == 1:
            parts[0].rename(whole)
        else:
            pl.scan_parquet(parts, glob=False).sink_parquet(whole, metadata=self._metadata)
            for part in parts:
                part.unlink()
        parts.clear()

    def write_catalogue(self, signals: Sequence[Mapping[str, Any]]) -> None:
        """Write the signals with the thresholds of this replay, for its report."""
        with self._writing():
            (self._folder / CATALOGUE_FILE).write_text(json.dumps(signals, indent=2) + "\n", encoding="utf-8")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what the replay did, as its last word."""
        with self._writing():
            (self._folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    def signal_rows(self, steps: pl.DataFrame) -> pl.DataFrame:
        """Steps as the rows of `signals.parquet`."""
        words = (
            pl.when("blind")
            .then(pl.lit(BLIND))
            .otherwise(
                c("level").replace_strict(
                    {int(level): level.word for level in Level}, default=None, return_dtype=pl.String
                )
            )
        )
        return steps.select(
            ts=_TS,
            value_date="value_date",
            signal="signal",
            labels=pl.struct(*self._labels),
            value="value",
            score="score",
            level=words,
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, PolarsError) as error:
            why = getattr(error, "strerror", None) or error
            raise SinkError(f"{self._folder} cannot be written: {why}; name another folder with --out") from error

    def _clear(self) -> None:
        """Remove what an earlier replay left, also one that was killed."""
        if (self._folder / SUMMARY_FILE).exists():  # else a report may be anybody's
            (self._folder / _REPORT_FILE).unlink(missing_ok=True)
        for name in (*_PARQUET_FILES, SUMMARY_FILE, CATALOGUE_FILE):
            (self._folder / name).unlink(missing_ok=True)
        for name in _PARQUET_FILES:
            for part in self._folder.glob(f".{name}.*"):
                part.unlink()


_TS: Final = pl.from_epoch(c("tick") * MICROSECONDS_PER_SECOND, "us").dt.replace_time_zone("UTC")


def index_rows(index: pl.DataFrame) -> pl.DataFrame:
    """Rows of the index as `index.parquet` has them."""
    return index.select(*_OF_INDEX, ts=_TS).select("ts", *_OF_INDEX)


def transition_line(transition: Transition) -> dict[str, Any]:
    """A transition as a line of `alerts.jsonl`."""
    return {
        "ts": rfc3339(transition.tick),
        "value_date": transition.value_date.isoformat() if transition.value_date else None,
        "alert": transition.alert,
        "signal": transition.signal,
        "segment": transition.segment,
        "labels": transition.labels,
        "from": transition.before,
        "to": transition.after,
        "since": rfc3339(transition.since),
        "value": transition.value,
        "threshold": transition.threshold,
        "contributors": [{"labels": each.labels, "value": each.value} for each in transition.contributors],
        "runbook": transition.runbook,
        "notify": transition.notify,
        "sentence": transition.sentence,
    } | ({"clock": "wall"} if transition.by_wall_clock else {})


def reject_line(reject: RejectedEvent) -> dict[str, Any]:
    """A refused event as a line of `rejects.jsonl`; its exact bytes are `raw_base64`, or else `raw` in UTF-8."""
    line: dict[str, Any] = {
        "stream": reject.stream,
        "reason": reject.reason,
        "detail": reject.detail,
        "source": reject.source,
        "position": reject.position,
    }
    if reject.is_mapped:
        line |= {MAPPED: True, "events": reject.events}
    try:
        return line | {"raw": reject.raw.decode()}
    except UnicodeDecodeError:
        # The exact bytes, besides a text that can be read.
        readable = reject.raw.decode(errors="backslashreplace")
        return line | {"raw": readable, "raw_base64": base64.b64encode(reject.raw).decode()}
