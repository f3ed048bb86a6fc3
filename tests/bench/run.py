"""`make bench`: what the monitor costs, as ratios against loops by hand in the same run; misses are printed too.

Times are CPU seconds of this process, all its threads together, and wall seconds; a peer's and ours are taken turn
about, and the median of the ratios is told. A number above 1 means that the monitor is faster than the loop. No time
is asserted: what is checked is that both give the same numbers.
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
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

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
from tests.bench.table import (
    CALENDAR,
    SPREAD,
    TABLE,
    Seen,
    all_bars,
    batches,
    by_hand,
    by_monitor,
    over_all,
    signals_of,
    spread_over,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal

INSTRUMENTS: Final = 200
MANY: Final = (200, 2_000, 5_000)
WINDOWS: Final = (300, 3_600)
_COMPARED = tuple(name if not name.startswith("depth") else f"depth2_kusd{name[5:]}" for name in Bar._fields)
_NAMES = tuple(name.replace("spread_area", "spread_e9_area").replace("spread_us", "spread_e9_us") for name in _COMPARED)


@dataclass(frozen=True)
class Size:
    """How much is done."""

    quotes: int = 2_000_000
    seconds: int = 7_200
    rounds: int = 2
    batches: tuple[tuple[int, int], ...] = ((500, 25_000), (5_000, 500_000), (50_000, 2_000_000))  # size: quotes
    growth: tuple[int, int] = (240_000, 240)  # quotes, seconds
    window_filled: int = 900  # seconds: the longest hold
    live_ticks: int = 20
    live_load: tuple[int, int] = (5_000, 30)  # quotes a second, seconds
    replayed: int = 600_000


QUICK: Final = Size(
    quotes=60_000,
    seconds=600,
    rounds=1,
    batches=((5_000, 60_000),),
    growth=(24_000, 24),
    window_filled=30,
    live_ticks=3,
    live_load=(5_000, 3),
    replayed=60_000,
)


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds."""

    cpu: float
    wall: float


def cost(work: Callable[[], object]) -> Cost:
    """CPU seconds of all threads and wall seconds that it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def say(text: str) -> None:
    """A line at once."""
    note("")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """What is going on, where somebody watches; the next line takes its place."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def compared(
    what: str, ours: Callable[[], object], peer: Callable[[], object], rounds: int, aim: float | None, events: int
) -> None:
    """Ours and the peer's turn about: the median of their ratios, and whether it is what is aimed at."""
    ratios, walls, took = [], [], []
    for number in range(rounds):
        note(f"{what}: round {number + 1} of {rounds}, by the loop")
        by_peer = cost(peer)
        note(f"{what}: round {number + 1} of {rounds}, by the monitor ({by_peer.cpu:.1f} s by the loop)")
        by_us = cost(ours)
        ratios.append(by_peer.cpu / by_us.cpu)
        walls.append(by_peer.wall / by_us.wall)
        took.append(by_us.cpu)
    ratio = statistics.median(ratios)
    rate = events / statistics.median(took) / 1e6
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if rounds > 1 else ""
    wall = statistics.median(walls)
    text = f"  {what}: {ratio:.2f} x the loop{spread}, {wall:.2f} x by the wall, {rate:.2f} M events/s"
    say(text + ("" if aim is None else f"; {verdict(ratio >= aim)}: at least {aim:g} x"))


def verdict(is_met: bool) -> str:
    """Whether an aim was met, in words."""
    return "aim met" if is_met else "AIM MISSED"


def bars_of(quotes: list[bytes], size: int) -> pl.DataFrame:
    """Decode and seal, as the live path does."""
    decoder, partition, sealed = Decoder(), Partition("bench", 2 * MICROSECONDS_PER_SECOND), []
    for batch in batches(quotes, size):
        partition.push(decoder.decode(batch), NO_TICK)
        sealed += [each.bars for each in partition.seal().values()]
    return pl.concat([*sealed, *(each.bars for each in partition.release().values())])


def bars_by_hand(quotes: list[bytes]) -> HandMade:
    """The same by the peer."""
    peer = HandMade()
    peer.push(quotes)
    peer.finish()
    return peer


