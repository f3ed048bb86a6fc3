"""A segment's picture: a panel a signal, thresholds as lines, alert transitions as marks, blind spells hatched."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
from polars import col as c

from monitor.report.style import (
    BLIND_COLOUR,
    CALM,
    CRITICAL,
    WARNING,
    finish,
    new_york,
    new_york_of,
    numbers,
    panels,
    said,
    segment_title,
    times,
)
from monitor.report.thin import held
from monitor.results import BLIND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_MARKS: Final = {
    "warning": {"color": WARNING, "symbol": "triangle-up", "size": 9},
    "critical": {"color": CRITICAL, "symbol": "diamond", "size": 10},
}
_HAS_LEVEL: Final = c("level").is_in(["calm", "warning", "critical"])
ALSO: Final[Mapping[str, str]] = {
    "newissue_supply_busd": "what the market has to take: it weighs on concessions before they show it",
    "newissue_share_ratio": "how much of it is one theme's",
    "cds_spread_bp": "the height from which widening starts; its own change has the thresholds",
    "cds_days_since_higher": "how far back one has to look for as bad a day",
}
"""Signals that are drawn without levels too, as they tell the story, and what of it."""
PANEL_HEIGHT: Final = 128
_SCORE_HEIGHT: Final = 64

# The pictures are bounded, whatever the replay's length and whatever it has of instruments.
MAX_LINES: Final = 12
"""Of more label sets a panel shows those that were at the worst level, or farthest; its title says so."""
MAX_POINTS_A_LINE: Final = 400
MAX_POINTS: Final = 18_000
"""Of all lines of all signals on the page; each panel has an equal part."""
MAX_BANDS: Final = 1_500
"""The same of hatched bands."""
MAX_BANDS_A_PANEL: Final = 150
"""A band is at least this part of the time axis wide, and so is the space between two."""
MAX_MARKS: Final = 700
"""The same of alert marks; of more, the worst of each stretch of time."""
MAX_MARKS_A_PANEL: Final = 120
_NAME, _SENTENCE = 60, 260
"""Bytes of a name, and of a mark's sentence."""


