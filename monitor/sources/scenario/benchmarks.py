"""Published repo benchmarks: a median with its percentiles and volume, once a SOFR business day."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.sources.scenario.policy import IORB_PERCENT
from monitor.streams import REPO_BENCHMARK

if TYPE_CHECKING:
    from monitor.sources.scenario.timeline import Block, Print


class _Benchmark(NamedTuple):
    """In bp over IORB the median; in bp from the median the percentiles; in USD billions the volume."""

    name: str
    median: float
    p1: float
    p25: float
    p75: float
    p99: float
    volume: float


_BENCHMARKS: Final = (
    _Benchmark("SOFR", -1.0, -8.0, -2.0, 2.0, 8.0, 2_950.0),
    _Benchmark("TGCR", -3.0, -6.0, -1.0, 1.0, 5.0, 1_180.0),
    _Benchmark("BGCR", -3.0, -6.0, -1.0, 1.0, 6.0, 1_240.0),
    _Benchmark("GCF", 1.0, -5.0, -1.0, 1.0, 5.0, 62.0),
    _Benchmark("TRIPARTY", -3.0, -5.0, -1.0, 1.0, 5.0, 1_260.0),
    _Benchmark("DVP", 0.0, -9.0, -2.0, 2.0, 8.0, 1_700.0),
)
_ON_FLAGGED_DAYS_BP: Final = {"Y": 8.0, "Q": 6.0, "M": 3.0, "C": 2.0}
"""Balance sheets are shown, or coupons settle: dearer, and no stress."""


def count(block: Block) -> int:
    """How many benchmarks are published in the block."""
    return len(_BENCHMARKS) * len(block.prints)


def rows(seed: int, block: Block) -> list[tuple[int, str]]:
    """(arrival, JSON) of the benchmarks published in a block: each day's follow from the seed and the day alone."""
    return [row for each in block.prints for row in _of_day(seed, each)]


def _of_day(seed: int, each: Print) -> list[tuple[int, str]]:
    rnd = Random(f"{seed}:benchmarks:{each.value_date}").random  # noqa: S311 - a story, no secret
    flagged = max((_ON_FLAGGED_DAYS_BP[flag] for flag in each.flags), default=0.0)
    # All rates of a day move together, by a whole basis point, as rates are published.
    common = 100 * IORB_PERCENT + flagged + int(3 * rnd()) - 1
    rows = []
    for benchmark in _BENCHMARKS:
        median = common + benchmark.median
        percentiles = ",".join(
            f'"{name}":{round(median + getattr(benchmark, name)) / 100}' for name in ("p1", "p25", "p75", "p99")
        )
        volume = round(benchmark.volume * (0.97 + 0.06 * rnd()), 1)
        text = (
            f'{{"ts":{each.ts_us},"instrument":"{benchmark.name}","kind":"{REPO_BENCHMARK}",'
            f'"value_date":"{each.value_date}","rate":{round(median) / 100},{percentiles},"volume":{volume}}}'
        )
        rows.append((each.ts_us, text))
    return rows
