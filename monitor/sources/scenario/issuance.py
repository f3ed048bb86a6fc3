"""A year of new issues before a story's day, planned so that their totals come out by construction.

The year is cut into periods before the story. Each has its supply, of `ai` and of the rest, and a number of issues;
sizes are drawn and then scaled to the total, so that every seed has the same supply, share and pace. Days are full
sessions of the bond market; Fridays have few deals.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.calendar import SESSION_CLOSE, MarketCalendar
from monitor.sources.scenario.credit import Issue, Issuer, Tranche
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _numbered(name: str, count: int, sector: str, ratings: Sequence[str], *, is_ai: bool = False) -> list[Issuer]:
    return [Issuer(f"SYN-{name}-{n}", sector, ratings[n % len(ratings)], is_ai) for n in range(1, count + 1)]


_NAMED: Final = [
    *_numbered("CLOUD", 6, "technology", ("A", "AA", "BBB", "AA"), is_ai=True),
    *_numbered("DATACENTER", 6, "data-centre", ("BBB", "A"), is_ai=True),
    *_numbered("CHIP", 4, "technology", ("A", "AA"), is_ai=True),
    *_numbered("BANK", 12, "financial", ("A", "A", "BBB")),
    *_numbered("UTILITY", 10, "utility", ("BBB", "A")),
    *_numbered("INDUSTRY", 12, "industrial", ("BBB", "A")),
    *_numbered("HEALTH", 8, "health", ("A", "AA", "BBB")),
    *_numbered("ENERGY", 8, "energy", ("BBB", "A")),
    *_numbered("TELECOM", 4, "telecom", ("BBB", "A")),
    *_numbered("CONSUMER", 8, "consumer", ("A", "BBB", "AA")),
]
ISSUERS: Final = {issuer.name: issuer for issuer in _NAMED}
"""Everyone who borrows; CDS of some of them are quoted under the same names."""
_AI: Final = tuple(issuer for issuer in _NAMED if issuer.is_ai)
_REST: Final = tuple(issuer for issuer in _NAMED if not issuer.is_ai)

LARGEST: Final = "SYN-CLOUD-3"
"""The issuer whose share passes an insurer's limits in the story."""
_LARGEST_MUSD: Final = 41_250
"""What it has issued in the year: 2.4 % of all, just below the first limit."""
_LARGEST_ISSUES: Final = 7
"""At least so many issues: each is at most this part of it."""


class _Period(NamedTuple):
    """Business days before the story's (1 is the last before it), both included; supply in USD millions.

    A period is of days of the story's year only (`this_year`), or only of days before it. `varied` is how unequal the
    sizes are.
    """

    first: int
    last: int
    this_year: bool
    ai_musd: int
    ai_issues: int
    rest_musd: int
    rest_issues: int
    varied: float = 1.0


_PERIODS: Final = (
    _Period(248, 1, False, 17_000, 4, 63_000, 34),
    _Period(248, 60, True, 357_800, 60, 822_400, 374),
    _Period(59, 20, True, 97_700, 16, 222_300, 100),
    # Issuers wait for what is to come: the quiet before the wave.
    _Period(19, 6, True, 14_500, 4, 111_500, 50),
    _Period(5, 1, True, 4_800, 4, 7_000, 7, 0.2),
)
"""With the story's 42,000 of ai and 20,000 of the rest: 1,700,000 in the year, of which ai is 30 %, and 31 % of the
last 20 and of the last 60 business days."""
_PAST_BUSINESS_DAYS: Final = 248
_WEEKDAYS: Final = (1.2, 1.25, 1.15, 1.0, 0.35)
_MONTHS: Final = (1.3, 1.1, 1.2, 0.8, 1.3, 1.0, 0.75, 0.8, 1.3, 1.0, 0.95, 0.6)
"""How much is issued on the days of a week, and of the months."""

_LOT_MUSD: Final = 50
_TENORS: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    1: ((3,), (5,), (7,), (10,), (30,)),
    2: ((5, 10), (3, 10), (10, 30)),
    3: ((3, 5, 10), (5, 10, 30)),
    4: ((3, 5, 10, 30),),
    5: ((3, 5, 7, 10, 30),),
}
_TRANCHES_FROM_MUSD: Final = (1_500, 4_000, 8_000, 14_000)
"""An issue has a tranche, and one more from each of these sizes on."""
_FLOATS_SHARE: Final = 0.3
"""Of issues with three tranches or more, those whose shortest floats."""
_FLOATS_FROM: Final = 3
_PURPOSES: Final = ("refinancing", "general", "refinancing", "acquisition")
_ROADSHOW_EVERY: Final = 4
"""Of so many issues one is announced days before it is priced."""

_STEPS: Final = (
    ("ipt", time(9, 20)), ("guidance", time(11, 30)), ("launched", time(13, 15)), ("priced", time(14, 45)),
    ("trading", time(16)),
)  # fmt: skip
_LONGEST_AFTER_S: Final = 1_500
"""Each step comes up to so many seconds after its time."""


