"""How stress runs over a story's day: everything that a scenario does to a calm market, as courses over time.

A course is written as New York times and values. The makers of events multiply or add what it says to their calm
numbers, so a story is these numbers and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from monitor.calendar import MarketCalendar
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.sources.scenario.credit import Auction, Issue

STORY_DAY: Final = date(2026, 5, 11)
"""The day of every story that does not say another: a Monday without a flag, and with 25 whole sessions before it."""
US_PER_MINUTE: Final = 60 * MICROSECONDS_PER_SECOND


def story_day_us(at: time, day: date = STORY_DAY) -> int:
    """Epoch microseconds of a New York time of a story's day."""
    return MarketCalendar.at_new_york(day, at) * MICROSECONDS_PER_SECOND


STORY_START_US: Final = story_day_us(time(9))
STORY_END_US: Final = story_day_us(time(16, 45))
"""Before the session's end at 17:00, so that the last state stays on show."""


class Course:
    """A number over the story's day: straight lines between knots, level before the first and after the last.

    Args:
        knots: value by New York time of the story's day, `HH:MM`, in rising order; at least one.
        day: the story's day. A course of one knot is level for ever, so it is of any day.

    >>> stress = Course({"09:00": 1.0, "09:10": 3.0})
    >>> [stress.at(STORY_START_US + minutes * US_PER_MINUTE) for minutes in (-60, 0, 5, 60)]
    [1.0, 1.0, 2.0, 3.0]
    """

    __slots__ = ("_lines", "_times")

    def __init__(self, knots: Mapping[str, float], day: date = STORY_DAY) -> None:
        self._times = times = [story_day_us(time.fromisoformat(at), day) for at in knots]
        if not knots or times != sorted(set(times)):
            raise ValueError(f"the knots of a course must rise in time: {', '.join(knots) or 'there is none'}")
        values = list(knots.values())
        # (from when, value then, change a microsecond) of the line that ends at each knot, and of the last one.
        self._lines = [
            (times[0], values[0], 0.0),
            *((t0, v0, (v1 - v0) / (t1 - t0)) for (t0, v0), (t1, v1) in pairwise(zip(times, values, strict=True))),
            (times[-1], values[-1], 0.0),
        ]

    def at(self, us: int) -> float:
        """The value at an epoch microsecond."""
        from_us, value, change = self._lines[bisect_right(self._times, us)]
        return value + change * (us - from_us)


def flat(value: float) -> Course:
    """The same value all day."""
    return Course({"09:00": value})


NOTHING: Final = flat(0.0)
"""For what is added."""
AS_EVER: Final = flat(1.0)
"""For what is multiplied."""
_CALM_MISPRICING_BP: Final = flat(0.7)
_CALM_TAIL_BP: Final = flat(5.0)


@dataclass(frozen=True)
class Stress:
    """What a story does; the defaults are a calm market.

    Attributes:
        on_the_run_spread: by original tenor in years: a multiple of the calm spread; 1 for tenors not named.
        off_the_run_spread: a multiple of the calm spread of every off-the-run.
        depth: a multiple of the calm sizes.
        sell_off_bp: added to all yields; the long end takes more of it.
        jumps_bp: how far mids swing within minutes, in yield.
        mispricing_bp: how far off-the-runs stray from the curve, in yield.
        one_sided: the share of quotes that lose a side, besides the calm share; of on-the-runs a third of it.
        crossed: the share of quotes whose ask is below the bid.
        repo_bp: by instrument (`GC-ON`, `GCF`, `TRIPARTY`): added to the calm rate.
        repo_tail_bp: how much more than the middle the dearest twentieth of the trades pays.
        special_bp: how much less than the calm rate the scarcest collateral pays, besides the general level.
        cds_level: a multiple of the calm spreads of every entity that `cds_levels` does not name.
        cds_levels: by entity: a multiple of its calm spreads.
        cds_bid_ask: a multiple of the calm bid-ask.
        cds_traded: a multiple of the share of quotes at which protection is traded.
    """

    on_the_run_spread: Mapping[int, Course] = field(default_factory=dict)
    off_the_run_spread: Course = AS_EVER
    depth: Course = AS_EVER
    sell_off_bp: Course = NOTHING
    jumps_bp: Course = NOTHING
    mispricing_bp: Course = _CALM_MISPRICING_BP
    one_sided: Course = NOTHING
    crossed: Course = NOTHING
    repo_bp: Mapping[str, Course] = field(default_factory=dict)
    repo_tail_bp: Course = _CALM_TAIL_BP
    special_bp: Course = NOTHING
    cds_level: Course = AS_EVER
    cds_levels: Mapping[str, Course] = field(default_factory=dict)
    cds_bid_ask: Course = AS_EVER
    cds_traded: Course = AS_EVER


