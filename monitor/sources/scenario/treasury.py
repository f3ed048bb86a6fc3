"""Treasury quotes of one block: 40 securities around one moving curve."""

from __future__ import annotations

from functools import lru_cache
from math import sin, tau
from random import Random
from typing import TYPE_CHECKING, Final

from monitor.sources.scenario.securities import SECURITIES, UNITS_PER_POINT, Security, price_by_yield, securities_of
from monitor.sources.scenario.story import AS_EVER, CALM, US_PER_MINUTE
from monitor.sources.scenario.timeline import Events, Pace, arrives_us, happens_us, in_order
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.sources.scenario.story import Scenario, Stress
    from monitor.sources.scenario.timeline import Block

_STORY_EVERY_US: Final = {True: 2 * MICROSECONDS_PER_SECOND, False: 20 * MICROSECONDS_PER_SECOND}
_PAST_EVERY_US: Final = {True: 4 * US_PER_MINUTE, False: 10 * US_PER_MINUTE}
"""By on-the-run: a quote of each security in every such interval."""
_SESSION_US: Final = 600 * US_PER_MINUTE

_STORY_WIDTH, _PAST_WIDTH, _MORNING_WIDTH = 0.9, 0.15, 0.1
"""The part of an interval in which its quote may fall. In the past it is small: a quote stands 5 minutes (off-the-run
15), and the next one is due before that. On the morning of the story on-the-runs are quoted at the end of each
interval, so that they are fresh when the story begins."""

# Periods in minutes and amplitudes in bp. In calm the 10-year moves less than 1 32nd in five minutes.
_LEVEL: Final = ((20_160.0, 9.0), (4_300.0, 4.0), (190.0, 1.1), (37.0, 0.22))
_SLOPE: Final = ((26_000.0, 4.0), (260.0, 0.3))
_JUMPS: Final = ((6.3, 0.6), (2.7, 0.3), (0.9, 0.1))
"""Amplitudes as parts of `Stress.jumps_bp`."""
_STRAY_WAVE: Final = ((83.0, 0.3),)
_QUOTE_NOISE: Final = 0.15
"""Of `Stress.jumps_bp`: how much each quote strays by itself."""

_WIDER_SHARE: Final = 0.04
"""Of calm quotes in the story, those that are a tick wider. In the past on-the-runs never are: there a quote stands
for minutes, and the 5-year would be past its warning."""
_ONE_SIDED_SHARE: Final = {True: 0.001, False: 0.005}
"""By on-the-run: in calm."""
_ONE_SIDED_PART: Final = 1 / 3
"""Of `Stress.one_sided`: what on-the-runs take."""
_TRADE_SHARE: Final = {True: 0.1, False: 0.02}
"""By on-the-run: the quotes that follow a trade."""
_FLOW_WITH_PRICE: Final = 0.65
"""The share of trades whose aggressor goes the way that prices go."""
_LONGEST_YEARS: Final = 30
_PIVOT: Final = 0.2
"""The slope turns around the bond with this part of 30 years left."""
_SELL_OFF_AT_ONCE: Final = 0.5
"""Every yield takes half of `Stress.sell_off_bp`, and the longest one and a half times as much."""
_DEPTH_OVER_THE_DAY: Final = 0.2
"""Sizes are so much larger in the middle of the morning, and smaller in the middle of the afternoon."""
_SIZE_LOW, _SIZE_WIDTH = 0.85, 0.3
"""Each size is the depth times a lot in [0.85, 1.15)."""
_TRADED_PART: Final = 0.3
"""The most of the depth that a trade takes."""
_BIDS_SHARE: Final = 0.7
"""Of the quotes that lose a side, those that lose the bid: in a sell-off the bids go first."""
_STRAY_MEAN: Final = 0.7
"""Of `Stress.mispricing_bp`, times a lot in [-1, 1) a security; a slow wave of 0.3 is added."""


class _Waves:
    """A sum of sines of the time since the story's start: smooth, and the same from whichever block it is seen."""

    __slots__ = ("_waves",)

    def __init__(self, periods: tuple[tuple[float, float], ...], rnd: Callable[[], float]) -> None:
        self._waves = [(amplitude, tau / (period * US_PER_MINUTE), tau * rnd()) for period, amplitude in periods]

    def at(self, since_us: int) -> float:
        total = 0.0
        for amplitude, speed, phase in self._waves:
            total += amplitude * sin(speed * since_us + phase)
        return total


class _Market:
    """What all blocks of a seed share: how the curve moves, and where each security stands off it."""

    __slots__ = ("jumps", "level", "phases", "slope", "strays")

    def __init__(self, seed: int) -> None:
        rnd = Random(f"{seed}:treasury").random  # noqa: S311 - a story, no secret
        self.level, self.slope, self.jumps = (_Waves(each, rnd) for each in (_LEVEL, _SLOPE, _JUMPS))
        self.strays = [(0.0 if s.on_the_run else 2 * rnd() - 1, _Waves(_STRAY_WAVE, rnd)) for s in SECURITIES]
        self.phases = [rnd() for _ in SECURITIES]


@lru_cache(maxsize=2)
def _market(seed: int) -> _Market:
    return _Market(seed)


@lru_cache(maxsize=2 * len(SECURITIES))
def _tail(security: Security) -> str:
    """The part of the object that is the same in every quote."""
    return (
        f'"tenor_years":{security.tenor_years},"on_the_run":{"true" if security.on_the_run else "false"},'
        f'"coupon":{security.coupon},"maturity":"{security.maturity}","venue":"synthetic"}}'
    )