@lru_cache(maxsize=2)
def past_issues(story_day: date, seed: int) -> tuple[Issue, ...]:
    """All issues before the story's day, in the order of pricing."""
    days, full = _days_before(story_day)
    issues: list[Issue] = []
    planned: list[tuple[date, int, bool]] = []
    for number, period in enumerate(_PERIODS):
        rnd = Random(f"{seed}:issuance:{number}").random  # noqa: S311 - a story, no secret
        mine = [
            day for day in days[-period.first : len(days) + 1 - period.last]
            if (day.year == story_day.year) == period.this_year and day in full
        ]  # fmt: skip
        for is_ai, total, count in (
            (True, period.ai_musd, period.ai_issues),
            (False, period.rest_musd, period.rest_issues),
        ):
            sizes = _split(total, [1 + period.varied * (2 * rnd() - 0.6) for _ in range(count)])
            planned += zip(_spread(mine, count, rnd), sizes, [is_ai] * count, strict=True)
    planned.sort(key=lambda each: each[0])
    largest = _of_the_largest([size if is_ai else 0 for _, size, is_ai in planned])
    rnd = Random(f"{seed}:issuance").random  # noqa: S311
    others = {True: [each for each in _AI if each.name != LARGEST], False: list(_REST)}
    issued = dict.fromkeys(ISSUERS, 0)
    for number, (day, size, is_ai) in enumerate(planned):
        # Whoever has issued least is next, so that nobody but the largest comes near a limit.
        issuer = ISSUERS[LARGEST] if number in largest else min(others[is_ai], key=lambda each: issued[each.name])
        issued[issuer.name] += size
        ahead = days[days.index(day) - 1 - number % 3] if number % _ROADSHOW_EVERY == 0 and day > days[3] else None
        issues.append(_issue(f"SYN-{day:%y%m%d}-{number}", issuer, size, day, ahead, rnd))
    return tuple(issues)


def _issue(
    issue_id: str, issuer: Issuer, size: int, day: date, announced: date | None, rnd: Callable[[], float]
) -> Issue:
    some = _TENORS[1 + sum(size >= least for least in _TRANCHES_FROM_MUSD)]
    tenors = some[int(rnd() * len(some))]
    floats = len(tenors) >= _FLOATS_FROM and rnd() < _FLOATS_SHARE
    tranches = tuple(
        Tranche(tenor, size_musd, floats and place == 0)
        for place, (tenor, size_musd) in enumerate(zip(tenors, _split(size, [1.0] * len(tenors)), strict=True))
    )
    first = (announced, time(11)) if announced else (day, time(8, 30))
    steps = [("announced", first), *((status, (day, at)) for status, at in _STEPS)]
    return Issue(
        issue_id=issue_id,
        issuer=issuer,
        tranches=tranches,
        purpose="capex" if issuer.is_ai else _PURPOSES[int(rnd() * len(_PURPOSES))],
        statuses=tuple((status, _us(on, at) + int(rnd() * _LONGEST_AFTER_S) * 1_000_000) for status, (on, at) in steps),
        concession_bp=1 + 2 * rnd(),
        cover=3.6 + 0.8 * rnd(),
        tightening_bp=20 + 10 * rnd(),
        break_bp=-rnd(),
    )


def _us(day: date, at: time) -> int:
    return MarketCalendar.at_new_york(day, at) * MICROSECONDS_PER_SECOND


def _days_before(story_day: date) -> tuple[list[date], set[date]]:
    """The business days of the bond market in the year before the story, and those of them with a whole session."""
    calendar, day = MarketCalendar(), story_day
    days, full = list[date](), set[date]()
    while len(days) < _PAST_BUSINESS_DAYS:
        day -= timedelta(days=1)
        if session := calendar.session(day):
            days.insert(0, day)
            if session[1] == calendar.at_new_york(day, SESSION_CLOSE):
                full.add(day)
    return days, full


def _split(total: int, weights: Sequence[float]) -> list[int]:
    """The total in whole lots by weight; the sum is exact."""
    scale = total / sum(weights)
    upto: list[int] = [round(each * scale / _LOT_MUSD) * _LOT_MUSD for each in accumulate(weights)]
    return [b - a for a, b in zip([0, *upto[:-1]], [*upto[:-1], total], strict=True)]


def _spread(days: Sequence[date], count: int, rnd: Callable[[], float]) -> list[date]:
    """So many of the days, evenly by how much is issued on each."""
    upto = list(accumulate(_WEEKDAYS[day.weekday()] * _MONTHS[day.month - 1] for day in days))
    found, place = [], 0
    for number in range(count):
        point = (number + 0.25 + 0.5 * rnd()) / count * upto[-1]
        while upto[place] < point:
            place += 1
        found.append(days[place])
    return found


def _of_the_largest(sizes: Sequence[int]) -> set[int]:
    """Which issues are the largest issuer's: some all over the year, and two so that its total is met, or nearly."""
    able = [number for number, size in enumerate(sizes) if 0 < size <= _LARGEST_MUSD / _LARGEST_ISSUES]
    found, left = set[int](), _LARGEST_MUSD
    step = len(able) // _LARGEST_ISSUES
    for number in (*able[::step], *able[step // 2 :: step]):
        if left > 2 * _LARGEST_MUSD // _LARGEST_ISSUES:
            found.add(number)
            left -= sizes[number]
    pairs = [(a, b) for a in able for b in able if a < b and not {a, b} & found]
    nearest: tuple[int, int] = min(pairs, key=lambda pair: abs(left - sizes[pair[0]] - sizes[pair[1]]))
    return found | set(nearest)