CALM: Final = Stress()

# The shapes of March 2020: off-the-runs first, then the long end, then the short end; repo later than both. The
# 5-minute mean of the 30-year is past 2.5 by 09:10, which takes a step in the first minute.
_LONG_END: Final = Course(
    {
        "09:06": 1.0, "09:07": 3.4, "09:22": 3.6, "09:34": 4.9, "10:15": 6.0, "11:30": 9.0, "12:30": 8.0,
        "13:15": 3.5, "14:10": 1.4, "14:30": 1.05, "16:45": 1.0,
    }
)  # fmt: skip
_TEN_YEARS: Final = Course(
    {
        "09:06": 1.0, "09:10": 2.1, "09:34": 2.2, "09:46": 3.2, "10:15": 4.0, "11:30": 6.0, "12:30": 5.4,
        "13:15": 2.6, "14:10": 1.2, "14:30": 1.03, "16:45": 1.0,
    }
)  # fmt: skip
_FIVE_YEARS: Final = Course(
    {
        "09:38": 1.0, "10:16": 1.8, "11:30": 3.6, "12:30": 3.2, "13:15": 1.8, "14:10": 1.08, "14:30": 1.02,
        "16:45": 1.0,
    }
)  # fmt: skip
_TWO_YEARS: Final = Course(
    {
        "09:38": 1.0, "10:16": 2.9, "11:30": 6.0, "12:30": 5.0, "13:15": 2.6, "14:10": 1.2, "14:30": 1.05,
        "16:45": 1.0,
    }
)  # fmt: skip
_CRUNCH_REPO: Final = Course({"10:00": 0.0, "10:45": 12.0, "12:30": 12.0, "14:00": 2.0, "16:45": 0.0})

TREASURY_CRUNCH: Final = Stress(
    on_the_run_spread={
        2: _TWO_YEARS, 3: _FIVE_YEARS, 5: _FIVE_YEARS, 7: _TEN_YEARS, 10: _TEN_YEARS, 20: _LONG_END, 30: _LONG_END,
    },
    off_the_run_spread=Course(
        {
            "09:03": 1.0, "09:07": 4.5, "09:20": 5.2, "09:40": 7.5, "11:30": 13.0, "12:30": 11.5, "13:15": 4.5,
            "14:10": 1.4, "14:30": 1.05, "16:45": 1.0,
        }
    ),
    depth=Course(
        {
            "09:03": 1.0, "09:10": 0.6, "09:35": 0.35, "10:15": 0.2, "11:30": 0.1, "12:30": 0.13, "13:15": 0.4,
            "14:30": 0.9, "16:45": 1.0,
        }
    ),
    sell_off_bp=Course({"09:03": 0.0, "10:15": 9.0, "11:30": 20.0, "12:30": 17.0, "14:30": 4.0, "16:45": 3.0}),
    jumps_bp=Course({"09:03": 0.0, "09:35": 0.9, "10:15": 1.6, "11:30": 3.0, "12:30": 2.6, "14:30": 0.1, "16:45": 0.0}),
    mispricing_bp=Course({"09:03": 0.7, "09:35": 4.0, "11:30": 14.0, "12:30": 12.0, "14:30": 1.0, "16:45": 0.7}),
    one_sided=Course({"09:03": 0.0, "09:35": 0.08, "11:30": 0.35, "12:30": 0.28, "14:00": 0.02, "14:30": 0.0}),
    crossed=Course({"09:20": 0.0, "11:30": 0.01, "12:30": 0.008, "14:00": 0.0}),
    repo_bp={"GC-ON": _CRUNCH_REPO, "GCF": _CRUNCH_REPO, "TRIPARTY": _CRUNCH_REPO},
    repo_tail_bp=Course({"10:00": 5.0, "10:40": 120.0, "12:30": 110.0, "14:00": 12.0, "14:30": 5.0}),
    special_bp=Course({"10:00": 0.0, "10:45": 25.0, "12:30": 25.0, "14:30": 0.0}),
    cds_level=Course({"09:10": 1.0, "11:30": 1.34, "12:30": 1.33, "14:30": 1.1, "16:45": 1.07}),
    cds_bid_ask=Course({"09:10": 1.0, "11:30": 3.0, "12:30": 2.8, "14:30": 1.2, "16:45": 1.0}),
)  # fmt: skip

