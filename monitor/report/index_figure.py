"""The picture of the stress index: how bad, since when, made of what, and how far to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots
from polars import col as c

from monitor.report.style import (
    CALM,
    CRITICAL,
    INFORMATION,
    REGIME_COLOURS,
    SEGMENT_COLOURS,
    SEGMENT_TITLES,
    WARNING,
    WIDTH,
    new_york,
    spells,
)
from monitor.report.thin import thinned
from monitor.results import SEGMENTS

if TYPE_CHECKING:
    from datetime import datetime

HEIGHT: Final = 560
MAX_POINTS: Final = 400
MAX_SPELLS: Final = 60
"""Of more spells of a regime the longest are drawn."""
_LINES: Final = (("elevated", 0.10, INFORMATION), ("stressed", 0.25, WARNING), ("crisis", 0.45, CRITICAL))
"""Where each regime begins."""
_NAMED_FROM: Final = 0.01
"""A segment that never contributes as much is named in the legend only."""


def draw_index(index: pl.DataFrame) -> go.Figure:
    """The index with its bounds, the regime, and the contributions.

    Args:
        index: the rows of `index.parquet`, by `ts`; at least one has an index.
    """
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, row_heights=[0.46, 0.06, 0.48], vertical_spacing=0.07,
        subplot_titles=["Stress index, 0 to 1, and its bounds: what is absent calm, or at its worst", "Regime",
                        "What it is made of: contributions of the segments, which sum to the index"],
    )  # fmt: skip
    figure.update_annotations(font_size=13, xanchor="left", x=0)
    shown = _thinned(index)
    times = new_york(shown["ts"])
    _draw_line(figure, shown, times)
    _draw_regimes(figure, index)
    _draw_contributions(figure, shown, times)
    figure.update_layout(
        template="plotly_white", height=HEIGHT, margin=dict(WIDTH), font={"color": "#333333", "size": 12},
        hovermode="closest", legend={"y": 0.2, "x": 1.01, "traceorder": "reversed", "font": {"size": 11}},
    )  # fmt: skip
    figure.update_xaxes(showgrid=False, range=[times[0], times[-1]])
    figure.update_yaxes(gridcolor="#f0f0f0", nticks=5, rangemode="tozero")
    figure.update_yaxes(visible=False, row=2, col=1)
    return figure


def _thinned(index: pl.DataFrame) -> pl.DataFrame:
    """At most `MAX_POINTS` rows that show every peak of the index; all columns of a row are of one moment."""
    kept = thinned(index.select("ts", value="stress_index"), MAX_POINTS)["ts"]
    return index.filter(c("ts").is_in(kept.implode())).unique("ts", keep="last", maintain_order=True)


def _draw_line(figure: go.Figure, index: pl.DataFrame, times: list[str]) -> None:
    """The index, and a grey band from its lower to its upper bound."""
    quiet = {"color": "rgba(0,0,0,0)", "width": 0, "shape": "hv"}
    for name, fill in (("high", None), ("low", "tonexty")):
        figure.add_trace(
            go.Scatter(
                x=times, y=index[name].to_list(), name=name, mode="lines", line=quiet, fill=fill,
                fillcolor="rgba(120,120,120,0.15)", showlegend=False, hoverinfo="skip",
            ),
            row=1, col=1,
        )  # fmt: skip
    told = [
        f"{regime}{' (capped)' if capped else ''}, {low:.2f} to {high:.2f}, coverage {coverage:.0%}"
        for regime, capped, low, high, coverage in index.select(
            "regime", "capped", c("low").fill_null(0), c("high").fill_null(1), c("coverage").fill_null(0)
        ).iter_rows()
    ]
    figure.add_trace(
        go.Scatter(
            x=times, y=index["stress_index"].to_list(), name="stress index", mode="lines", text=told,
            line={"color": CALM, "width": 2, "shape": "hv"}, showlegend=False, connectgaps=False,
            hovertemplate="%{x|%Y-%m-%d %H:%M} New York<br>index %{y:.3f}<br>%{text}<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip
    for regime, edge, colour in _LINES:
        figure.add_hline(
            y=edge, row=1, col=1, line={"color": colour, "dash": "dot", "width": 1},
            annotation_text=f"{regime} {edge:.2f}", annotation_position="right",
            annotation_font={"color": colour, "size": 11},
        )  # fmt: skip


def _draw_regimes(figure: go.Figure, index: pl.DataFrame) -> None:
    """A strip that says the regime in words; what is capped says so."""
    end: datetime = index["ts"][-1]
    begin: datetime = index["ts"][0]
    named = index.select("ts", is_what=c("regime") + pl.when("capped").then(pl.lit(", capped")).otherwise(pl.lit("")))
    found = spells(named.drop_nulls(), "is_what", end)
    found = found.with_columns(share=(c("until") - c("ts")) / max((end - begin), end.resolution))
    for start, until, what, share in found.top_k(MAX_SPELLS, by="share").sort("ts").iter_rows():
        regime = what.removesuffix(", capped")
        x = new_york(pl.Series([start, until]))
        figure.add_trace(
            go.Scatter(
                x=[x[0], x[1], x[1], x[0], x[0]], y=[0, 0, 1, 1, 0], fill="toself", mode="lines", name=what,
                line={"width": 0}, fillcolor=REGIME_COLOURS[regime], showlegend=False, hoveron="fills",
                text=what, hoverinfo="text",
            ),
            row=2, col=1,
        )  # fmt: skip
        if share > 0.012 * len(what):
            middle = start + (until - start) / 2
            figure.add_annotation(
                x=new_york(pl.Series([middle]))[0], y=0.5, text=what, showarrow=False, row=2, col=1,
                font={"size": 12, "color": "#333333" if regime in ("calm", "stressed") else "#ffffff"},
            )  # fmt: skip


def _draw_contributions(figure: go.Figure, index: pl.DataFrame, times: list[str]) -> None:
    below = [0.0] * len(times)
    for segment in SEGMENTS:
        share = index[f"contribution_{segment}"].fill_null(0.0).to_list()
        figure.add_trace(
            go.Scatter(
                x=times, y=share, name=SEGMENT_TITLES[segment], stackgroup="contributions", mode="lines",
                line={"width": 0.5, "color": SEGMENT_COLOURS[segment], "shape": "hv"},
                hovertemplate=f"{SEGMENT_TITLES[segment]} %{{y:.3f}}<extra></extra>",
            ),
            row=3, col=1,
        )  # fmt: skip
        peak = max(range(len(share)), key=share.__getitem__)
        if share[peak] >= _NAMED_FROM:
            figure.add_annotation(
                x=times[peak], y=below[peak] + share[peak] / 2, text=SEGMENT_TITLES[segment], showarrow=False,
                font={"size": 11, "color": "#222222"}, row=3, col=1,
            )  # fmt: skip
        below = [a + b for a, b in zip(below, share, strict=True)]