def _every_us(scenario: Scenario, pace: Pace) -> dict[bool, int]:
    """By on-the-run, the interval in which each issue is quoted once."""
    if pace is not Pace.STORY:
        return _PAST_EVERY_US
    return {newest: max(every_us, scenario.conflated_us) for newest, every_us in _STORY_EVERY_US.items()}


def count(scenario: Scenario, seed: int, block: Block) -> int:  # noqa: ARG001 - as all makers
    """How many quotes the block has."""
    slots = {newest: block.slots(every_us) for newest, every_us in _every_us(scenario, block.pace).items()}
    return sum(slots[security.on_the_run] for security in SECURITIES)


def events(scenario: Scenario, seed: int, block: Block) -> Events:
    """The quotes of a block; a function of its arguments alone."""
    stress = scenario.stress if block.pace is Pace.STORY else CALM
    rnd = Random(f"{seed}:treasury:{block.number}").random  # noqa: S311
    rows: list[tuple[int, str]] = []
    for number, security in enumerate(securities_of(scenario.day)):
        _quote(rows, number, security, _market(seed), stress, scenario, block, rnd)
    return in_order(rows)


def _quote(
    rows: list[tuple[int, str]],
    number: int,
    security: Security,
    market: _Market,
    stress: Stress,
    scenario: Scenario,
    block: Block,
    rnd: Callable[[], float],
) -> None:
    """Add the quotes of one security: (arrival, JSON). One loop, as it is where the time goes."""
    newest, tick = security.on_the_run, security.tick
    price, by_bp, by_bp2 = price_by_yield(security, block.day)
    long_end = min(1.0, security.years_left(block.day) / _LONGEST_YEARS)
    stray, drift = market.strays[number]
    level, slope, jumps = market.level.at, market.slope.at, market.jumps.at
    in_story = block.pace is Pace.STORY
    wider = stress.on_the_run_spread.get(security.tenor_years, AS_EVER) if newest else stress.off_the_run_spread
    extra = _WIDER_SHARE if in_story or not newest else 0.0
    one_sided_part = _ONE_SIDED_PART if newest else 1.0
    head, tail = f',"instrument":"{security.instrument}"', _tail(security)

    story_start_us, conflated_us = scenario.story_start_us, scenario.conflated_us if in_story else 0
    every_us = _every_us(scenario, block.pace)[newest]
    width, phase = _STORY_WIDTH if in_story else _PAST_WIDTH, market.phases[number]
    if newest and block.pace is Pace.MORNING:
        width, phase = _MORNING_WIDTH, 1.0
    width_us, first_us = int(width * every_us), block.start_us + int(phase * (1 - width) * every_us)
    for slot in range(block.slots(every_us)):
        ts_us = happens_us(first_us + slot * every_us, width_us, rnd)
        if conflated_us:
            ts_us -= (ts_us - block.start_us) % conflated_us
        since_us = ts_us - story_start_us
        bp = level(since_us) + (long_end - _PIVOT) * slope(since_us)
        swing = stress.jumps_bp.at(ts_us)
        if swing:
            bp += swing * (jumps(since_us) + _QUOTE_NOISE * (rnd() - 0.5))
        bp += (_SELL_OFF_AT_ONCE + long_end) * stress.sell_off_bp.at(ts_us)
        bp += stray * (_STRAY_MEAN + drift.at(since_us)) * stress.mispricing_bp.at(ts_us)
        mid = (price + bp * (by_bp + bp * by_bp2)) / tick

        # Rounded up or down by lot, so that the mean over many quotes is the spread that the story says.
        spread = int(security.spread_ticks * wider.at(ts_us) + extra + rnd())
        bid = int(mid - spread / 2 + 0.5) * tick
        ask = bid + spread * tick
        luck = rnd()
        if luck < stress.crossed.at(ts_us):
            ask = bid - tick

        shape = 1 + _DEPTH_OVER_THE_DAY * sin(tau * (ts_us - block.opened_us) / _SESSION_US)
        size = security.size_musd * shape * stress.depth.at(ts_us)
        bid_size = max(1, int(size * (_SIZE_LOW + _SIZE_WIDTH * rnd()) + rnd()))
        ask_size = max(1, int(size * (_SIZE_LOW + _SIZE_WIDTH * rnd()) + rnd()))
        bid_text = f',"bid":{bid / UNITS_PER_POINT},"bid_size":{bid_size}'
        ask_text = f',"ask":{ask / UNITS_PER_POINT},"ask_size":{ask_size}'
        lost = _ONE_SIDED_SHARE[newest] + one_sided_part * stress.one_sided.at(ts_us)
        if luck > 1 - lost:
            if luck > 1 - _BIDS_SHARE * lost:
                bid_text = ""
            else:
                ask_text = ""
        elif luck > 1 - lost - _TRADE_SHARE[newest]:
            rises = level(since_us + US_PER_MINUTE) < level(since_us)
            buys = rises if rnd() < _FLOW_WITH_PRICE else not rises
            paid = (ask if buys else bid) / UNITS_PER_POINT
            ask_text += (
                f',"last_price":{paid},"last_size":{max(1, int(_TRADED_PART * size * rnd()))},'
                f'"aggressor":"{"buy" if buys else "sell"}"'
            )
        rows.append((arrives_us(ts_us, block.end_us, rnd), f'{{"ts":{ts_us}{head}{bid_text}{ask_text},{tail}'))
