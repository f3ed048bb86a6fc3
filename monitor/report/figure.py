"""The report's picture: a panel a signal, thresholds as lines, alert transitions as marks, blind spells as bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots
from polars import col as c

from monitor.report.thin import thinned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Okabe-Ito: told apart by colour-blind people too. Calm is grey; colour means a level, and only that.
CALM, WARNING, CRITICAL, BLIND = "#555555", "#E69F00", "#D55E00", "#999999"
_MARKS: Final = {
    "warning": {"color": WARNING, "symbol": "triangle-up", "size": 9},
    "critical": {"color": CRITICAL, "symbol": "diamond", "size": 10},
}
PANEL_HEIGHT: Final = 170


def draw(signals: Sequence[Mapping[str, Any]], steps: pl.DataFrame, alerts: Sequence[Mapping[str, Any]]) -> go.Figure:
    """The picture of a replay.

    Args:
        signals: the catalogue's entries of the panels, as `catalogue.json` has them.
        steps: the rows of `signals.parquet`, `labels` as struct.
        alerts: the lines of `alerts.jsonl`.
    """
    titles = [f"{signal['title']} ({signal['unit']})" for signal in signals]
    figure = make_subplots(
        rows=len(signals), cols=1, shared_xaxes=True, subplot_titles=titles,
        vertical_spacing=0.25 / max(1, len(signals)),
    )  # fmt: skip
    figure.update_annotations(font_size=13, xanchor="left", x=0)  # the titles; thresholds get theirs below
    for number, signal in enumerate(signals, start=1):
        _draw_lines(figure, number, signal, steps.filter(c("signal") == signal["name"]))
        _draw_thresholds(figure, number, signal)
        _draw_alerts(figure, number, [line for line in alerts if line["signal"] == signal["name"]])
    figure.update_layout(
        template="plotly_white", height=PANEL_HEIGHT * len(signals) + 90, showlegend=False,
        margin={"l": 60, "r": 130, "t": 40, "b": 40}, hovermode="closest", font={"color": "#333333", "size": 12},
    )  # fmt: skip
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(zeroline=True, zerolinecolor="#dddddd", gridcolor="#f0f0f0", nticks=5)
    return figure


def _draw_lines(figure: go.Figure, number: int, signal: Mapping[str, Any], steps: pl.DataFrame) -> None:
    """A grey line a label set that has levels, by event time; a gap in data is a gap."""
    for (labels,), rows in steps.group_by(["labels"], maintain_order=True):
        if rows["level"].null_count() == rows.height:
            continue
        name = ", ".join(value for value in labels.values() if value)
        line = thinned(rows.sort("ts").select("ts", "value"))
        figure.add_trace(
            go.Scatter(
                x=line["ts"].to_list(), y=line["value"].to_list(), mode="lines", name=name, connectgaps=False,
                line={"color": CALM, "width": 1.2},
                hovertemplate=f"{name}<br>%{{x|%Y-%m-%d %H:%M}} UTC<br>%{{y:,.1f}} {signal['unit']}<extra></extra>",
            ),
            row=number, col=1,
        )  # fmt: skip
        _draw_blind(figure, number, rows.sort("ts"))


def _draw_blind(figure: go.Figure, number: int, rows: pl.DataFrame) -> None:
    """A grey band for each spell in which the signal was blind."""
    spells = rows.select("ts", is_blind=c("level") == "blind").with_columns(until=c("ts").shift(-1)).filter("is_blind")
    for start, _, until in spells.iter_rows():
        figure.add_vrect(
            x0=start, x1=until or rows["ts"][-1], row=number, col=1, fillcolor=BLIND, opacity=0.25, line_width=0,
            annotation_text="blind", annotation_font_size=10,
        )  # fmt: skip


def _draw_thresholds(figure: go.Figure, number: int, signal: Mapping[str, Any]) -> None:
    """The default enter values of the signal's first row, on days without a calendar flag."""
    row = signal["thresholds"][0]
    for level, colour in (("warning", WARNING), ("critical", CRITICAL)):
        if row[level] is not None:
            enter = row[level]["enter"]
            figure.add_hline(
                y=enter, row=number, col=1, line={"color": colour, "dash": "dot", "width": 1},
                annotation_text=f"{level} {enter:g}", annotation_position="right",
                annotation_font={"color": colour, "size": 11},
            )  # fmt: skip


def _draw_alerts(figure: go.Figure, number: int, lines: Sequence[Mapping[str, Any]]) -> None:
    for level, mark in _MARKS.items():
        at = [line for line in lines if line["to"] == level and line["value"] is not None]
        figure.add_trace(
            go.Scatter(
                x=[line["ts"] for line in at], y=[line["value"] for line in at], mode="markers", name=level,
                marker=mark, text=[line["sentence"] for line in at], hovertemplate="%{text}<extra></extra>",
            ),
            row=number, col=1,
        )  # fmt: skip
