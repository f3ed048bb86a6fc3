"""What stands when a run begins in the middle."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
from polars import col as c

from monitor.calendar import MarketCalendar
from monitor.pipeline import Pipeline
from monitor.signals import CATALOGUE
from monitor.sources.base import RawBatch

BEGIN = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
RATES = {
    "2023-07-27T04:00:00Z": ("IORB", 5.40), "2024-09-19T04:00:00Z": ("IORB", 4.90), "2024-09-20T04:00:00Z": ("X", 1.0),
    "2026-03-03T15:00:00Z": ("X", 2.0),
}  # fmt: skip


def test_a_policy_rate_of_years_ago_is_told_and_what_it_replaced_is_not() -> None:
    lines = [
        json.dumps({"ts": ts, "series": series, "value": value, "unit": "percent", "effective_date": ts[:10]}).encode()
        for ts, (series, value) in RATES.items()
    ]
    begin = int(BEGIN.timestamp())
    pipeline = Pipeline([s for s in CATALOGUE if s.name == "reference"], MarketCalendar(), begin=begin)
    pipeline.ingest(RawBatch("made", "reference", "made", range(len(lines)), lines))
    pipeline.finish()
    steps = pl.concat([output.steps for output in pipeline.advance(begin + 7_200)])
    told = steps.filter(c("series") == "IORB").select("tick", "value").rows()
    assert told == [(begin, 4.9)]
    assert steps.filter(c("series") == "X").select("tick", "value").rows() == [(begin, 1.0), (begin + 3_600, 2.0)]
