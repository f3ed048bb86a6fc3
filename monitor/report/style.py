"""What the page's pictures share: colours, time, size, and how text gets onto them."""

from __future__ import annotations

import base64
import html
import struct
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from plotly.subplots import make_subplots
from polars import col as c

from monitor.results import SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import plotly.graph_objects as go

# Okabe-Ito: told apart by colour-blind people too. Calm is grey; these colours mean a level, and only that.
CALM, WARNING, CRITICAL, BLIND_COLOUR, INFORMATION = "#555555", "#E69F00", "#D55E00", "#999999", "#0072B2"
REGIME_COLOURS: Final[Mapping[str, str]] = {
    "calm": "#E8E8E8", "elevated": INFORMATION, "stressed": WARNING, "crisis": CRITICAL,
}  # fmt: skip
SEGMENT_COLOURS: Final[Mapping[str, str]] = {
    "treasury": "#64789E", "repo": "#A9C7E8", "newissue": "#7F5A8F", "cds": "#CDB3D9", "credit": "#8A7B66",
}  # fmt: skip
"""None of them means a level; neighbours in the stack differ in lightness, so they are told apart without hue."""
SEGMENT_TITLES: Final[Mapping[str, str]] = {
    "treasury": "Treasury", "repo": "Repo", "newissue": "New issues", "cds": "CDS", "credit": "Credit and policy",
}  # fmt: skip

NEW_YORK: Final = "America/New_York"
_MARGINS: Final = {"l": 55, "r": 150, "t": 34, "b": 48}
"""The same for all: pictures above each other have their time axes above each other."""
_BETWEEN: Final = 44
"""Pixels from one panel to the next: room for the title."""
_CLOCK: Final = "%Y-%m-%d %H:%M:%S"


def segments_of(signals: Iterable[Mapping[str, Any]]) -> list[str]:
    """The segments in the order in which they stand everywhere, then what else the catalogue has."""
    return [*SEGMENTS, *sorted({str(signal["segment"]) for signal in signals} - set(SEGMENTS))]


def segment_title(segment: str) -> str:
    """A segment's name for people."""
    return SEGMENT_TITLES.get(segment, segment)


def said(text: str, most: int) -> str:
    """Text as HTML, with what is too long cut off: so many bytes at the most, whatever the characters.

    >>> said("a < b", 100), said("a < b", 6)
    ('a &lt; b', 'a …')
    """
    whole = html.escape(text)
    if len(whole.encode()) <= most:
        return whole
    kept, size = [], len("…".encode())
    for character in text:
        escaped = html.escape(character)
        size += len(escaped.encode())
        if size > most:
            break
        kept.append(escaped)
    return "".join(kept) + "…"


def new_york(moments: pl.Series) -> list[str]:
    """Moments (Datetime in UTC) as New York's clocks show them, for people and for an axis that knows no zones."""
    return moments.dt.convert_time_zone(NEW_YORK).dt.strftime(_CLOCK).to_list()


def new_york_of(texts: Sequence[str]) -> list[str]:
    """The same of RFC 3339 times in UTC.

    >>> new_york_of(["2019-09-17T12:00:00Z"])
    ['2019-09-17 08:00:00']
    """
    return new_york(pl.Series(texts, dtype=pl.String).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC"))


def minute(moment: datetime) -> str:
    """One moment for a sentence: to the minute, New York."""
    return new_york(pl.Series([moment]))[0][:16]


def times(moments: pl.Series) -> dict[str, str]:
    """The same as numbers in a third of the room: milliseconds, which an axis of dates takes."""
    local = moments.dt.convert_time_zone(NEW_YORK).dt.replace_time_zone(None)
    return _packed("d", "f8", local.dt.epoch("ms").cast(pl.Float64).to_list())


def numbers(values: pl.Series) -> dict[str, str]:
    """Values in a third of the room, to seven digits; null is a gap."""
    return _packed("f", "f4", values.cast(pl.Float64).fill_null(float("nan")).to_list())


def _packed(code: str, kind: str, values: Sequence[float]) -> dict[str, str]:
    return {"dtype": kind, "bdata": base64.b64encode(struct.pack(f"<{len(values)}{code}", *values)).decode()}


def panels(heights: Sequence[int], titles: Sequence[str], over: Sequence[int] = ()) -> go.Figure:
    """Empty panels above each other.

    Args:
        heights: of each, in pixels.
        titles: of each.
        over: the numbers, from 1, of those that get a second axis over the first, from 0 at the foot to 1.
    """
    inside = sum(heights) + _BETWEEN * (len(heights) - 1)
    figure = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, row_heights=list(heights), subplot_titles=list(titles),
        vertical_spacing=_BETWEEN / inside,
        specs=[[{"secondary_y": number in over}] for number, _ in enumerate(heights, start=1)],
    )  # fmt: skip
    figure.update_annotations(font_size=13, xanchor="left", x=0)  # the titles; all other annotations come later
    figure.update_layout(height=inside + _MARGINS["t"] + _MARGINS["b"])
    return figure


def finish(figure: go.Figure, begin: datetime, end: datetime) -> None:
    """Give a picture the look of all, and the replay's whole time as its axis."""
    figure.update_layout(
        template=None, margin=_MARGINS, showlegend=False, hovermode="closest", dragmode="zoom",
        plot_bgcolor="#ffffff", paper_bgcolor="#ffffff",
        font={"color": "#333333", "size": 12, "family": "system-ui, sans-serif"},
        hoverlabel={"bgcolor": "#ffffff", "font": {"color": "#333333"}, "align": "left"},
    )  # fmt: skip
    figure.update_xaxes(
        type="date", range=new_york(pl.Series([begin, end])), showgrid=False, zeroline=False, linecolor="#cccccc",
        domain=[0, 1],  # also beside a second axis: all pictures are equally wide
        ticks="outside", tickcolor="#cccccc",
    )  # fmt: skip
    figure.layout[f"xaxis{_last(figure)}"].title = {"text": "New York time", "font": {"size": 11}, "standoff": 4}
    # Across is what one zooms; the height is that of the data.
    figure.update_yaxes(
        zeroline=True, zerolinecolor="#dddddd", gridcolor="#f0f0f0", nticks=5, fixedrange=True, secondary_y=False
    )
    figure.update_yaxes(visible=False, range=[0, 1], fixedrange=True, secondary_y=True)


def _last(figure: go.Figure) -> str:
    count = len(list(figure.select_xaxes()))
    return "" if count == 1 else str(count)


def spells(rows: pl.DataFrame, of: str, end: datetime) -> pl.DataFrame:
    """The stretches in which a column stands at one value: `ts`, `until` and the column.

    Args:
        rows: has `ts`, sorted, and the column.
        of: the column.
        end: the last one's end.
    """
    changed = rows.filter(c(of).ne_missing(c(of).shift(1)) | (pl.int_range(pl.len()) == 0))
    return changed.select("ts", until=c("ts").shift(-1, fill_value=end), **{of: c(of)})
