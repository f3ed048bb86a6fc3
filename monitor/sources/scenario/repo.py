"""Repo trades and published benchmarks of one block."""

from __future__ import annotations

from math import sin, tau
from random import Random
from typing import TYPE_CHECKING, Final

from monitor.sources.scenario import benchmarks
from monitor.sources.scenario.policy import IORB_PERCENT
from monitor.sources.scenario.securities import SPECIALS
from monitor.sources.scenario.story import CALM, NOTHING, US_PER_MINUTE, Course
from monitor.sources.scenario.timeline import Events, Pace, arrives_us, happens_us, in_order
from monitor.streams import DVP_SEGMENT, GCF_SEGMENT, MICROSECONDS_PER_SECOND, TRIPARTY_SEGMENT

if TYPE_CHECKING:
    from monitor.sources.scenario.story import Scenario
    from monitor.sources.scenario.timeline import Block

GC, GCF, TRIPARTY = "GC-ON", "GCF", "TRIPARTY"
_SEGMENTS: Final = {GC: DVP_SEGMENT, GCF: GCF_SEGMENT, TRIPARTY: TRIPARTY_SEGMENT} | dict.fromkeys(
    SPECIALS, DVP_SEGMENT
)
_CALM_BP: Final = {GC: -1.0, GCF: 1.0, TRIPARTY: -3.0} | dict(zip(SPECIALS, (-5.0, -4.0, -3.5, -3.0), strict=True))
"""Over IORB."""
_ROUND: Final = (GC, TRIPARTY, GCF, *SPECIALS[:2], GC, TRIPARTY, GCF, *SPECIALS[2:])
"""Trades come in rounds of these: general collateral twice as often as each special."""

_EVERY_US: Final = {
    Pace.SESSION: 120 * MICROSECONDS_PER_SECOND,
    Pace.MORNING: 12 * MICROSECONDS_PER_SECOND,
    Pace.STORY: 3 * MICROSECONDS_PER_SECOND,
}
_VOLUME_BUSD: Final = {Pace.SESSION: (6.0, 6.0), Pace.MORNING: (0.55, 0.8), Pace.STORY: (1.2, 0.5)}
"""The mean of a trade in general collateral, and in specials: 30 minutes have more than the 5 busd that percentiles
need, from 07:15 of the story's day on; and the morning weighs little enough in the story's day."""
_OVER_THE_DAY: Final = Course({"09:00": 1.8, "10:30": 1.8, "12:00": 0.8, "16:45": 0.35})
"""A multiple of the story's volumes: most of a day's repo is done early."""

_ROUNDS_A_TAIL: Final = 10
"""Of so many rounds one has a trade of each general collateral in the tail, the dearest twentieth."""
_NOISE_BP: Final = 1.5
_DOUBLE_AT: Final = 57
"""The trade of a block that its producer sends twice, with the same id."""
_DOUBLES_EVERY: Final = {Pace.SESSION: 1, Pace.MORNING: 1, Pace.STORY: 4}
"""In every so many blocks one trade is sent twice."""
_HALF_BP: Final = 200
"""Rates are dealt in halves of a bp: 1/200 percent."""


def _has_double(block: Block) -> bool:
    return block.number % _DOUBLES_EVERY[block.pace] == 0


def count(scenario: Scenario, seed: int, block: Block) -> int:  # noqa: ARG001 - as all makers
    """How many trades and benchmarks the block has."""
    if block.pace is Pace.PUBLISHED:
        return benchmarks.count(block)
    return benchmarks.count(block) + block.slots(_EVERY_US[block.pace]) + _has_double(block)


def events(scenario: Scenario, seed: int, block: Block) -> Events:
    """The trades and benchmarks of a block; a function of its arguments alone."""
    rows = benchmarks.rows(seed, block)
    if block.pace is not Pace.PUBLISHED:
        rows += _trades(scenario, seed, block)
    return in_order(rows)


def _trades(scenario: Scenario, seed: int, block: Block) -> list[tuple[int, str]]:
    stress = scenario.stress if block.pace is Pace.STORY else CALM
    rnd = Random(f"{seed}:repo:{block.number}").random  # noqa: S311 - a story, no secret
    phase = tau * Random(f"{seed}:repo").random()  # noqa: S311
    every_us, volumes = _EVERY_US[block.pace], _VOLUME_BUSD[block.pace]
    rows: list[tuple[int, str]] = []
    for slot in range(block.slots(every_us)):
        rounds, place = divmod(slot, len(_ROUND))
        instrument = _ROUND[place]
        ts_us = happens_us(block.start_us + slot * every_us, every_us, rnd)
        is_special = instrument in SPECIALS
        bp = _CALM_BP[instrument] + 0.4 * sin(phase + tau * (ts_us - scenario.story_start_us) / (170 * US_PER_MINUTE))
        bp += stress.repo_bp.get(GC if is_special else instrument, NOTHING).at(ts_us) + _NOISE_BP * (rnd() - 0.5)
        if instrument == SPECIALS[0]:
            bp -= stress.special_bp.at(ts_us)
        is_first_of_two = place < len(_ROUND) // 2
        if not is_special and is_first_of_two and rounds % _ROUNDS_A_TAIL == block.number % _ROUNDS_A_TAIL:
            bp += stress.repo_tail_bp.at(ts_us) * (0.9 + 0.2 * rnd())
        rate = round((100 * IORB_PERCENT + bp) * 2) / _HALF_BP
        volume = volumes[is_special] * (0.5 + rnd())
        if block.pace is Pace.STORY:
            volume *= _OVER_THE_DAY.at(ts_us)
        payload = (
            f'{{"ts":{ts_us},"instrument":"{instrument}","rate":{rate},"volume":{round(volume, 3)},'
            f'"id":"SYN-{block.number}-{slot}","segment":"{_SEGMENTS[instrument]}"}}'
        )
        arrived_us = arrives_us(ts_us, block.end_us, rnd)
        rows.append((arrived_us, payload))
        if slot == _DOUBLE_AT and _has_double(block):
            rows.append((arrived_us, payload))
    return rows
