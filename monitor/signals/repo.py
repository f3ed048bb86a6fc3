"""Repo funding: what it costs to borrow cash against Treasuries, and how unevenly.

Every signal is computed for published benchmarks (SOFR and its kin, one value a day) and for live trades (the day so
far, and the last 30 minutes), by one expression over columns of the same names. Rates are integers of 1e-6 percent,
and differences are divided last, so values are exact to the decimal and equal in a live run and its replay.

The numbers in the thresholds' reasons were counted on the carried history (2018-04 to 2025-01) by
`stress-monitor replay --history repo-2018-2025`; *stress* means 2018-12-31 to 2019-01-03, 2019-09-16 to 10-17
and 2020-03-09 to 04-30.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.signals.model import Signal, View, divided
from monitor.signals.published import Published, PublishedPair
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, Notify, ThresholdRow
from monitor.signals.traded import GENERAL_COLLATERAL, TradedPair, day_so_far, last_half_hour

SEGMENT: Final = "repo"
DAY, HALF_HOUR = "day", "30m"
"""The values of the label `window`; a benchmark has none."""

_NEW_YORK_FED = "New York Fed, Additional Information about Reference Rates (SOFR's median and percentiles)"
_SOFR_SPIKE = (
    "Afonso, Cipriani, Copeland, Kovner, La Spada and Martin, The Market Events of Mid-September 2019, "
    "New York Fed Staff Report 918"
)
_UNITS_PER_BP: Final = streams.UNITS_PER_PERCENT // 100
"""Of a difference of rates in 1e-6 percent."""


@dataclass(frozen=True)
class RepoParameters:
    """What a user may set.

    Attributes:
        alarmed_benchmarks: the benchmarks that have thresholds, and are blind when overdue.
    """

    alarmed_benchmarks: tuple[str, ...] = ("SOFR",)


def bp(difference: pl.Expr) -> pl.Expr:
    """A difference of rates in basis points.

    >>> pl.select(bp(pl.lit(5_250_000) - pl.lit(2_100_000))).item()
    315.0
    """
    return divided(difference, _UNITS_PER_BP)


def _rows(
    parameters: RepoParameters,
    reason: str,
    calm: float,
    warning: Edge,
    critical: Edge,
    overrides: dict[str, tuple[float, float]],
    notify: Notify = Notify.ON_CALL,
    headline: str | None = None,
) -> tuple[ThresholdRow, ...]:
    """The same thresholds for benchmarks, which move by prints, and for trades, which must hold 10 minutes."""
    ten_minutes = Hold(seconds=10 * SECONDS_PER_MINUTE)
    benchmark = ThresholdRow(
        "benchmark",
        c("window").is_null() & c("instrument").is_in(list(parameters.alarmed_benchmarks)),
        f"the benchmark {', '.join(parameters.alarmed_benchmarks)}",
        reason,
        calm=calm,
        warning=warning,
        critical=critical,
        overrides=overrides,
        notify=notify,
        headline=headline,
    )
    trades = replace(
        benchmark,
        id="trades",
        applies=c("window").is_not_null(),
        applies_to="trades of general collateral, the day so far and the last 30 minutes",
        hold_in=ten_minutes,
        hold_out=ten_minutes,
    )
    return benchmark, trades


def signals(parameters: RepoParameters = RepoParameters()) -> tuple[Signal, ...]:
    """The repo signals, in the order in which people read them.

    Example: the value date 2019-09-17, on which SOFR was 5.25 % and IORB 2.10 %.

    >>> {s.name: s.unit for s in signals()}["repo_spread_bp"]
    'bp'
    """
    published = Published(frozenset(parameters.alarmed_benchmarks))
    general = c("key").is_in(list(GENERAL_COLLATERAL))
    instrument, key = c("instrument"), c("key")
    benchmarks = View(published, {"instrument": instrument})
    day = View(day_so_far(), {"instrument": key, "window": pl.lit(DAY)}, where=general)
    half_hour = View(last_half_hour(), {"instrument": key, "window": pl.lit(HALF_HOUR)}, where=general)
    everything = (benchmarks, day, half_hour)
    by_instrument = ("instrument", "window")
    windows = "a benchmark: its value date; trades: the day so far and the last 30 minutes, from 5 busd on"
    spread = c("median_e6") - c("iorb_e6")
    pair_label = pl.concat_str("left", pl.lit("-"), "right")

    return (
        Signal(
            name="repo_spread_bp",
            segment=SEGMENT,
            title="Repo spread to IORB",
            help="How much dearer overnight cash against Treasuries is than reserves at the Fed.",
            formula="100 * (volume-weighted median rate - IORB in force on the value date)",
            source=_SOFR_SPIKE,
            labels=by_instrument,
            over=everything,
            value=bp(spread),
            window_help=windows,
            thresholds=_rows(
                parameters,
                "A spread to the rate that banks earn for nothing does not move when the Fed does. 15 alarm days "
                "in 6.8 years, 4 of them outside stress, no critical one outside it. Month ends and coupon "
                "settlements cost a few bp more, and have their own thresholds.",
                5,
                Edge(20, 16),
                Edge(30, 20),
                {"C": (20, 35), "M": (22, 40), "Q": (25, 45), "Y": (30, 60)},
                headline="spread",
            ),
        ),
        Signal(
            name="repo_tail_bp",
            segment=SEGMENT,
            title="Repo tail",
            help="How much more than the middle the dearest hundredth of the volume pays.",
            formula="100 * (99th percentile - median)",
            source=_SOFR_SPIKE,
            labels=by_instrument,
            over=everything,
            value=bp(c("p99_e6") - c("median_e6")),
            window_help=windows,
            thresholds=_rows(
                parameters,
                "The tail leads the median: 217 bp on 2019-09-16, a day before the spike. 17 alarm days in 6.8 "
                "years, 6 outside stress; critical outside it on 2019-03-29 and 2019-07-01 only.",
                15,
                Edge(40, 25),
                Edge(80, 60),
                {"Q": (60, 80), "Y": (60, 80)},
                headline="tail",
            ),
        ),
        Signal(
            name="repo_low_tail_bp",
            segment=SEGMENT,
            title="Repo low tail",
            help="How much less than the middle the cheapest hundredth of the volume pays.",
            formula="100 * (median - 1st percentile)",
            source=_NEW_YORK_FED,
            labels=by_instrument,
            over=everything,
            value=bp(c("median_e6") - c("p1_e6")),
            window_help=windows + "; absent where a benchmark comes without its 1st percentile",
        ),
        Signal(
            name="repo_dispersion_bp",
            segment=SEGMENT,
            title="Repo dispersion",
            help="How unevenly the middle half of the volume pays.",
            formula="100 * (75th percentile - 25th percentile)",
            source=_NEW_YORK_FED,
            labels=by_instrument,
            over=everything,
            value=bp(c("p75_e6") - c("p25_e6")),
            window_help=windows,
            thresholds=_rows(
                parameters,
                "It widens on many quarter ends without a sequel: scored and shown, nobody is called.",
                9,
                Edge(15, 12),
                Edge(24, 15),
                {"Q": (20, 30), "Y": (25, 30)},
                Notify.NONE,
                headline="dispersion",
            ),
        ),
        Signal(
            name="repo_corridor_bp",
            segment=SEGMENT,
            title="Repo above the corridor",
            help="How far the median rate stands above the top of the Fed's target range.",
            formula="100 * (median - top of the target range in force on the value date)",
            source="FOMC, implementation notes (target range); " + _SOFR_SPIKE,
            labels=by_instrument,
            over=everything,
            value=bp(c("median_e6") - c("target_upper_e6")),
            window_help=windows,
            thresholds=_rows(
                parameters,
                "Above the range the Fed's own tools no longer cap the rate. 14 alarm days in 6.8 years, 6 "
                "outside stress, no critical one outside it.",
                -5,
                Edge(8, 5),
                Edge(15, 8),
                {"C": (10, 20), "M": (12, 30), "Q": (15, 35), "Y": (20, 40)},
                headline="corridor",
            ),
        ),
        Signal(
            name="repo_jump_bp",
            segment=SEGMENT,
            title="Repo jump",
            help="How far the spread stands above its own last month.",
            formula="spread - median of the spreads of the 20 value dates before",
            source="Level-free companion of repo_spread_bp: since 2021 the spread is negative on calm days",
            labels=by_instrument,
            over=(benchmarks, day),
            value=bp(spread - c("trailing_spread_e6")),
            window_help="20 value dates out of the 30 business days before; absent until 20 were seen",
            thresholds=_rows(
                parameters,
                "Sees 2024-12-26 (+18), which levels miss; the +21 of 2024-10-01 is what a quarter may begin with. 20 "
                "alarm days in 6.8 years, 9 outside stress: for the desk.",
                3,
                Edge(15, 8),
                Edge(30, 15),
                {"C": (20, 35), "M": (22, 40), "Q": (25, 45), "Y": (30, 60)},
                Notify.DESK,
            ),
        ),
        Signal(
            name="repo_wedge_bp",
            segment=SEGMENT,
            title="Repo wedge",
            help="How much dearer cash is for those who borrow farther from the tri-party lenders.",
            formula="100 * (SOFR - TGCR); 100 * (GCF - triparty)",
            source="Copeland, Duffie and Yang, Reserves Were Not So Ample After All, NBER Working Paper 29090",
            labels=("pair", "window"),
            over=(
                View(PublishedPair(published, "SOFR", "TGCR"), {"pair": pair_label}),
                View(PublishedPair(published, "GCF", "TRIPARTY"), {"pair": pair_label}),
                View(
                    TradedPair(day_so_far(by_segment=True), "GCF", "TRIPARTY"),
                    {"pair": pair_label, "window": pl.lit(DAY)},
                ),
                View(
                    TradedPair(last_half_hour(by_segment=True), "GCF", "TRIPARTY"),
                    {"pair": pair_label, "window": pl.lit(HALF_HOUR)},
                ),
            ),
            value=bp(c("left_median_e6") - c("right_median_e6")),
            window_help=windows + "; trades by their segment",
        ),
        Signal(
            name="repo_specialness_bp",
            segment=SEGMENT,
            title="Specialness",
            help="How much interest a lender of cash gives up to get hold of one issue.",
            formula="100 * (median rate of GC-ON - median rate on that collateral), same window",
            source="Duffie, Special Repo Rates, Journal of Finance 51 (1996)",
            labels=("collateral", "window"),
            over=(
                View(TradedPair(day_so_far(), "GC-ON", None), {"collateral": c("right"), "window": pl.lit(DAY)}),
                View(
                    TradedPair(last_half_hour(), "GC-ON", None),
                    {"collateral": c("right"), "window": pl.lit(HALF_HOUR)},
                ),
            ),
            value=bp(c("left_median_e6") - c("right_median_e6")),
            window_help="trades: the day so far and the last 30 minutes, from 5 busd on",
            thresholds=(
                ThresholdRow(
                    "collateral",
                    pl.lit(value=True),
                    "every collateral",
                    "A special rate goes as far below zero as the fails charge (TMPG: 3 % less the Fed's target rate, "
                    "at least 1 %), so specialness is at most GC and that charge: about 300 bp with rates near zero, "
                    "more with higher ones. 150 bp says that an issue is hardly to be had. By judgement, no history is "
                    "carried.",
                    calm=10,
                    warning=Edge(50, 30),
                    critical=Edge(150, 100),
                    hold_in=Hold(seconds=10 * SECONDS_PER_MINUTE),
                    hold_out=Hold(seconds=10 * SECONDS_PER_MINUTE),
                    notify=Notify.DESK,
                ),
            ),
        ),
        Signal(
            name="repo_volume_busd",
            segment=SEGMENT,
            title="Repo volume",
            help="Volume over the trading day: a benchmark that lost volume lost part of its feed.",
            formula="sum of volumes; a benchmark's below 70 % of its trailing 20-print median is blind",
            source=_NEW_YORK_FED,
            labels=by_instrument,
            over=(benchmarks, day),
            value=divided(c("volume_kusd"), streams.KUSD_PER_BUSD),
            window_help="a benchmark: its value date; trades: the day so far",
        ),
    )
