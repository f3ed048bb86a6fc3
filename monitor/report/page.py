"""The page around the picture: first what happened, in sentences, then the picture, then every alert."""

from __future__ import annotations

import html
import json
from string import Template
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError

from monitor.report.figure import Bounds, can_be_drawn, draw
from monitor.report.index_figure import draw_index
from monitor.report.style import new_york_of, said, segment_title, segments_of
from monitor.report.tiles import blind_at_the_end, segment_sentence, tiles
from monitor.results import INDEX_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import plotly.graph_objects as go

REPORT_FILE: Final = "report.html"
_SHOWN: Final = 500
"""Of more alert transitions the table has the last so many, and says so."""
_SENTENCE: Final = 300
"""Bytes of a sentence in the table."""
_CONFIG: Final = {"displaylogo": False, "responsive": True, "modeBarButtons": [["toImage", "resetScale2d"]]}
_NEEDED: Final = ("first_event", "last_event", "events", "rejects")
"""What the page tells of `summary.json`."""
_STORY: Final = "story"
"""There if a scenario or some days of a history were played: says which, and if they are made up."""
_COLUMNS: Final = ("ts", "signal", "labels", "value", "level")
_INDEX_COLUMNS: Final = (
    "ts",
    *(name for name in INDEX_COLUMNS if name != "tick" and not name.startswith(("level_", "blind_"))),
)

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #333; margin: 1.2rem auto; max-width: 1300px; padding: 0 1rem }
h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1.15rem; margin: 1.6rem 0 0; border-top: 1px solid #ddd;
  padding-top: .7rem } .note { color: #666; font-size: .93rem; margin: .2rem 0 .5rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: .6rem 1.1rem; margin: 1rem 0 }
.tile { font-size: .84rem; line-height: 1.3; color: #555 }
.tile b { display: block; font-size: 1.65rem; line-height: 1.25; color: #333 }
.date { white-space: nowrap }
.synthetic { background: #fff3cd; border: 1px solid #e0c060; padding: .5rem .8rem; font-weight: 600 }
.critical, .critical b { color: #D55E00 } .warning, .warning b { color: #9a6a00 }
.elevated, .elevated b { color: #0072B2 } .blind, .blind b { color: #666; font-style: italic }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .7rem .2rem 0; vertical-align: top }
tr + tr td { border-top: 1px solid #eee } td:first-child { white-space: nowrap }
</style></head><body>
$banner<h1>$title</h1><p class="note">$span. All times are event times, by New York's clocks.</p>
<div class="tiles">$tiles</div>
$figures
<h2>Alert transitions</h2>$dropped
<table><thead><tr><th>when (New York)</th><th>level</th><th>what</th></tr></thead><tbody>$rows</tbody></table>
$together
</body></html>
""")
_TOGETHER: Final = """<script>
// All pictures show the same stretch of time: what is zoomed in one is zoomed in all.
(() => {
  const pictures = [...document.querySelectorAll(".plotly-graph-div")];
  let busy = false;
  for (const one of pictures) one.on("plotly_relayout", async (change) => {
    if (busy || !Object.keys(change).some((key) => /^xaxis\\d*\\.(range|autorange)/.test(key))) return;
    busy = true;
    const range = one.layout.xaxis.range.slice();
    try {
      await Promise.all(pictures.filter((other) => other !== one).map((other) => Plotly.relayout(other,
        Object.fromEntries(Object.keys(other.layout).filter((key) => /^xaxis\\d*$/.test(key))
          .map((key) => [key + ".range", range.slice()])))));
    } finally { busy = false; }
  });
})();
</script>""".replace("\\", "\\")


class ReportError(Exception):
    """The report cannot be made; the message says why and what to do."""


def write_report(folder: Path) -> Path:
    """Make the page of what a replay wrote into a folder; returns its path.

    Raises:
        ReportError: the folder is not what a replay writes, or cannot be written.
    """
    try:
        signals = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        # Not splitlines: a name may have a line separator of Unicode in it.
        lines = (folder / "alerts.jsonl").read_text(encoding="utf-8").split("\n")
        alerts = [json.loads(line) for line in lines if line]
        steps = pl.read_parquet(folder / "signals.parquet").select(_COLUMNS)
        has_index = (folder / "index.parquet").exists()  # a replay of an earlier release wrote none
        index = pl.read_parquet(folder / "index.parquet").select(_INDEX_COLUMNS) if has_index else None
        summary = {key: summary[key] for key in _NEEDED} | {_STORY: summary.get(_STORY)}
    except (OSError, ValueError, KeyError, TypeError, PolarsError) as error:
        raise ReportError(
            f"{folder} is no folder that a replay wrote to its end ({error}); "
            "name the one that was given to `stress-monitor replay --out`"
        ) from error
    page = folder / REPORT_FILE
    try:
        page.write_text(render(signals, summary, alerts, steps, index), encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{page} cannot be written: {error.strerror}; copy the folder to where it can") from error
    return page


def render(
    signals: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    alerts: Sequence[Mapping[str, Any]],
    steps: pl.DataFrame,
    index: pl.DataFrame | None = None,
) -> str:
    """The page's text; the arguments are the parsed files of a replay. Without an index there are the signals alone."""
    no_index = "its folder has no index.parquet, as that of an earlier release"
    if index is not None:
        index = index.sort("ts", maintain_order=True).unique("ts", keep="last", maintain_order=True)
        if index["stress_index"].null_count() == index.height:
            index, no_index = None, "no headline signal was scored"
    drawn = can_be_drawn(signals, steps)
    shown = alerts[-_SHOWN:]
    note = "" if index is not None else f'<p class="note">This replay has no stress index: {no_index}.</p>'
    dropped = "" if len(shown) == len(alerts) else f"<p class='note'>the last {_SHOWN} of {len(alerts):,}</p>"
    return _PAGE.substitute(
        title="Market stress: a replay",
        banner=_banner(summary),
        span=_span(summary),
        tiles=tiles(alerts, summary, index, blind_at_the_end(signals, steps)),
        figures=note + _figures(signals, drawn, alerts, steps, index),
        dropped=dropped,
        rows=_rows(list(reversed(shown))),
        together=_TOGETHER if drawn or index is not None else "",
    )


def _figures(
    signals: Sequence[Mapping[str, Any]],
    drawn: Sequence[Mapping[str, Any]],
    alerts: Sequence[Mapping[str, Any]],
    steps: pl.DataFrame,
    index: pl.DataFrame | None,
) -> str:
    """The index, then each segment under its heading; one that nothing came of is only named."""
    if index is None and not drawn:
        return "<p>No signal with thresholds has a value in this replay.</p>"
    span = _ends(steps, index)
    parts: list[str] = []
    is_first = True

    def add(figure: go.Figure) -> None:
        nonlocal is_first  # the first brings the library
        parts.append(figure.to_html(full_html=False, include_plotlyjs=is_first, config=_CONFIG))
        is_first = False

    if index is not None:
        parts.append("<h2>Stress index</h2>")
        add(draw_index(index, *span))
    titles = {signal["name"]: str(signal["title"]) for signal in signals}
    absent = []
    for segment in segments_of(signals):
        own = [signal for signal in drawn if signal["segment"] == segment]
        if not own:
            absent.append(said(segment_title(segment), 100))
            continue
        score = None
        if index is not None and segment in index.columns and index[segment].null_count() < index.height:
            score = index.select("ts", value=segment)
        parts.append(
            f"<h2>{said(segment_title(segment), 100)}</h2>"
            f'<p class="note">{segment_sentence(segment, alerts, titles)}</p>'
        )
        add(draw(segment, own, steps, alerts, score=score, span=span, bounds=Bounds.of(len(drawn))))
    if absent:
        parts.append(f'<p class="note">Nothing to draw of: {", ".join(absent)}.</p>')
    return "\n".join(parts)


def _ends(steps: pl.DataFrame, index: pl.DataFrame | None) -> tuple[datetime, datetime]:
    """The first and the last moment of which the files tell."""
    ends = [
        frame.select(begin=pl.col("ts").min(), end=pl.col("ts").max()) for frame in (steps, index) if frame is not None
    ]
    begin, end = pl.concat(ends).select(pl.col("begin").min(), pl.col("end").max()).row(0)
    return begin, end


def _banner(summary: Mapping[str, Any]) -> str:
    story = summary.get(_STORY)
    return f'<p class="synthetic">{html.escape(story)}</p>' if story else ""


def _span(summary: Mapping[str, Any]) -> str:
    if summary["first_event"] is None:
        return "No event met its contract"
    count = sum(summary["events"].values())
    first, last = new_york_of([summary["first_event"], summary["last_event"]])
    return html.escape(f"{first[:16]} to {last[:16]}, {count:,} events")


def _rows(lines: Sequence[Mapping[str, Any]]) -> str:
    return "".join(
        f'<tr><td>{moment}</td><td class="{html.escape(line["to"])}">{html.escape(line["to"])}</td>'
        f"<td>{said(line['sentence'], _SENTENCE)}</td></tr>"
        for moment, line in zip(new_york_of([line["ts"] for line in lines]), lines, strict=True)
    )