# The shapes of 2019-09-17: the rate of every segment, GCF most; Treasuries hardly notice. The rise is quick, because
# the median of the day so far counts the calm morning too.
REPO_SQUEEZE: Final = Stress(
    on_the_run_spread={
        2: Course({"09:10": 1.0, "10:00": 1.2, "12:00": 1.2, "14:00": 1.0}),
        3: Course({"09:10": 1.0, "10:00": 1.06, "12:00": 1.06, "14:00": 1.0}),
        5: Course({"09:10": 1.0, "10:00": 1.06, "12:00": 1.06, "14:00": 1.0}),
        7: Course({"09:10": 1.0, "10:00": 1.15, "12:00": 1.15, "14:00": 1.0}),
        10: Course({"09:10": 1.0, "10:00": 1.15, "12:00": 1.15, "14:00": 1.0}),
        20: Course({"09:10": 1.0, "10:00": 1.35, "12:00": 1.35, "14:00": 1.0}),
        30: Course({"09:10": 1.0, "10:00": 1.35, "12:00": 1.35, "14:00": 1.0}),
    },
    off_the_run_spread=Course({"09:10": 1.0, "10:00": 1.4, "12:00": 1.4, "14:00": 1.0}),
    depth=Course({"09:10": 1.0, "10:00": 0.8, "12:00": 0.8, "14:00": 1.0}),
    jumps_bp=Course({"09:10": 0.0, "10:00": 0.12, "12:00": 0.12, "14:00": 0.0}),
    repo_bp={
        "GC-ON": Course({"09:05": 0.0, "09:16": 42.0, "10:30": 52.0, "12:00": 48.0, "13:30": 12.0, "16:00": 2.0}),
        "GCF": Course({"09:05": 0.0, "09:16": 54.0, "10:30": 66.0, "12:00": 62.0, "13:30": 15.0, "16:00": 2.0}),
        "TRIPARTY": Course({"09:05": 0.0, "09:16": 16.0, "10:30": 26.0, "12:00": 24.0, "13:30": 7.0, "16:00": 1.0}),
    },
    repo_tail_bp=Course({"09:05": 5.0, "09:16": 200.0, "12:00": 210.0, "13:30": 40.0, "15:00": 5.0}),
    special_bp=Course({"09:05": 0.0, "09:18": 180.0, "12:00": 185.0, "13:30": 40.0, "15:00": 0.0}),
    cds_level=Course({"09:30": 1.0, "11:00": 1.03, "12:00": 1.03, "15:00": 1.0}),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Credit:
    """What a story tells of credit; one is equal to itself only, so that what is made of it can be kept.

    A scenario that has this has a past of years besides its sessions: a year of deals (`issuance`), end-of-day CDS
    marks since 2009 (`marks`) and a year of published series (`series`).

    Attributes:
        issues: the deals of the story's day.
        series: by published series, in the unit in which it is kept (bp, busd, percent): what is added to the calm
            value of the story's day; it is printed anew whenever that changes.
        auctions: those of the story's day.
    """

    issues: tuple[Issue, ...] = ()
    series: Mapping[str, Course] = field(default_factory=dict)
    auctions: tuple[Auction, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A story with its past, made from a seed.

    Attributes:
        name: as users call it.
        title: one line for people.
        stress: what happens.
        seed: the past and the small movements of the story follow from it; equal seeds have equal pasts.
        story_start_us: where the story and its clock begin, epoch microseconds; the past ends there.
        story_end_us: where it ends, whole five minutes later.
        speed: seconds of the story a second of wall time, unless the user says otherwise.
        past_sessions: how many whole sessions of quotes come before the story's day.
        rates_from: the day from which the central bank's rates hold, before all else that is published but marks.
        conflated_us: the Treasury feed of the story hands its quotes over at the beginning of every such interval, as
            feeds do that conflate: the newest of each issue. 0: as they come.
        credit: what is told of new issues, end-of-day CDS marks and published series; None: nothing.

    Raises:
        ValueError: the story does not last whole five minutes, or the past is negative.
    """

    name: str
    title: str
    stress: Stress = CALM
    seed: int = 20_260_511
    story_start_us: int = STORY_START_US
    story_end_us: int = STORY_END_US
    speed: float = 60.0
    past_sessions: int = 25
    rates_from: date = date(2025, 12, 11)
    conflated_us: int = 0
    credit: Credit | None = None

    @property
    def day(self) -> date:
        """The story's day, New York."""
        return MarketCalendar.new_york_date(self.story_start_us)

    def __post_init__(self) -> None:
        length_us = self.story_end_us - self.story_start_us
        if length_us < 1 or length_us % STORY_BLOCK_US:
            raise ValueError(f"the story {self.name} must last whole five minutes, not {length_us} microseconds")
        if self.past_sessions < 0:
            raise ValueError(f"the story {self.name} cannot have {self.past_sessions} sessions before it")


STORY_BLOCK_US: Final = 5 * US_PER_MINUTE
"""A story is made in blocks of five minutes."""
