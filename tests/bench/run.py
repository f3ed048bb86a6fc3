"""`make bench`: what the monitor costs, as ratios against a loop by hand in the same run; misses are printed too.

Times are CPU seconds of this process, all its threads together; a peer's and ours are taken turn about, and the
median of the ratios is told. A number above 1 means that the monitor is faster than the loop.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from monitor.calendar import MarketCalendar
from monitor.engine.bars import KINDS
from monitor.engine.decode import Decoder
from monitor.engine.partition import NO_TICK, Partition
from monitor.pipeline import Pipeline
from monitor.replay import RECORDS_AT_ONCE
from monitor.signals import CATALOGUE
from monitor.sources.base import RawBatch
from monitor.sources.file import FileSource
from monitor.streams import MICROSECONDS_PER_SECOND
from tests.bench.by_hand import Bar, HandMade
from tests.bench.made_quotes import START_US, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSTRUMENTS = 200
SECONDS = 7_200
ROUNDS = {500: 1, 2_000: 1, 5_000: 2, 20_000: 3, 100_000: 3}
"""How often each size of batches is timed: the small ones take long, and their ratios are far from 1."""
_COMPARED = tuple(name if not name.startswith("depth") else f"depth2_kusd{name[5:]}" for name in Bar._fields)
_NAMES = tuple(name.replace("spread_area", "spread_e9_area").replace("spread_us", "spread_e9_us") for name in _COMPARED)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds that it took."""
    started = time.process_time()
    work()
    return time.process_time() - started


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def batches(quotes: list[bytes], size: int) -> Iterator[RawBatch]:
    """The quotes as a live source brings them."""
    for first in range(0, len(quotes), size):
        some = quotes[first : first + size]
        yield RawBatch("bench", "treasury", "bench", range(first, first + len(some)), some)


def bars_of(quotes: list[bytes], size: int) -> pl.DataFrame:
    """Decode and seal, as the live path does."""
    decoder, partition, sealed = Decoder(), Partition("bench", 2 * MICROSECONDS_PER_SECOND), []
    for batch in batches(quotes, size):
        partition.push(decoder.decode(batch), NO_TICK)
        sealed += [each.bars for each in partition.seal().values()]
    return pl.concat([*sealed, *(each.bars for each in partition.release().values())])


def by_hand(quotes: list[bytes]) -> HandMade:
    """The same by the peer."""
    peer = HandMade()
    peer.push(quotes)
    peer.finish()
    return peer


def check_equal(quotes: list[bytes]) -> None:
    """Both give the same bars, to the integer."""
    ours = bars_of(quotes, 20_000).select(_NAMES).sort("second", "instrument")
    theirs = pl.DataFrame(list(by_hand(quotes).sealed), schema=dict(ours.schema), orient="row")
    if not ours.equals(theirs.sort("second", "instrument")):
        raise SystemExit("the bars differ from those made by hand")
    say(f"  {ours.height:,} bars, equal to the integer")


def decode_and_bars(quotes: list[bytes]) -> None:
    """Live batches of any size against the loop by hand."""
    say(f"decode and bars: {len(quotes):,} quotes, {INSTRUMENTS} issues, {SECONDS // 3600} h")
    check_equal(quotes)
    for size, rounds in ROUNDS.items():
        ratios, ours = [], 0.0
        for _ in range(rounds):
            ours = cpu(lambda size=size: bars_of(quotes, size))  # type: ignore[misc]
            ratios.append(cpu(lambda: by_hand(quotes)) / ours)
        rate = len(quotes) / ours / 1e6
        say(f"  batches of {size:>7,}: {rate:5.2f} M events/s CPU, {statistics.median(ratios):5.2f} x the loop by hand")


def in_blocks(path: Path, count: int, *, signals: bool) -> str:
    """A replay of a file in blocks: its rate, and how much memory it took at most. For a process of its own."""
    source = FileSource(path, "treasury")
    pipeline = Pipeline(CATALOGUE if signals else (), MarketCalendar())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps = 0

    def replay() -> None:
        nonlocal steps
        source.open()
        while not source.exhausted:
            batch = source.poll(RECORDS_AT_ONCE)
            if batch is not None:
                pipeline.ingest(batch)
                steps += sum(output.steps.height for output in pipeline.advance())
        pipeline.finish()
        steps += sum(output.steps.height for output in pipeline.advance())
        source.close(1)

    took = cpu(replay)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    what = "with all signals and alerts" if signals else "bars only"
    return (
        f"replay in blocks of {RECORDS_AT_ONCE:,}, {what}: {count / took / 1e6:.2f} M events/s CPU, "
        f"{steps:,} signal rows, {more:,.0f} MB more at most"
    )


def replays(quotes: list[bytes]) -> None:
    """Replays of the first half of the quotes and of all, each in a new process: memory must not grow with them."""
    with tempfile.TemporaryDirectory() as folder:
        for some in (quotes[: len(quotes) // 2], quotes):
            path = Path(folder) / "treasury.ndjson"
            path.write_bytes(b"\n".join(some))
            for signals in (False, True):
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    say(process.submit(in_blocks, path, len(some), signals=signals).result())


def live_share(rate: int, seconds: int) -> None:
    """Which share of one core the live path takes at so many events a second, with all signals."""
    quotes = list(lines(rate * seconds, INSTRUMENTS, seconds, seed=2))
    pipeline = Pipeline(CATALOGUE, MarketCalendar())
    warm = rate * seconds // 3
    took, slowest = 0.0, 0.0
    for number, batch in enumerate(batches(quotes, 500)):
        now_us = START_US + (batch.offsets[-1] + 1) * MICROSECONDS_PER_SECOND // rate

        def turn(batch: RawBatch = batch, now_us: int = now_us) -> None:
            pipeline.ingest(batch, now_us)
            for _ in pipeline.advance(None, now_us):
                pass

        one = cpu(turn)
        if number * 500 >= warm:
            took += one
            slowest = max(slowest, one)
    share = took / (seconds * 2 / 3)
    say(
        f"live path at {rate:,} events/s, {INSTRUMENTS} issues, all signals, batches of 500: "
        f"{100 * share:.0f} % of one core; the slowest turn {1000 * slowest:.0f} ms"
    )


def main() -> None:
    """All benchmarks, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quotes", type=int, default=2_000_000, help="how many quotes (2,000,000)")
    count = parser.parse_args().quotes
    say(f"Polars {pl.__version__}, {pl.thread_pool_size()} threads; kinds of bars: {', '.join(KINDS)}")
    quotes = list(lines(count, INSTRUMENTS, SECONDS))
    # A live feed has no list of millions of lines that every collection of garbage would walk through.
    gc.freeze()
    decode_and_bars(quotes)
    replays(quotes)
    live_share(5_000, 60)


if __name__ == "__main__":
    main()
