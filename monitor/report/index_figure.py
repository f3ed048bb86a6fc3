"""The picture of the stress index: how bad, since when, made of what, and how far to be trusted."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl
from polars import col as c

from monitor.report.style import (
    CALM,
    CRITICAL,
    INFORMATION,
    REGIME_COLOURS,
    SEGMENT_COLOURS,
    SEGMENT_TITLES,
    WARNING,
    finish,
    minute,
    new_york,
    numbers,
    panels,
    spells,
    times,
)
from monitor.report.thin import held, thinned_steps
from monitor.results import REGIMES, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MAX_POINTS: Final = 400
"""Of a line."""
MAX_SPELLS: Final = 100
"""Of more spells of a regime the strip shows the worst in each of so many stretches of time."""
_HEIGHTS: Final = (26, 230, 230, 70)
_TITLES: Final = (
    "Regime",
    "Stress index, 0 to 1; shaded: between what it were if all that is absent were calm, and if it were at its worst",
    "Contributions of the segments, which sum to the index",
    "Coverage: the weight of the segments that are present",
)
_LINES: Final = (("elevated", 0.10, INFORMATION), ("stressed", 0.25, WARNING), ("crisis", 0.45, CRITICAL))
"""Where each regime begins."""
CAPPED: Final = ", capped"
"""It would be a crisis, were there enough that shows it."""
_CLEAR: Final = "rgba(0,0,0,0)"
_PIXELS: Final = 1_050
"""About so wide is the picture on a page of full width; a word of the strip has to fit its spell."""


def draw_index(index: pl.DataFrame, begin: datetime | None = None, end: datetime | None = None) -> go.Figure:
    """The regime in words, the index with its bounds, the contributions, and the coverage.

    Args:
        index: the rows of `index.parquet`, by `ts`; at least one has an index.
        begin: the replay's begin; the index's own if not given.
        end: the replay's end, until when the last row stands; the index's own if not given.
    """
    begin, end = begin or index["ts"][0], end or index["ts"][-1]
    figure = panels(_HEIGHTS, _TITLES)
    _draw_regimes(figure, index, begin, end)
    _draw_bounds(figure, index, end)
    _draw_line(figure, index, end)
    _draw_contributions(figure, index, end)
    coverage, shape = held(index.select("ts", value="coverage"), MAX_POINTS, end)
    figure.add_trace(
        go.Scatter(
            x=times(coverage["ts"]), y=numbers(coverage["value"]), name="coverage", mode="lines",
            line={"color": CALM, "width": 1.2, "shape": shape},
            hovertemplate="%{x|%Y-%m-%d %H:%M} New York<br>coverage %{y:.0%}<extra></extra>",
        ),
        row=4, col=1,
    )  # fmt: skip
    finish(figure, begin, end)
    figure.update_yaxes(visible=False, range=[0, 1], row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=2, col=1)
    figure.update_yaxes(rangemode="tozero", row=3, col=1)
    figure.update_yaxes(range=[0, 1.05], tickformat=".0%", nticks=3, row=4, col=1)
    return figure


def _draw_regimes(figure: go.Figure, index: pl.DataFrame, begin: datetime, end: datetime) -> None:
    """A strip that says the regime in words; what was capped says so."""
    known = index.drop_nulls("regime")
    whole = max(end - begin, end.resolution)
    found = spells(known, "regime", end)
    if found.height > MAX_SPELLS:
        found = _of_stretches(found)
    capped = known.filter("capped")["ts"]
    for start, until, regime in found.iter_rows():
        share = (until - start) / whole
        words = [regime + CAPPED, regime] if ((capped >= start) & (capped < until)).any() else [regime]
        left, middle, right = new_york(pl.Series([start, start + (until - start) / 2, until]))
        # A short spell is still to be seen: the line around it has a width whatever the scale.
        figure.add_trace(
            go.Scatter(
                x=[left, right, right, left, left], y=[0, 0, 1, 1, 0], fill="toself", mode="lines", name=words[0],
                line={"width": 1, "color": REGIME_COLOURS[regime]}, fillcolor=REGIME_COLOURS[regime], hoveron="fills",
                text=f"{words[0]}<br>{minute(start)} to {minute(until)} New York", hoverinfo="text",
            ),
            row=1, col=1,
        )  # fmt: skip
        word = next((word for word in words if share * _PIXELS > 7 * len(word)), None)
        if word is not None:
            figure.add_annotation(
                x=middle, y=0.5, text=word, showarrow=False, row=1, col=1,
                font={"size": 12, "color": "#ffffff" if regime in ("elevated", "crisis") else "#333333"},
            )  # fmt: skip


def _of_stretches(found: pl.DataFrame) -> pl.DataFrame:
    """The worst regime in each of `MAX_SPELLS` stretches of time; what is between two known spells counts as known."""
    begin, end = found["ts"][0], found["until"][-1]
    length = max(end - begin, end.resolution) / MAX_SPELLS
    worst = [0] * MAX_SPELLS
    for start, until, regime in found.iter_rows():
        first = min(int((start - begin) / length), MAX_SPELLS - 1)
        last = min(max(first, ceil((until - begin) / length) - 1), MAX_SPELLS - 1)
        for at in range(first, last + 1):
            worst[at] = max(worst[at], REGIMES.index(regime))
    stretches = pl.DataFrame({
        "ts": [begin + length * at for at in range(MAX_SPELLS)], "regime": [REGIMES[level] for level in worst],
    })  # fmt: skip
    return spells(stretches, "regime", end)


def _draw_bounds(figure: go.Figure, index: pl.DataFrame, end: datetime) -> None:
    """A grey band from the lower to the upper bound."""
    # Both have the same rows, as they are stacked; where there are none the band has no height.
    rows, shape = _of_peaks(index, ("low", "high"), end)
    for name, values, fill in (
        ("low", rows["low"], _CLEAR), ("high", rows["high"] - rows["low"], "rgba(85,85,85,0.16)"),
    ):  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=times(rows["ts"]), y=numbers(values), name=name, mode="lines", stackgroup="bounds", fillcolor=fill,
                line={"width": 0, "color": _CLEAR, "shape": shape}, hoverinfo="skip",
            ),
            row=2, col=1,
        )  # fmt: skip


def _draw_line(figure: go.Figure, index: pl.DataFrame, end: datetime) -> None:
    line, shape = held(index.select("ts", value="stress_index"), MAX_POINTS, end)
    told = line.join_asof(index.drop("stress_index"), on="ts").select(
        "regime", "capped", c("low").fill_null(0.0), c("high").fill_null(1.0), c("coverage").fill_null(0.0)
    )
    texts = [
        f"{regime or 'no regime'}{CAPPED if capped else ''}; {low:.2f} to {high:.2f}; coverage {coverage:.0%}"
        for regime, capped, low, high, coverage in told.iter_rows()
    ]
    figure.add_trace(
        go.Scatter(
            x=times(line["ts"]), y=numbers(line["value"]), name="stress index", mode="lines+markers", text=texts,
            line={"color": "#222222", "width": 1.8, "shape": shape}, marker={"color": "#222222", "size": 2},
            connectgaps=False,
            hovertemplate="%{x|%Y-%m-%d %H:%M} New York<br>index %{y:.3f}<br>%{text}<extra></extra>",
        ),
        row=2, col=1,
    )  # fmt: skip
    for regime, edge, colour in _LINES:
        figure.add_hline(
            y=edge, row=2, col=1, line={"color": colour, "dash": "dot", "width": 1},
            annotation_text=f"{regime} {edge:.2f}", annotation_position="right",
            annotation_font={"color": colour, "size": 11},
        )  # fmt: skip


def _draw_contributions(figure: go.Figure, index: pl.DataFrame, end: datetime) -> None:
    """A quiet colour a segment, named beside the stack in its order; one that was never there is not drawn."""
    names = {segment: f"contribution_{segment}" for segment in SEGMENTS}
    there = [segment for segment in SEGMENTS if index[names[segment]].null_count() < index.height]
    rows, shape = _of_peaks(index, [names[segment] for segment in there], end)
    for place, segment in enumerate(there):
        title = SEGMENT_TITLES[segment]
        figure.add_trace(
            go.Scatter(
                x=times(rows["ts"]), y=numbers(rows[names[segment]]), name=title, mode="lines",
                stackgroup="contributions", line={"width": 0, "shape": shape}, fillcolor=SEGMENT_COLOURS[segment],
                hovertemplate=f"%{{x|%Y-%m-%d %H:%M}} New York<br>{title} %{{y:.3f}}<extra></extra>",
            ),
            row=3, col=1,
        )  # fmt: skip
        peak = max(index[names[segment]].drop_nulls())
        figure.add_annotation(
            text=f'<span style="color:{SEGMENT_COLOURS[segment]}">■</span> {title}<br>'
            f'<span style="color:#777777">up to {peak:.2f}</span>',
            x=1, xref="x3 domain", xanchor="left", xshift=8,
            y=(place + 0.5) / len(SEGMENTS), yref="y3 domain", yanchor="middle",
            showarrow=False, align="left", font={"size": 11},
        )  # fmt: skip
    absent = [SEGMENT_TITLES[segment] for segment in SEGMENTS if segment not in there]
    if absent:
        figure.add_annotation(
            text=f"absent throughout: {', '.join(absent)}", x=1, xref="x3 domain", xanchor="right",
            y=1, yref="y3 domain", yanchor="bottom", yshift=4, showarrow=False, font={"size": 11, "color": "#777777"},
        )  # fmt: skip


def _of_peaks(index: pl.DataFrame, columns: Sequence[str], end: datetime) -> tuple[pl.DataFrame, str]:
    """Rows that show every peak of the columns, all of a row of one moment, and the shape in which to draw them.

    They are to be stacked, and a stack knows no gaps: over one it has no height.
    """
    rows = index.select("ts", *columns).with_columns(pl.all_horizontal(c(columns).is_null()).alias("gap"))
    edges = int((rows["gap"] != rows["gap"].shift(1)).sum())  # each may take one point more
    rows, are_steps = thinned_steps(rows, max(MAX_POINTS // 2, MAX_POINTS - 1 - edges), columns)
    rows = rows.with_columns(c(columns).fill_null(0.0))
    # A moment before a gap begins there is still what was, and a moment before it ends there is still nothing.
    is_edge = c("gap") != c("gap").shift(1)
    before = rows.with_columns(c(*columns, "gap").shift(1), edge=is_edge).filter("edge").drop("edge")
    before = before.with_columns(c("ts") - pl.duration(milliseconds=1))
    last = rows.tail(1).filter(c("ts") < end).with_columns(ts=pl.lit(end, rows.schema["ts"]))
    whole = pl.concat([rows, before, last]).sort("ts", maintain_order=True).drop("gap")
    return whole, "hv" if are_steps else "linear"
