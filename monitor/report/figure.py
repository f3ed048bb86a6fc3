"""The report's picture: a panel a signal, thresholds as lines, alert transitions as marks, blind spells as bands."""

from __future__ import annotations

import html
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots
from polars import col as c

from monitor.report.style import BLIND, CALM, CRITICAL, WARNING, WIDTH, new_york, new_york_of
from monitor.report.thin import thinned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_MARKS: Final = {
    "warning": {"color": WARNING, "symbol": "triangle-up", "size": 9},
    "critical": {"color": CRITICAL, "symbol": "diamond", "size": 10},
}
_HAS_LEVEL: Final = c("level").is_in(["calm", "warning", "critical"])
PANEL_HEIGHT: Final = 170

# The picture is bounded, whatever the replay's length.
MAX_LINES: Final = 8
"""Of more label sets a panel shows those that went farthest to the bad side, and its title says so."""
MAX_POINTS: Final = 800
"""All lines of a panel together have at most so many."""
MAX_POINTS_A_LINE: Final = 400
MAX_BANDS: Final = 150
"""A band is at least this part of the time axis wide, and so is the space between two."""


@dataclass(frozen=True)
class _Panel:
    """One signal: its place in the picture, and a frame a label set that has levels, by event time."""

    number: int
    signal: Mapping[str, Any]
    lines: list[tuple[str, pl.DataFrame]]

    @property
    def title(self) -> str:
        of_all = f", the {MAX_LINES} worst of {len(self.lines):,}" if len(self.lines) > MAX_LINES else ""
        rows = self.signal["thresholds"]
        is_one = all(self.enter(level) is not None for level in _MARKS if any(row[level] for row in rows))
        own = "" if is_one else "; thresholds differ by line, see docs/thresholds.md"
        return f"{self.signal['title']} ({self.signal['unit']}{of_all}{own})"

    @property
    def worst(self) -> list[tuple[str, pl.DataFrame]]:
        return self.lines[:MAX_LINES]

    def enter(self, level: str) -> float | None:
        """The enter value that all rows with this level share; None if no row has it, or they differ."""
        enters = {row[level]["enter"] for row in self.signal["thresholds"] if row[level] is not None}
        return enters.pop() if len(enters) == 1 else None

    def axis(self, letter: str) -> str:
        return letter if self.number == 1 else f"{letter}{self.number}"


def with_levels(steps: pl.DataFrame) -> set[str]:
    """The signals of which a label set has a level: those that the picture can show."""
    return set(steps.filter(_HAS_LEVEL)["signal"].unique())


def draw(signals: Sequence[Mapping[str, Any]], steps: pl.DataFrame, alerts: Sequence[Mapping[str, Any]]) -> go.Figure:
    """The picture of a replay.

    Args:
        signals: the catalogue's entries of the panels, as `catalogue.json` has them.
        steps: the rows of `signals.parquet`, `labels` as struct.
        alerts: the lines of `alerts.jsonl` that are marked.
    """
    panels = [_panel(number, signal, steps) for number, signal in enumerate(signals, start=1)]
    figure = make_subplots(
        rows=len(panels), cols=1, shared_xaxes=True, subplot_titles=[panel.title for panel in panels],
        vertical_spacing=0.25 / max(1, len(panels)),
    )  # fmt: skip
    figure.update_annotations(font_size=13, xanchor="left", x=0)  # the titles; thresholds get theirs below
    first, end = steps.select(first=c("ts").min(), end=c("ts").max()).row(0)
    for panel in panels:
        _draw_lines(figure, panel)
        _draw_blind(figure, panel, first, end)
        _draw_thresholds(figure, panel)
        _draw_alerts(figure, panel, [line for line in alerts if line["signal"] == panel.signal["name"]])
    figure.update_layout(
        template="plotly_white", height=PANEL_HEIGHT * len(panels) + 90, showlegend=False,
        margin=dict(WIDTH), hovermode="closest", font={"color": "#333333", "size": 12},
    )  # fmt: skip
    figure.update_xaxes(showgrid=False, range=new_york(pl.Series([first, end])))
    figure.update_yaxes(zeroline=True, zerolinecolor="#dddddd", gridcolor="#f0f0f0", nticks=5)
    return figure


