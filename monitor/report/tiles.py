"""The first row of the page: how bad it was, when, and whether to trust it, at a glance."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import polars as pl
from polars import col as c

from monitor.report.style import SEGMENT_TITLES, new_york
from monitor.results import BLIND, REGIMES, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tile = tuple[str, str, str]
"""The class, the number or word, and what it is."""
_CLASSES = {"calm": "", "elevated": "elevated", "stressed": "warning", "crisis": "critical"}


def tiles(alerts: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], index: pl.DataFrame | None) -> str:
    """The tiles, as HTML."""
    every = [*(_of_index(index) if index is not None else ()), *_of_alerts(alerts, summary)]
    return "".join(
        f'<div class="tile {cls}"><b>{html.escape(number)}</b>{html.escape(what)}</div>' for cls, number, what in every
    )


def _of_index(index: pl.DataFrame) -> list[Tile]:
    worst = max(index["regime"], key=REGIMES.index)
    since = index.filter(c("regime") == worst)["ts"].head(1)
    last = index.row(-1, named=True)
    peak = index.sort("stress_index", descending=True, nulls_last=True).row(0, named=True)
    largest = max(SEGMENTS, key=lambda segment: peak[f"contribution_{segment}"] or 0.0)
    capped = ", capped" if index.filter(c("regime") == worst)["capped"].any() else ""
    return [
        (_CLASSES[worst], worst + capped, f"the worst regime, first at {_moment(since)}"),
        (_CLASSES[last["regime"]], last["regime"], "the regime at the end"),
        (
            "",
            f"{peak['stress_index']:.2f}",
            (
                f"the index's peak, at {_moment(pl.Series([peak['ts']]))} ({peak['low']:.2f} to {peak['high']:.2f}, "
                f"coverage {peak['coverage']:.0%}), most of it {SEGMENT_TITLES[largest]}"
            ),
        ),
    ]


def _of_alerts(alerts: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[Tile]:
    """Value dates by worst level, and what is still on at the end."""
    critical = {line["value_date"] or line["ts"][:10] for line in alerts if line["to"] == "critical"}
    warning = {line["value_date"] or line["ts"][:10] for line in alerts if line["to"] == "warning"} - critical
    latest = {(line["signal"], json.dumps(line["labels"])): line["to"] for line in alerts}
    blind = sum(state == BLIND for state in latest.values())
    on = sum(state != "calm" for state in latest.values()) - blind
    refused = sum(sum(reasons.values()) for reasons in summary["rejects"].values())
    return [
        ("critical", f"{len(critical)}", "days on which something turned critical"),
        ("warning", f"{len(warning)}", "more days with a warning"),
        ("", f"{on}", "alerts on at the end"),
        ("blind", f"{blind}", "blind at the end"),
        ("", f"{refused:,}", "events refused"),
    ]


def _moment(moment: pl.Series) -> str:
    return new_york(moment)[0][:16]