def check_bars(quotes: list[bytes]) -> None:
    """Both give the same bars, to the integer."""
    ours = bars_of(quotes, RECORDS_AT_ONCE).select(_NAMES).sort("second", "instrument")
    theirs = pl.DataFrame(list(bars_by_hand(quotes).sealed), schema=dict(ours.schema), orient="row")
    if not ours.equals(theirs.sort("second", "instrument")):
        raise SystemExit("the bars differ from those made by hand")
    say(f"  {ours.height:,} bars, equal to the integer")


def decode_and_bars(quotes: list[bytes], size: Size) -> None:
    """Live batches of any size against the loop by hand; of small ones fewer, as they take long."""
    say(f"decode and bars, {INSTRUMENTS} issues, {size.seconds:,} s")
    check_bars(quotes)
    for at_once, count in size.batches:
        some = quotes[:count]
        what = f"batches of {at_once:,}, {len(some):,} quotes"
        ours, peer = partial(bars_of, some, at_once), partial(bars_by_hand, some)
        compared(what, ours, peer, size.rounds, None, len(some))


def treasury_table(quotes: list[bytes], size: Size) -> None:
    """The spread alone, and the whole table, from bytes to values."""
    say(f"replay through decode, bars and windows, a value a second and issue; {len(quotes):,} quotes")
    some = quotes[: len(quotes) // 4]
    for what, names, aim in (("the spread alone", (SPREAD,), 1.3), ("the whole table but curve noise", TABLE, 4.0)):
        alone = len(names) == 1
        signals = signals_of(names)
        # All values are compared, but of the table those of a quarter of the quotes: they must all be at hand.
        checked, until = (quotes, size.seconds) if alone else (some, size.seconds // 4)
        note(f"{what}: comparing the values")
        seen = Seen()
        by_monitor(checked, signals, INSTRUMENTS, until, seen)
        say(f"  {seen.compare(by_hand(checked, until, spread_only=alone)):,} values, equal to the last bit but one")
        compared(
            what,
            partial(by_monitor, quotes, signals, INSTRUMENTS, size.seconds),
            partial(by_hand, quotes, size.seconds, spread_only=alone),
            size.rounds,
            aim,
            len(quotes),
        )


def _run_through(tiers: Tiers, signal: Signal, seconds: int) -> None:
    for _ in over_all(tiers, signal, INSTRUMENTS, seconds):
        pass


def longer_window(quotes: list[bytes], size: Size) -> None:
    """What a window twelve times as long costs more, the bars being there."""
    note("windows: decode and bars")
    tiers = all_bars(quotes, size.seconds)
    ratios = []
    for number in range(size.rounds):
        took = []
        for span in WINDOWS:
            note(f"windows of {span} s: round {number + 1} of {size.rounds}")
            signal = spread_over(span)
            took.append(cost(partial(_run_through, tiers, signal, size.seconds)).cpu)
        ratios.append(took[1] / took[0])
    seen, long = Seen(), WINDOWS[1]
    for values in over_all(tiers, spread_over(long), INSTRUMENTS, size.seconds):
        seen(SPREAD, values)
    seen.compare(by_hand(quotes, size.seconds, spread_only=True, span=long))
    ratio = statistics.median(ratios)
    say(
        f"a window of {long:,} s instead of {WINDOWS[0]} s: {ratio:.2f} x the cost, numbers equal to the loop's; "
        f"{verdict(ratio <= 1.3)}: at most 1.3 x"
    )


def growth(size: Size) -> None:
    """The same number of quotes of more and more issues, all signals of the table, against the loop."""
    count, seconds = size.growth
    say(f"growth with the number of issues: {count:,} quotes in {seconds} s, the whole table")
    signals = signals_of(TABLE)
    first = 0.0
    for issues in MANY:
        quotes = list(lines(count, issues, seconds))
        note(f"{issues:,} issues")
        peer = cost(partial(by_hand, quotes, seconds))
        ours = cost(partial(by_monitor, quotes, signals, issues, seconds))
        first = first or ours.cpu
        say(
            f"  {issues:>5,} issues: {ours.cpu:6.2f} s CPU, {ours.wall:6.2f} s wall; {ours.cpu / first:5.2f} x the "
            f"first for {issues / MANY[0]:g} x the issues; {peer.cpu / ours.cpu:.2f} x the loop"
        )


def live_tick(issues: int, size: Size) -> None:
    """One second of a live run, all signals and alerts, when the windows are full."""
    rate = max(1_000, issues // 5)
    quotes = list(lines(rate * (size.window_filled + size.live_ticks), issues, size.window_filled + size.live_ticks))
    pipeline = Pipeline(CATALOGUE, CALENDAR)
    took: list[Cost] = []

    def tick(first: int, last: int) -> None:
        pipeline.ingest(RawBatch("bench", "treasury", "bench", range(first, last), quotes[first:last]))
        for _ in pipeline.advance():
            pass

    filled = rate * size.window_filled
    note(f"live tick, {issues:,} issues: filling the windows")
    tick(0, filled)
    for first in range(filled, len(quotes), rate):
        note(f"live tick, {issues:,} issues: {len(took) + 1} of {size.live_ticks}")
        took.append(cost(partial(tick, first, first + rate)))
    wall, cpu = (statistics.median(getattr(each, name) for each in took) for name in ("wall", "cpu"))
    say(
        f"  {issues:>5,} issues, {rate:,} quotes/s: {1_000 * wall:4.0f} ms wall, {1_000 * cpu:4.0f} ms CPU a second; "
        f"the slowest {1_000 * max(each.wall for each in took):.0f} ms"
    )


def peak_kb() -> int:
    """The most memory that this process ever had, in KiB."""
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` tells on Linux was handed down from the process that started this one
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_blocks(path: Path, count: int, *, signals: bool) -> str:
    """A replay of a file in blocks: its rate, and how much memory it took at most. For a process of its own."""
    source = FileSource(path, "treasury")
    chosen: tuple[Signal, ...] = CATALOGUE if signals else ()
    pipeline = Pipeline(chosen, CALENDAR)
    before = peak_kb()
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

    took = cost(replay).cpu
    more = (peak_kb() - before) / 1024
    what = "with all signals and alerts" if signals else "bars only"
    return (
        f"  {count:,} quotes, {what}: {count / took / 1e6:.2f} M events/s CPU, "
        f"{steps:,} signal rows, {more:,.0f} MB more at most"
    )


def replays(quotes: list[bytes]) -> None:
    """Replays of half of the quotes and of all, each in a new process: memory must not grow with them."""
    say(f"replay of a file in blocks of {RECORDS_AT_ONCE:,}, each in a process of its own")
    with tempfile.TemporaryDirectory() as folder:
        for some, signals in ((quotes, False), (quotes[: len(quotes) // 2], True), (quotes, True)):
            path = Path(folder) / "treasury.ndjson"
            path.write_bytes(b"\n".join(some))
            note(f"replay of {len(some):,} quotes")
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                say(process.submit(in_blocks, path, len(some), signals=signals).result())


def live_share(rate: int, seconds: int) -> None:
    """Which share of one core the live path takes at so many events a second, with all signals."""
    quotes = list(lines(rate * seconds, INSTRUMENTS, seconds, seed=2))
    pipeline = Pipeline(CATALOGUE, CALENDAR)
    warm = rate * seconds // 3
    took, slowest = 0.0, 0.0
    for number, batch in enumerate(batches(quotes, 500)):
        now_us = START_US + (batch.offsets[-1] + 1) * MICROSECONDS_PER_SECOND // rate
        note(f"live path: {number * 500:,} of {len(quotes):,} quotes")

        def turn(batch: RawBatch = batch, now_us: int = now_us) -> None:
            pipeline.ingest(batch, now_us)
            for _ in pipeline.advance(None, now_us):
                pass

        one = cost(turn).cpu
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
    parser.add_argument("--quick", action="store_true", help="little of everything, in less than a minute")
    size = QUICK if parser.parse_args().quick else Size()
    began = time.perf_counter()
    say(f"Polars {pl.__version__}, {pl.thread_pool_size()} threads; kinds of bars: {', '.join(KINDS)}")
    note("making quotes")
    quotes = list(lines(size.quotes, INSTRUMENTS, size.seconds))
    # A live feed has no list of millions of lines that every collection of garbage would walk through.
    gc.freeze()
    decode_and_bars(quotes, size)
    treasury_table(quotes, size)
    longer_window(quotes, size)
    growth(size)
    say("a second of a live run, windows full, all signals and alerts")
    for issues in MANY:
        live_tick(issues, size)
    live_share(*size.live_load)
    replays(quotes[: size.replayed])
    say(f"all of it took {time.perf_counter() - began:,.0f} s")


if __name__ == "__main__":
    main()
