"""The first row of the page: how bad it was, since when, why, and whether to trust it, at a glance."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars import col as c

from monitor.report.style import SEGMENT_TITLES, minute, new_york_of, said, segment_title
from monitor.results import BLIND, REGIMES, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tile = tuple[str, str, str]
"""The class, the number or word, and what it is."""
_CLASSES: Final = {"calm": "", "elevated": "elevated", "stressed": "warning", "crisis": "critical"}
_NAMED: Final = 3
"""Of more signals that are blind the rest is counted."""
_MOST: Final = 300
"""Bytes of a tile's text."""
_ENDS: Final = ("critical", "warning", BLIND)
"""States that something may be left in, the worst first."""


def tiles(
    alerts: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    index: pl.DataFrame | None = None,
    blind: Mapping[str, int] | None = None,
) -> str:
    """The tiles, as HTML.

    Args:
        alerts: all transitions.
        summary: of the replay.
        index: its rows, by `ts`; at least one has an index.
        blind: by the title of a signal, how many of its label sets are blind at the end.
    """
    every = [*(_of_index(index) if index is not None else ()), *_of_alerts(alerts), *_of_trust(summary, blind or {})]
    return "".join(
        f'<div class="tile {cls}"><b>{html.escape(number)}</b>{_unbroken(said(what, _MOST))}</div>'
        for cls, number, what in every
    )


def blind_at_the_end(signals: Sequence[Mapping[str, Any]], steps: pl.DataFrame) -> dict[str, int]:
    """By the title of a signal, how many of its label sets were blind at the last word of them."""
    latest = steps.group_by("signal", "labels").agg(c("level").last())
    titles = {signal["name"]: str(signal["title"]) for signal in signals}
    count = latest.filter(c("level") == BLIND).group_by("signal").len().sort("len", "signal", descending=[True, False])
    return {titles.get(signal, signal): number for signal, number in count.iter_rows()}


def segment_sentence(segment: str, alerts: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """How bad a segment was, since when, and by what; as HTML."""
    own = [line for line in alerts if line["segment"] == segment]
    parts = []
    for level in ("critical", "warning"):
        turned = _turned(own, level)
        if turned:
            first = turned[0]
            since = new_york_of([first["ts"]])[0][:16]
            by = titles.get(first["signal"], first["signal"])
            parts.append(f"{_times(len(turned), level)}, first {since} New York by {by}")
    if not parts:
        parts.append("No warning")
    left = list(_latest(own).values())
    ends = [f"{left.count(level)} {level}" for level in _ENDS if level in left]
    return said(f"{'; '.join(parts)}. At the end {', '.join(ends) or 'calm'}.", _MOST)


def _of_index(index: pl.DataFrame) -> list[Tile]:
    regimes = index.drop_nulls("regime")
    found: list[Tile] = []
    if not regimes.is_empty():
        last = regimes.row(-1, named=True)
        changes = regimes.filter(c("regime").ne_missing(c("regime").shift(1)))
        now = "" if last["stress_index"] is None else f", index {last['stress_index']:.2f}"
        found.append((
            _CLASSES[last["regime"]], last["regime"] + (" (capped)" if last["capped"] else ""),
            f"regime at the end, since {minute(changes['ts'][-1])}{now}, coverage {last['coverage'] or 0:.0%}",
        ))  # fmt: skip
        worst = max(regimes["regime"].unique(), key=REGIMES.index)
        at_worst = regimes.filter(c("regime") == worst)
        capped = "; capped: too little shows it to say crisis" if at_worst["capped"].any() else ""
        found.append((_CLASSES[worst], worst, f"worst regime, first at {minute(at_worst['ts'][0])}{capped}"))
    known = index.drop_nulls("stress_index")
    peak = known.row(int(known["stress_index"].arg_max() or 0), named=True)
    largest = max(SEGMENTS, key=lambda segment: peak[f"contribution_{segment}"] or 0.0)
    between = f" ({peak['low']:.2f} to {peak['high']:.2f})" if None not in (peak["low"], peak["high"]) else ""
    found.append((
        "", f"{peak['stress_index']:.2f}",
        (f"index at its peak{between}, {minute(peak['ts'])}, coverage {peak['coverage'] or 0:.0%}, "
        f"most of it {SEGMENT_TITLES[largest]}"),
    ))  # fmt: skip
    return found


def _of_alerts(alerts: Sequence[Mapping[str, Any]]) -> list[Tile]:
    """How often something turned bad, on how many value dates, and what is still on at the end."""
    found: list[Tile] = []
    for level in ("critical", "warning"):
        turned = _turned(alerts, level)
        days = len({line["value_date"] or line["ts"][:10] for line in turned})
        of = ", ".join(
            segment_title(each) for each in dict.fromkeys(line["segment"] for line in turned)
        )  # in order of time
        what = {"critical": "turned critical", "warning": "warnings"}[level]
        what += f", on {days:,} day{'' if days == 1 else 's'}: {of}" if turned else ""
        found.append((level if turned else "", f"{len(turned):,}", what))
    left = list(_latest(alerts).values())
    criticals, warnings = left.count("critical"), left.count("warning")
    split = f": {criticals:,} critical, {warnings:,} warning" if criticals + warnings else ""
    return [*found, ("", f"{criticals + warnings:,}", f"alerts on at the end{split}")]


def _of_trust(summary: Mapping[str, Any], blind: Mapping[str, int]) -> list[Tile]:
    named = ", ".join(title if count == 1 else f"{title} ({count:,})" for title, count in list(blind.items())[:_NAMED])
    more = f" and {len(blind) - _NAMED} more signals" if len(blind) > _NAMED else ""
    refused = sum(sum(reasons.values()) for reasons in summary["rejects"].values())
    return [
        (
            "blind" if blind else "",
            f"{sum(blind.values()):,}",
            "blind at the end" + (f": {named}{more}" if blind else ""),
        ),
        ("", f"{refused:,}", "events refused"),
    ]


def _unbroken(text: str) -> str:
    """Dates that are not broken at their hyphens."""
    return re.sub(r"\d{4}-\d\d-\d\d", r'<span class="date">\g<0></span>', text)


def _turned(alerts: Sequence[Mapping[str, Any]], level: str) -> list[Mapping[str, Any]]:
    """The transitions for the worse to a level."""
    return [line for line in alerts if line["to"] == level and line["from"] != "critical"]


def _latest(alerts: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """The state that each label set of a signal is left in."""
    return {(line["signal"], json.dumps(line["labels"], sort_keys=True)): line["to"] for line in alerts}


def _times(count: int, level: str) -> str:
    how_often = {1: "Once", 2: "Twice"}.get(count, f"{count:,} times")
    return f"{how_often} {level}"
