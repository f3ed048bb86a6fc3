"""`python -m tests.bench.scrape`: what a scrape of 50,000 series costs, and whether ticks have to wait for it.

The peer is the client library: as many of its gauges, asked for the same text in the same run. Ticks are those of a
live run, all signals and alerts, one second of quotes after the other; turn about some are run while another process
asks for the page every second, five times as often as Prometheus is set to, and ten times a second.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import polars as pl
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from monitor.pipeline import Pipeline
from monitor.results import STEP_COLUMNS, Output, label_columns
from monitor.signals import CATALOGUE
from monitor.sinks.http import HttpServer, metrics_app
from monitor.sinks.prometheus import PrometheusSink
from monitor.sinks.snapshot import MetricOfSignal
from monitor.sources.base import RawBatch
from tests.bench.made_quotes import lines
from tests.bench.run import cost, say
from tests.bench.table import CALENDAR

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS: Final = ("instrument", "window")
FAMILIES_A_LABEL_SET: Final = 4
"""Value, level, blindness and score: so many series has each label set of a signal with thresholds."""
HOST: Final = "127.0.0.1"
AIM: Final = 1.0
_SCRAPES: Final = (
    "import sys, time, urllib.request\n"
    "while True: urllib.request.urlopen(sys.argv[1] + '/metrics', timeout=30).read(); time.sleep(float(sys.argv[2]))"
)
PAUSES: Final = (1.0, 0.1)
"""Seconds from one scrape to the next."""


def full_sink(series: int, signals: int = 10) -> PrometheusSink:
    """A page of so many series of the market, and those of the monitor itself."""
    known = [
        MetricOfSignal(f"made_up_{n}_bp", f"MadeUp{n}Bp", "Made up.", "repo", LABELS, headline=True, has_levels=True)
        for n in range(signals)
    ]
    sink = PrometheusSink(known, "bench")
    each = series // signals // FAMILIES_A_LABEL_SET
    steps = pl.concat(
        pl.select(
            tick=0, value_date=None, signal=pl.lit(signal.name), value=pl.int_range(each) * 0.37, blind=False, level=1,
            row=pl.lit("all"), score=0.5, is_partial=False, is_over=False,
            instrument=pl.format("UST-{}", pl.int_range(each)), window=pl.lit("30m"),
        )
        for signal in known
    ).cast(dict(STEP_COLUMNS | label_columns(LABELS)))  # type: ignore[arg-type] # fmt: skip # invariant in its keys
    sink.wrote(Output(0, steps))
    return sink


def plain_gauges(series: int, metrics: int = 40) -> CollectorRegistry:
    """As many gauges of the client library."""
    registry = CollectorRegistry()
    for number in range(metrics):
        gauge = Gauge(f"market_made_up_{number}_bp", "Made up.", LABELS, registry=registry)
        for instrument in range(series // metrics):
            gauge.labels(f"UST-{instrument}", "30m").set(instrument * 0.37)
    return registry


@contextmanager
def scraped(sink: PrometheusSink, pause_seconds: float) -> Iterator[None]:
    """Another process asks for the page, again and again."""
    server = HttpServer(metrics_app(sink.page, lambda: None), HOST, 0)
    server.start()
    client = subprocess.Popen([sys.executable, "-c", _SCRAPES, f"http://{HOST}:{server.port}", str(pause_seconds)])
    try:
        yield
    finally:
        client.kill()
        client.wait()
        server.stop(2)


def tick_times(sink: PrometheusSink, seconds: int, issues: int, rate: int, turn: int) -> dict[float, list[float]]:
    """Wall seconds of each tick, by the pause between two scrapes meanwhile; 0: there was none."""
    quotes = list(lines(rate * seconds, issues, seconds))
    pipeline = Pipeline(CATALOGUE, CALENDAR)
    took: dict[float, list[float]] = {pause: [] for pause in (0.0, *PAUSES)}

    def tick(second: int) -> float:
        first = second * rate
        batch = RawBatch("bench", "treasury", "bench", range(first, first + rate), quotes[first : first + rate])
        began = time.perf_counter()
        pipeline.ingest(batch)
        for _ in pipeline.advance():
            pass
        return time.perf_counter() - began

    warm = seconds // 5
    for second in range(warm):
        tick(second)
    for number, first in enumerate(range(warm, seconds - turn, turn)):
        pause = list(took)[number % len(took)]
        with scraped(sink, pause) if pause else nullcontext():
            took[pause] += [tick(second) for second in range(first, first + turn)]
    return took


def main() -> None:
    """Both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=300, help="so many ticks")
    chosen = parser.parse_args()
    sink, registry = full_sink(chosen.series), plain_gauges(chosen.series)
    text = sink.page()[0]
    count = sum(not line.startswith(b"#") for line in text.splitlines())
    ratios, ours = [], []
    for _ in range(chosen.rounds):
        peer = cost(lambda: generate_latest(registry))
        us = cost(sink.page)
        ratios.append(peer.cpu / us.cpu)
        ours.append(us.cpu)
    say(
        f"a page of {count:,} series, {len(text) / 1e6:.1f} MB: {1000 * statistics.median(ours):.0f} ms CPU; "
        f"{statistics.median(ratios):.1f} x as fast as the client library's gauges ({min(ratios):.1f} to "
        f"{max(ratios):.1f}), aim {AIM:g}"
    )
    took = tick_times(sink, chosen.seconds, issues=200, rate=1_000, turn=10)
    alone = statistics.median(took[0.0])
    for pause, times in took.items():
        how = f"scraped every {pause:g} s" if pause else "not scraped"
        say(
            f"  {how:>20}: {len(times)} ticks, median {1000 * statistics.median(times):.0f} ms "
            f"({statistics.median(times) / alone:.2f} x), p95 {1000 * statistics.quantiles(times, n=20)[-1]:.0f} ms, "
            f"slowest {1000 * max(times):.0f} ms"
        )


if __name__ == "__main__":
    main()