@dataclass(frozen=True)
class Bounds:
    """What a panel may hold at most, for a page of so many panels."""

    points: int
    bands: int
    marks: int

    @classmethod
    def of(cls, count: int) -> Bounds:
        """Equal parts for so many panels of signals."""
        count = max(1, count)
        return cls(
            max(16 * MAX_LINES, MAX_POINTS // count),
            max(10, min(MAX_BANDS_A_PANEL, MAX_BANDS // count)),
            max(10, min(MAX_MARKS_A_PANEL, MAX_MARKS // count)),
        )


@dataclass(frozen=True)
class _Panel:
    """One signal: its place in the picture, a frame a label set by event time, and its alerts' marks."""

    number: int
    signal: Mapping[str, Any]
    lines: list[tuple[str, pl.DataFrame]]
    marks: list[Mapping[str, Any]]
    marks_of: int

    @property
    def title(self) -> str:
        rows = self.signal["thresholds"]
        is_one = all(self.enter(level) is not None for level in _MARKS if any(row[level] for row in rows))
        parts = [
            said(self.signal["unit"], _NAME),
            f"the {MAX_LINES} worst of {len(self.lines):,}" if len(self.lines) > MAX_LINES else "",
            "" if is_one else "thresholds differ by line, see docs/thresholds.md",
            f"{len(self.marks):,} of {self.marks_of:,} alerts marked" if len(self.marks) < self.marks_of else "",
        ]
        return f"{said(self.signal['title'], 2 * _NAME)} ({'; '.join(filter(None, parts))})"

    @property
    def worst(self) -> list[tuple[str, pl.DataFrame]]:
        return self.lines[:MAX_LINES]

    @property
    def has_blind(self) -> bool:
        return any((rows["level"] == BLIND).any() for _, rows in self.lines)

    def enter(self, level: str) -> float | None:
        """The enter value that all rows with this level share; None if no row has it, or they differ."""
        enters = {row[level]["enter"] for row in self.signal["thresholds"] if row[level] is not None}
        return enters.pop() if len(enters) == 1 else None


def can_be_drawn(signals: Sequence[Mapping[str, Any]], steps: pl.DataFrame) -> list[Mapping[str, Any]]:
    """Those of the signals of which a label set has a level, and those that tell the story without."""
    with_levels = set(steps.filter(_HAS_LEVEL)["signal"].unique())
    also = set(steps.filter(c("signal").is_in(list(ALSO)) & c("value").is_not_null())["signal"].unique())
    return [
        signal for signal in signals
        if signal["name"] in also or (signal["name"] in with_levels and signal["thresholds"])
    ]  # fmt: skip


def draw(
    segment: str,
    signals: Sequence[Mapping[str, Any]],
    steps: pl.DataFrame,
    alerts: Sequence[Mapping[str, Any]],
    *,
    score: pl.DataFrame | None = None,
    span: tuple[datetime, datetime] | None = None,
    bounds: Bounds | None = None,
) -> go.Figure:
    """The picture of a segment.

    Args:
        segment: its name.
        signals: the catalogue's entries of the panels, as `catalogue.json` has them.
        steps: the rows of `signals.parquet`, `labels` as struct.
        alerts: the lines of `alerts.jsonl`.
        score: `ts` and `value`, the segment's score; without, it has no line.
        span: the replay's begin and end; those of the steps if not given.
        bounds: what a panel may hold.
    """
    begin, end = span or steps.select(begin=c("ts").min(), end=c("ts").max()).row(0)
    bounds = bounds or Bounds.of(len(signals))
    above = 0 if score is None else 1
    parts = [_panel(number, signal, steps, alerts, bounds) for number, signal in enumerate(signals, start=1 + above)]
    titles = [f"{segment_title(segment)} score, 0 to 1"] * above + [part.title for part in parts]
    figure = panels(
        [_SCORE_HEIGHT] * above + [PANEL_HEIGHT] * len(parts), titles, [part.number for part in parts if part.has_blind]
    )
    if score is not None:
        _draw_score(figure, score, end)
    for part in parts:
        _draw_lines(figure, part, end, bounds)
        if part.has_blind:
            _draw_blind(figure, part, begin, end, bounds)
        _draw_thresholds(figure, part)
        _draw_alerts(figure, part)
    finish(figure, begin, end)
    if score is not None:
        figure.update_yaxes(range=[0, 1.05], nticks=3, row=1, col=1)
    return figure


def _panel(
    number: int, signal: Mapping[str, Any], steps: pl.DataFrame, alerts: Sequence[Mapping[str, Any]], bounds: Bounds
) -> _Panel:
    has_rows = steps.filter(c("signal") == signal["name"]).sort("ts", maintain_order=True)
    matters = _HAS_LEVEL if has_rows.select(_HAS_LEVEL.any()).item() else c("value").is_not_null()
    lines = [
        (said(", ".join(value for value in labels.values() if value), _NAME), rows)
        for (labels,), rows in has_rows.group_by(["labels"], maintain_order=True)
        if rows.select(matters.any()).item()
    ]
    sign = -1 if signal["thresholds"] and signal["thresholds"][0]["low_is_bad"] else 1

    def badness(line: tuple[str, pl.DataFrame]) -> tuple[int, float]:
        at = set(line[1]["level"].unique())
        peak = line[1].select((c("value") * sign).max()).item()
        return 2 if "critical" in at else int("warning" in at), -inf if peak is None else float(peak)

    own = [
        line
        for line in alerts
        if line["signal"] == signal["name"] and line["to"] in _MARKS and line["value"] is not None
    ]
    return _Panel(number, signal, sorted(lines, key=badness, reverse=True), _fewer(own, bounds.marks), len(own))


def _fewer(marks: list[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """Of too many marks the first of the worst level in each of so many stretches."""
    if len(marks) <= most:
        return marks
    stretches = (marks[n * len(marks) // most : (n + 1) * len(marks) // most] for n in range(most))
    return [next((mark for mark in each if mark["to"] == "critical"), each[0]) for each in stretches]


def _draw_score(figure: go.Figure, score: pl.DataFrame, end: datetime) -> None:
    line, shape = held(score, MAX_POINTS_A_LINE, end)
    figure.add_trace(
        go.Scatter(
            x=times(line["ts"]), y=numbers(line["value"]), mode="lines+markers", name="score", connectgaps=False,
            line={"color": CALM, "width": 1.2, "shape": shape}, marker={"color": CALM, "size": 2},
            hovertemplate="%{x|%Y-%m-%d %H:%M} New York<br>score %{y:.2f}<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip


def _draw_lines(figure: go.Figure, panel: _Panel, end: datetime, bounds: Bounds) -> None:
    """A grey line a label set; a gap in data is a gap, and a value between two gaps is at least a point."""
    most = min(MAX_POINTS_A_LINE, bounds.points // max(1, len(panel.worst)))
    for name, rows in panel.worst:
        line, shape = held(rows.select("ts", "value"), most, end)
        figure.add_trace(
            go.Scatter(
                x=times(line["ts"]), y=numbers(line["value"]), mode="lines+markers", name=name, connectgaps=False,
                line={"color": CALM, "width": 1.2, "shape": shape}, marker={"color": CALM, "size": 2},
                hovertemplate=f"%{{fullData.name}}<br>%{{x|%Y-%m-%d %H:%M}} New York<br>%{{y:,.4~g}} "
                f"{said(panel.signal['unit'], _NAME)}<extra></extra>",
            ),
            row=panel.number, col=1,
        )  # fmt: skip


def _draw_blind(figure: go.Figure, panel: _Panel, begin: datetime, end: datetime, bounds: Bounds) -> None:
    """Hatched bands over the spells in which a label set was blind, the last one perhaps to the end; one has the word.

    They stand on an axis of their own over the other, as high as the panel.
    """
    least = (end - begin) / bounds.bands
    spells = pl.concat(
        rows.select("ts", "level", until=c("ts").shift(-1, fill_value=end)).filter(c("level") == BLIND)
        for _, rows in panel.lines
    ).sort("ts")
    spells = spells.with_columns(until=pl.max_horizontal("until", c("ts") + least))
    is_apart = c("ts") > c("until").cum_max().shift(1) + least
    bands = (
        spells.with_columns(band=is_apart.fill_null(value=True).cum_sum())
        .group_by("band", maintain_order=True)
        .agg(c("ts").min(), c("until").max())
        .select("ts", "until")
    )
    corners = bands.select(c("ts").alias("a"), c("ts").alias("b"), c("until").alias("c"), c("until").alias("d"))
    x = corners.with_columns(e=c("a"), f=c("a")).select(pl.concat_list(pl.all())).to_series().explode()
    y = pl.Series([0.0, 1.0, 1.0, 0.0, 0.0, None] * bands.height, dtype=pl.Float64)
    figure.add_trace(
        go.Scatter(
            x=times(x), y=numbers(y), mode="lines", fill="toself", name=BLIND, line={"width": 0},
            fillcolor="rgba(0,0,0,0)", hoveron="fills", hoverinfo="name",
            fillpattern={"shape": "/", "fgcolor": BLIND_COLOUR, "bgcolor": "rgba(0,0,0,0)", "size": 7,
                         "solidity": 0.18},
        ),
        row=panel.number, col=1, secondary_y=True,
    )  # fmt: skip
    start, until = bands.row(int((bands["until"] - bands["ts"]).arg_max() or 0))
    figure.add_annotation(
        x=new_york(pl.Series([start + (until - start) / 2]))[0], y=1, text=BLIND, showarrow=False, yanchor="top",
        font={"size": 10, "color": CALM}, bgcolor="rgba(255,255,255,0.8)", borderpad=1,
        row=panel.number, col=1, secondary_y=True,
    )  # fmt: skip


def _draw_thresholds(figure: go.Figure, panel: _Panel) -> None:
    """The default enter values, on days without a calendar flag; where the rows differ there is no line."""
    # The names of two thresholds that lie close together are moved apart, in pixels.
    up = 6 if panel.signal["thresholds"] and panel.signal["thresholds"][0]["low_is_bad"] else -6
    for level, colour, apart in (("warning", WARNING, up), ("critical", CRITICAL, -up)):
        enter = panel.enter(level)
        if enter is not None:
            figure.add_hline(
                y=enter, row=panel.number, col=1, line={"color": colour, "dash": "dot", "width": 1},
                annotation_text=f"{level} {enter:g}", annotation_position="right", annotation_yshift=apart,
                annotation_font={"color": colour, "size": 11}, secondary_y=False,
            )  # fmt: skip


def _draw_alerts(figure: go.Figure, panel: _Panel) -> None:
    for level, mark in _MARKS.items():
        at = [line for line in panel.marks if line["to"] == level]
        if at:
            figure.add_trace(
                go.Scatter(
                    x=new_york_of([line["ts"] for line in at]), y=[line["value"] for line in at], mode="markers",
                    name=level, marker=mark, text=[said(line["sentence"], _SENTENCE) for line in at],
                    hovertemplate="%{text}<extra></extra>", hoverlabel={"namelength": -1},
                ),
                row=panel.number, col=1,
            )  # fmt: skip