def _panel(number: int, signal: Mapping[str, Any], steps: pl.DataFrame) -> _Panel:
    lines = [
        (html.escape(", ".join(value for value in labels.values() if value)), rows)
        for (labels,), rows in steps.filter(c("signal") == signal["name"])
        .sort("ts", maintain_order=True)
        .group_by(["labels"], maintain_order=True)
        if rows.select(_HAS_LEVEL.any()).item()
    ]
    sign = -1 if signal["thresholds"][0]["low_is_bad"] else 1

    def worst(line: tuple[str, pl.DataFrame]) -> float:
        peak = line[1].select((c("value") * sign).max()).item()
        return -inf if peak is None else float(peak)

    return _Panel(number, signal, sorted(lines, key=worst, reverse=True))


def _draw_lines(figure: go.Figure, panel: _Panel) -> None:
    """A grey line a label set; a gap in data is a gap, and a value between two gaps is a point."""
    for name, rows in panel.worst:
        line = thinned(rows.select("ts", "value"), min(MAX_POINTS_A_LINE, MAX_POINTS // len(panel.worst)))
        figure.add_trace(
            go.Scatter(
                x=new_york(line["ts"]), y=line["value"].to_list(), mode="lines+markers", name=name, connectgaps=False,
                line={"color": CALM, "width": 1.2}, marker={"color": CALM, "size": 2},
                hovertemplate=f"{name}<br>%{{x|%Y-%m-%d %H:%M}} New York<br>%{{y:,.4~g}} {panel.signal['unit']}"
                "<extra></extra>",
            ),
            row=panel.number, col=1,
        )  # fmt: skip


def _draw_blind(figure: go.Figure, panel: _Panel, first: datetime, end: datetime) -> None:
    """Hatched bands over the spells in which a label set was blind, the last one perhaps to the end; one has the word.

    They are as high as what is drawn, so that the axis is that of the values.
    """
    least = (end - first) / MAX_BANDS
    spells = pl.concat(
        rows.select("ts", "level", until=c("ts").shift(-1, fill_value=end)).filter(c("level") == "blind")
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
    if bands.is_empty():
        return
    drawn = [value for _, rows in panel.worst for value in rows["value"].drop_nulls()]
    drawn += [enter for level in _MARKS if (enter := panel.enter(level)) is not None]
    low, high = min([0.0, *drawn]), max([0.0, *drawn]) or 1.0
    x: list[str | None] = []
    for start, until in bands.iter_rows():
        left, right = new_york(pl.Series([start, until]))
        x += [left, left, right, right, left, None]
    figure.add_trace(
        go.Scatter(
            x=x, y=[low, high, high, low, low, None] * bands.height, mode="lines", fill="toself", name="blind",
            line={"width": 0}, fillcolor="rgba(0,0,0,0)", hoveron="fills", hoverinfo="name",
            fillpattern={"shape": "/", "fgcolor": BLIND, "bgcolor": "rgba(0,0,0,0)", "size": 6, "solidity": 0.25},
        ),
        row=panel.number, col=1,
    )  # fmt: skip
    widest = bands.row(int((bands["until"] - bands["ts"]).arg_max() or 0))
    figure.add_annotation(
        x=new_york(pl.Series([widest[0] + (widest[1] - widest[0]) / 2]))[0], y=high, text="blind", showarrow=False,
        font={"size": 10, "color": CALM}, yanchor="top", row=panel.number, col=1,
    )  # fmt: skip


def _draw_thresholds(figure: go.Figure, panel: _Panel) -> None:
    """The default enter values, on days without a calendar flag; where the rows differ there is no line."""
    # The names of two thresholds that lie close together are moved apart, in pixels.
    for level, colour, apart in (("warning", WARNING, -6), ("critical", CRITICAL, 6)):
        enter = panel.enter(level)
        if enter is not None:
            figure.add_hline(
                y=enter, row=panel.number, col=1, line={"color": colour, "dash": "dot", "width": 1},
                annotation_text=f"{level} {enter:g}", annotation_position="right", annotation_yshift=apart,
                annotation_font={"color": colour, "size": 11},
            )  # fmt: skip


def _draw_alerts(figure: go.Figure, panel: _Panel, lines: Sequence[Mapping[str, Any]]) -> None:
    for level, mark in _MARKS.items():
        at = [line for line in lines if line["to"] == level and line["value"] is not None]
        figure.add_trace(
            go.Scatter(
                x=[new_york_of(line["ts"]) for line in at], y=[line["value"] for line in at], mode="markers",
                name=level, marker=mark, text=[html.escape(line["sentence"]) for line in at],
                hovertemplate="%{text}<extra></extra>",
            ),
            row=panel.number, col=1,
        )  # fmt: skip
