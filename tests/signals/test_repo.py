"""The repo signals against their definitions in plain Python, and worked by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.signals import CATALOGUE
from monitor.signals.model import Evaluation, change_ticks
from tests.signals.events import (
    AFTER_ALL,
    BEFORE_ALL,
    S,
    business_days_before,
    print_event,
    published_us,
    tiers_of,
)
from tests.signals.plain import ABSENT, PlainRepo, Told
from tests.signals.repo_logs import repo_logs

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from tests.signals.events import Log

ROWS: Final = {
    **{
        name: {
            ("SOFR", None): "benchmark",
            ("TGCR", None): None,
            ("GCF", None): None,
            ("SOFR", "day"): "trades",
            ("GC-ON", "day"): "trades",
            ("GCF", "30m"): "trades",
        }
        for name in ("repo_spread_bp", "repo_tail_bp", "repo_dispersion_bp", "repo_corridor_bp", "repo_jump_bp")
    },
    "repo_low_tail_bp": {("SOFR", None): None, ("GC-ON", "day"): None, ("GCF", "30m"): None},
    "repo_wedge_bp": {("SOFR-TGCR", None): None, ("GCF-TRIPARTY", "day"): None},
    "repo_specialness_bp": {("91282CAA1", "day"): "collateral", ("91282CAA1", "30m"): "collateral"},
    "repo_volume_busd": {("SOFR", None): None, ("GC-ON", "day"): None},
}
"""Which threshold row a label set has: read by `test_contract`."""

SIGNALS: Final = {signal.name: signal for signal in CATALOGUE if signal.segment == "repo"}
PAIRS: Final = ("repo_wedge_bp", "repo_specialness_bp")


def told_by_evaluate(tiers: Tiers, ticks: pl.Series) -> dict[str, pl.DataFrame]:
    evaluation = Evaluation(tiers, ticks)
    return {name: evaluation.values(signal) for name, signal in SIGNALS.items()}


def label(row: dict[str, object], name: str) -> str:
    """The label set but its window, as the plain answers have it."""
    found = row[SIGNALS[name].labels[0]]
    assert isinstance(found, str)
    return found


@given(repo_logs())
@settings(deadline=None, max_examples=20)
def test_benchmarks_are_told_as_defined(log: Log) -> None:
    tiers = tiers_of(log)
    told = told_by_evaluate(tiers, change_ticks(CATALOGUE, tiers, BEFORE_ALL, AFTER_ALL))
    expected = PlainRepo(log).told_of_benchmarks()
    for name, values in told.items():
        found = {
            (row["tick"], row["value_date"], label(row, name)): Told(row["value"], row["blind"])
            for row in values.filter("by_print").iter_rows(named=True)
        }
        assert found == expected[name], name


@given(st.data())
@settings(deadline=None, max_examples=20)
def test_trades_are_told_as_defined_at_change_points_and_between_them(data: st.DataObject) -> None:
    log = data.draw(repo_logs())
    tiers, plain = tiers_of(log), PlainRepo(log)
    ticks = change_ticks(CATALOGUE, tiers, BEFORE_ALL, AFTER_ALL)
    told = told_by_evaluate(tiers, ticks)
    rows: dict[tuple[str, str, str], list[tuple[int, Told]]] = defaultdict(list)
    for name, values in told.items():
        for row in values.filter(~pl.col("by_print")).iter_rows(named=True):
            rows[name, label(row, name), row["window"]].append((row["tick"], Told(row["value"], row["blind"])))
    between = data.draw(st.lists(st.integers(-90_000, 90_000), max_size=6))
    near = [ticks[n % ticks.len()] + n // 7 for n in between]
    for tick in sorted({*ticks, *near}):
        for name, values_now in plain.traded(tick).items():
            for (which, window), expected in values_now.items():
                before = [said for at, said in rows.get((name, which, window), ()) if at <= tick]
                # A pair of which a side was blind before the pair began says so when it changes.
                nothing = Told(None, expected.blind) if name in PAIRS else ABSENT
                assert (before[-1] if before else nothing) == expected, (name, which, window, tick)
        moved = {key for key, said in rows.items() if said[0][0] <= tick}
        assert moved <= {(n, *key) for n, values_now in plain.traded(tick).items() for key in values_now}


def test_a_truncated_benchmark_blinds_its_pair() -> None:
    """SOFR on less than 70 % of the volume of its last 20 prints is of a truncated feed, and so is what it is held
    against; TGCR alone has a value still."""
    day = date(2019, 9, 16)
    log: Log = []
    for back in business_days_before(day, 21):
        log.append(print_event("SOFR", back, published_us(back), rate=2.10, volume=1000))
        log.append(print_event("TGCR", back, published_us(back), rate=2.05, volume=1))
    log.append(print_event("TGCR", day, published_us(day), rate=2.00))
    for minute, volume in enumerate((699, 700)):
        log.append(print_event("SOFR", day, published_us(day) + minute * 60 * S, rate=2.40, volume=volume))
    tiers = tiers_of(log)
    told = told_by_evaluate(tiers, change_ticks(SIGNALS.values(), tiers, BEFORE_ALL, AFTER_ALL))
    wedge = told["repo_wedge_bp"].filter(pl.col("pair") == "SOFR-TGCR", pl.col("value_date") == day)
    at = published_us(day) // S
    assert wedge.select(pl.col("tick") - at, "value", "blind").rows() == [(0, None, True), (60, 40.0, False)]
    before = told["repo_wedge_bp"].filter(pl.col("pair") == "SOFR-TGCR", pl.col("value_date") < day)
    assert before.filter(pl.col("value").is_not_null()).select("value", "blind").unique().rows() == [(5.0, False)]
