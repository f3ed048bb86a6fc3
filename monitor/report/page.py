"""The page around the picture: first what happened, in sentences, then the picture, then every alert."""

from __future__ import annotations

import html
import json
from string import Template
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError

from monitor.report.figure import draw, with_levels
from monitor.report.index_figure import draw_index
from monitor.report.style import SEGMENT_TITLES, new_york_of
from monitor.report.tiles import tiles
from monitor.results import INDEX_COLUMNS, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

REPORT_FILE: Final = "report.html"
_SHOWN: Final = 500
"""Of more alert transitions the page tells, and the picture marks, the last so many, and says so."""
_CONFIG: Final = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"]}
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
h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1.05rem; margin: 1.4rem 0 .3rem } .note { color: #666 }
.tiles { display: flex; gap: 2.2rem; flex-wrap: wrap; margin: .8rem 0 } .tile b { display: block; font-size: 1.7rem }
.synthetic { background: #fff3cd; border: 1px solid #e0c060; padding: .5rem .8rem; font-weight: 600 }
.tile { max-width: 11.5rem }
.critical { color: #D55E00 } .warning { color: #9a6a00 } .elevated { color: #0072B2 }
.blind { color: #777; font-style: italic }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .7rem .2rem 0; vertical-align: top }
tr + tr td { border-top: 1px solid #eee } td:first-child { white-space: nowrap }
</style></head><body>
$banner<h1>$title</h1><p class="note">$span. All times are event times, New York.</p>
<div class="tiles">$tiles</div>
$index
$figures
<h2>Alert transitions</h2>$dropped
<table><thead><tr><th>when (New York)</th><th>level</th><th>what</th></tr></thead><tbody>$rows</tbody></table>
</body></html>
""")


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
    if index is not None:
        index = index.filter(pl.col("stress_index").is_not_null()).sort("ts", maintain_order=True)
        index = None if index.is_empty() else index
    can_be_shown = with_levels(steps)
    panels = [signal for signal in signals if signal["name"] in can_be_shown and signal["thresholds"]]
    shown = alerts[-_SHOWN:]
    pictures = [draw_index(index)] if index is not None else []
    headings = ["The whole"] if index is not None else []
    for segment in SEGMENTS:
        own = [signal for signal in panels if signal["segment"] == segment]
        if own:
            pictures.append(draw(own, steps, shown))
            headings.append(SEGMENT_TITLES[segment])
    figures = "".join(
        f"<h2>{heading}</h2>\n" + picture.to_html(full_html=False, include_plotlyjs=first, config=_CONFIG)
        for heading, picture, first in zip(headings, pictures, (True, *[False] * len(pictures)), strict=False)
    )
    if not panels:
        figures += "<p>No signal with thresholds has a value in this replay.</p>"
    dropped = "" if len(shown) == len(alerts) else f"<p class='note'>the last {_SHOWN} of {len(alerts):,}</p>"
    return _PAGE.substitute(
        title="Market stress: a replay",
        banner=_banner(summary),
        span=_span(summary),
        tiles=tiles(alerts, summary, index),
        index=""
        if index is not None
        else '<p class="note">This replay has no stress index: no headline was scored.</p>',
        figures=figures,
        dropped=dropped,
        rows="".join(map(_row, reversed(shown))),
    )


def _banner(summary: Mapping[str, Any]) -> str:
    story = summary.get(_STORY)
    return f'<p class="synthetic">{html.escape(story)}</p>' if story else ""


def _span(summary: Mapping[str, Any]) -> str:
    if summary["first_event"] is None:
        return "No event met its contract"
    count = sum(summary["events"].values())
    return html.escape(f"{summary['first_event']} to {summary['last_event']}, {count:,} events")


def _row(line: Mapping[str, Any]) -> str:
    word = html.escape(line["to"])
    sentence = html.escape(line["sentence"])
    return f'<tr><td>{new_york_of(line["ts"])}</td><td class="{word}">{word}</td><td>{sentence}</td></tr>'
