"""The peer of the intraday Treasury table: msgspec and one loop, every sum carried on and none made anew.

It is what one would write for this one purpose: quotes in the order of time out of one partition within one session,
nothing refused, no restart, no levels and no alerts. It takes the yields and durations of the few issues that say their
coupon from the same functions as the monitor, and does not look for stale quotes and copied days, of which the made
quotes have none.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from monitor.signals.yields import duration_at, issue_of, yield_at

if TYPE_CHECKING:
    from collections.abc import Mapping

_US: Final = 1_000_000
SPAN: Final = 300
"""Seconds of the window of quotes."""
_POINT_32ND: Final = 31_250_000
_MID2_32ND: Final = 2 * _POINT_32ND
_MUSD: Final = 2_000
_TICKS: Final = {2_000: 1 / 8, 3_000: 1 / 4, 5_000: 1 / 4, 7_000: 1 / 2, 10_000: 1 / 2, 20_000: 1 / 2, 30_000: 1 / 2}
_LEAST_SECONDS, _LEAST_CHANGES, _LEAST_TRADED = 60, 15, 5
_YIELD_UNIT: Final = 1e10
_IMPACT: Final = _MID2_32ND // 100_000
_HALF_HOUR: Final = 1_800
_SILENCE: Final = 120


class Quote(msgspec.Struct, gc=False):
    """Of a quote what the table needs."""

    ts: int
    instrument: str
    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    tenor_years: float | None = None
    on_the_run: bool | None = None
    coupon: float | None = None
    maturity: str | None = None
    last_size: float | None = None
    aggressor: str | None = None


class Baseline(NamedTuple):
    """What a half-hour is used to."""

    spread_median: float
    spread_mad: float
    depth_median: float


class IssueRow(NamedTuple):
    """What is told of an issue at a second; None: absent or blind."""

    tick: int
    instrument: str
    spread: float | None
    zscore: float | None
    depth: float | None
    drop: float | None
    dispersion: float | None


class Sums:
    """Sums over the minutes of a window: what enters is added, what leaves taken away."""

    __slots__ = ("minutes", "span", "totals")

    def __init__(self, span_minutes: int, width: int) -> None:
        self.span = 60 * span_minutes
        self.minutes: deque[tuple[int, tuple[int, ...]]] = deque()
        self.totals = [0] * width

    def add(self, tick: int, terms: tuple[int, ...] | None) -> None:
        """Move on to the end of a minute."""
        totals = self.totals
        if terms is not None:
            self.minutes.append((tick, terms))
            for n, term in enumerate(terms):
                totals[n] += term
        while self.minutes and self.minutes[0][0] <= tick - self.span:
            for n, term in enumerate(self.minutes.popleft()[1]):
                totals[n] -= term


class Issue:
    """What is carried on of an issue."""

    __slots__ = (
        "changes",
        "coupon_e6",
        "depth",
        "depth_area",
        "depth_us",
        "depths",
        "due",
        "duration",
        "flow",
        "fresh_until",
        "hold_us",
        "last_us",
        "maturity",
        "mid2",
        "mids",
        "minute_mid2",
        "name",
        "on",
        "ordered",
        "signed",
        "spread",
        "spread_area",
        "spread_us",
        "spreads",
        "tenor",
        "traded",
    )  # fmt: skip

    def __init__(self, name: str, span: int) -> None:
        self.name = name
        self.last_us = 0
        self.spread: int | None = None
        self.depth: int | None = None
        self.mid2: int | None = None
        self.hold_us = 0
        self.due = self.fresh_until = 0
        self.spread_area = self.spread_us = self.depth_area = self.depth_us = 0
        # The running sums at each tick of the window and at its beginning.
        self.spreads: deque[tuple[int, int]] = deque([(0, 0)], span + 1)
        self.depths: deque[tuple[int, int]] = deque([(0, 0)], span + 1)
        self.mids: deque[int | None] = deque()
        self.ordered: list[int] = []
        self.tenor: int | None = None
        self.on: bool | None = None
        self.coupon_e6: int | None = None
        self.maturity: date | None = None
        self.duration = 0.0
        self.minute_mid2: int | None = None
        self.signed = self.traded = 0
        self.flow = Sums(60, 6)
        self.changes = Sums(30, 2)

    def take(self, q: Quote, session: tuple[int, int]) -> None:
        """The next quote."""
        stood = min(q.ts - self.last_us, self.hold_us)
        if self.spread is not None:
            self.spread_area += self.spread * stood
            self.spread_us += stood
            if self.depth is not None:
                self.depth_area += self.depth * stood
                self.depth_us += stood
        self.last_us = q.ts
        bid, ask = q.bid, q.ask
        self.spread = self.depth = self.mid2 = None
        if bid and ask and ask >= bid:
            bid_e9, ask_e9 = round(bid * 1e9), round(ask * 1e9)
            self.spread, self.mid2 = ask_e9 - bid_e9, ask_e9 + bid_e9
            if q.bid_size is not None and q.ask_size is not None:
                self.depth = round(q.bid_size * 1e3) + round(q.ask_size * 1e3)
        if q.last_size is not None:
            size = round(q.last_size * 1e3)
            self.traded += size
            self.signed += size if q.aggressor == "buy" else -size if q.aggressor == "sell" else 0
        if self.on is None or q.on_the_run is not self.on or self.tenor is None:
            self._describe(q)
        since = max(q.ts // _US + 1, session[0])
        hold = self.hold_us // _US
        self.due = _within(since + hold, session)
        self.fresh_until = _within(since + (30 if self.on else 900), session)

    def _describe(self, q: Quote) -> None:
        self.on = q.on_the_run if q.on_the_run is not None else self.on
        self.hold_us = (300 if self.on else 900) * _US
        if q.tenor_years is not None:
            self.tenor = round(q.tenor_years * 1e3)
            self.duration = (1 - math.pow(1.02, -2 * self.tenor / 1_000)) / 0.04
        if q.coupon is not None:
            self.coupon_e6 = round(q.coupon * 1e6)
        if q.maturity is not None:
            self.maturity = date.fromisoformat(q.maturity)


def _within(tick: int, session: tuple[int, int]) -> int:
    """Patience that the session does not use up ends in the next one, beyond all that is looked at."""
    return tick if tick < session[1] else 1 << 62


class HandTable:
    """Every signal of the table at every second.

    Args:
        session: epoch seconds, first and end.
        value_date: its date.
        baselines: by half-hour, tenor (thousandths of a year) and whether it is on the run.
        band: of the 10-year yield, percent.
        span: the window of quotes, seconds.
        spread_only: make the spread alone.
    """

    def __init__(
        self,
        session: tuple[int, int],
        value_date: date,
        baselines: Mapping[tuple[int, int, bool], Baseline],
        band: tuple[float, float],
        *,
        span: int = SPAN,
        spread_only: bool = False,
    ) -> None:
        self.spreads: list[tuple[int, str, float | None]] = []
        self.rows: list[IssueRow] = []
        self.two_sided: list[tuple[int, float | None]] = []
        self.excess: list[tuple[int, int, float | None]] = []
        self.impact: list[tuple[int, str, float | None]] = []
        self.volatility: list[tuple[int, str, float | None]] = []
        self.slopes: list[tuple[int, str, float | None]] = []
        self.bands: list[tuple[int, float | None]] = []
        self._session, self._value_date = session, value_date
        self._baselines, self._span, self._spread_only = baselines, span, spread_only
        self._low, self._high = (round(end * 1e6) for end in band)
        self._issues: dict[str, Issue] = {}
        self._begun: set[int] = set()
        self._decode = msgspec.json.Decoder(Quote).decode

    def push(self, lines: list[bytes], until: int) -> None:
        """Take in lines in the order of time, and run the ticks up to one."""
        decode, issues, session = self._decode, self._issues, self._session
        tick = self._spread_tick if self._spread_only else self._tick
        second: int | None = None
        for line in lines:
            q = decode(line)
            now = q.ts // _US
            if second is None:
                second = now
            while second < now:
                second += 1
                tick(second)
            issue = issues.get(q.instrument)
            if issue is None:
                issue = issues[q.instrument] = Issue(q.instrument, self._span)
            issue.take(q, session)
        while second is not None and second < until:
            second += 1
            tick(second)

    def _spread_tick(self, tick: int) -> None:
        """The spread of each issue."""
        now_us, told = tick * _US, self.spreads.append
        for issue in self._issues.values():
            area, us = issue.spread_area, issue.spread_us
            if issue.spread is not None:
                stood = now_us - issue.last_us
                if stood > issue.hold_us:
                    stood = issue.hold_us
                area += issue.spread * stood
                us += stood
            sums = issue.spreads
            sums.append((area, us))
            if tick < issue.due:
                before = sums[0]
                us -= before[1]
                told((tick, issue.name, (area - before[0]) / (us * _POINT_32ND) if us else None))
            elif tick == issue.due:
                told((tick, issue.name, None))

    def _tick(self, tick: int) -> None:
        """All that is told at a second."""
        now_us, told = tick * _US, self.rows.append
        half_hour = (tick - 1 - self._session[0]) // _HALF_HOUR
        baselines = self._baselines
        known = fresh = 0
        heard_us = 0
        sides: dict[int, tuple[list[float], list[Issue], list[float | None]]] = {}
        off_count: dict[int, int] = {}
        off_silent: dict[int, int] = {}
        for issue in self._issues.values():
            area, us = issue.spread_area, issue.spread_us
            depth_area, depth_us = issue.depth_area, issue.depth_us
            last_us = issue.last_us
            stood = now_us - last_us
            mid2 = issue.mid2
            if stood > issue.hold_us:
                stood, mid2 = issue.hold_us, None
            if issue.spread is not None:
                area += issue.spread * stood
                us += stood
                if issue.depth is not None:
                    depth_area += issue.depth * stood
                    depth_us += stood
            issue.spreads.append((area, us))
            issue.depths.append((depth_area, depth_us))
            is_blind = tick >= issue.due
            # The mids of the last seconds, by time and by size.
            mids, ordered = issue.mids, issue.ordered
            mids.append(mid2)
            gone = mids.popleft() if len(mids) > SPAN else None
            if gone != mid2:
                if gone is not None:
                    del ordered[bisect_left(ordered, gone)]
                if mid2 is not None:
                    insort(ordered, mid2)
            spread: float | None = None
            if not is_blind:
                before = issue.spreads[0]
                us -= before[1]
                zscore = depth = drop = dispersion = None
                baseline = baselines.get((half_hour, issue.tenor or 0, bool(issue.on)))
                if us:
                    spread = (area - before[0]) / (us * _POINT_32ND)
                    if baseline is not None:
                        scale = max(1.4826 * baseline.spread_mad, _TICKS.get(issue.tenor or 0, 0.5))
                        zscore = (spread - baseline.spread_median) / scale
                before = issue.depths[0]
                depth_us -= before[1]
                if depth_us:
                    depth = (depth_area - before[0]) / (depth_us * _MUSD)
                    if baseline is not None and baseline.depth_median > 0:
                        drop = 1 - depth / baseline.depth_median
                count = len(ordered)
                if count >= _LEAST_SECONDS:
                    dispersion = (ordered[-(-3 * (count - 1) // 4)] - ordered[(count - 1) // 4]) / _MID2_32ND
                told(IssueRow(tick, issue.name, spread, zscore, depth, drop, dispersion))
            elif tick == issue.due:
                told(IssueRow(tick, issue.name, None, None, None, None, None))
            known += 1
            if tick < issue.fresh_until and issue.mid2 is not None:
                fresh += 1
            if issue.on and last_us > heard_us:
                heard_us = last_us
            tenor = issue.tenor
            if tenor is not None and issue.on is not None:
                side = sides.get(tenor)
                if side is None:
                    side = sides[tenor] = ([], [], [])
                    off_count[tenor] = off_silent[tenor] = 0
                if issue.on:
                    side[1].append(issue)
                    side[2].append(spread)
                else:
                    off_count[tenor] += 1
                    if is_blind:
                        off_silent[tenor] += 1
                    elif spread is not None:
                        side[0].append(spread)
        is_silent = heard_us > 0 and tick >= _within(heard_us // _US + 1 + _SILENCE, self._session)
        self.two_sided.append((tick, None if is_silent or not known else fresh / known))
        for tenor, (off, on, on_spreads) in sides.items():
            self._tell_excess(tick, tenor, off, on, on_spreads, 2 * off_silent[tenor] > off_count[tenor])
        if tick % 60 == 0:
            self._minute(tick)

    def _tell_excess(
        self, tick: int, tenor: int, off: list[float], on: list[Issue], spreads: list[float | None], is_silent: bool
    ) -> None:
        value = None
        if on and off and not is_silent:
            newest = max(range(len(on)), key=lambda n: (on[n].maturity or date.min, on[n].name))
            spread = spreads[newest]
            if spread is not None:
                off.sort()
                half = len(off) // 2
                median = off[half] if len(off) % 2 else (off[half - 1] + off[half]) / 2
                value = median - spread
        self.excess.append((tick, tenor, value))

    def _minute(self, tick: int) -> None:
        """What is told at the end of a minute."""
        on_the_run: dict[int, Issue] = {}
        for issue in self._issues.values():
            stands = tick * _US - issue.last_us <= issue.hold_us
            mid2, before = issue.mid2 if stands else None, issue.minute_mid2
            flow = change = None
            if mid2 is not None and before is not None:
                x, y = issue.signed, mid2 - before
                flow = (1, int(issue.traded > 0), x, y, x * x, x * y)
                change_e6 = self._yield_change(issue, before, mid2)
                change = (1, change_e6 * change_e6)
            issue.flow.add(tick, flow)
            issue.changes.add(tick, change)
            issue.minute_mid2 = mid2
            issue.signed = issue.traded = 0
            if issue.on and issue.tenor in {2_000, 10_000, 30_000} and issue.maturity is not None and mid2 is not None:
                newest = on_the_run.get(issue.tenor)
                if newest is None or newest.maturity is None or newest.maturity < issue.maturity:
                    on_the_run[issue.tenor] = issue
            if tick < issue.due:
                self.impact.append((tick, issue.name, _slope(issue.flow.totals)))
                count, squares = issue.changes.totals
                root = math.sqrt(squares) / 1e6 if count >= _LEAST_CHANGES else None
                self.volatility.append((tick, issue.name, root))
        yields = {tenor: self._yield_e6(issue) for tenor, issue in on_the_run.items()}
        self._begun |= yields.keys()
        for long, short in ((30, 10), (10, 2)):
            if {1_000 * long, 1_000 * short} <= self._begun:
                ends = yields.get(1_000 * long), yields.get(1_000 * short)
                value = None if ends[0] is None or ends[1] is None else (ends[0] - ends[1]) / 10_000
                self.slopes.append((tick, f"{long}y-{short}y", value))
        if 10_000 in self._begun:
            ten = yields.get(10_000)
            self.bands.append((tick, None if ten is None else (ten - self._low) / (self._high - self._low)))

    def _yield_change(self, issue: Issue, before: int, mid2: int) -> int:
        """1e-6 bp."""
        if issue.coupon_e6 is not None and issue.maturity is not None:
            eighths = (before + _MID2_32ND * 2) // (_MID2_32ND * 4)
            duration = _duration(issue.coupon_e6, issue.maturity, self._value_date, eighths)
            return round((before - mid2) * _YIELD_UNIT / (duration * before))
        return round(math.log(before / mid2) * _YIELD_UNIT / issue.duration)

    def _yield_e6(self, issue: Issue) -> int | None:
        if issue.coupon_e6 is None or issue.maturity is None or issue.mid2 is None:
            return None
        found = _yield(issue.coupon_e6, issue.maturity, self._value_date, issue.mid2)
        return None if found is None else round(100 * found * 1e6)


def _slope(totals: list[int]) -> float | None:
    minutes, traded, x, y, xx, xy = totals
    variance = minutes * xx - x * x
    if traded < _LEAST_TRADED or variance <= 0:
        return None
    return (minutes * xy - x * y) / (variance * _IMPACT)


@lru_cache(maxsize=1 << 16)
def _yield(coupon_e6: int, maturity: date, value_date: date, mid2: int) -> float | None:
    issue = _of(coupon_e6, maturity, value_date)
    return None if issue is None else yield_at(issue, mid2 / 2e9)


@lru_cache(maxsize=1 << 14)
def _duration(coupon_e6: int, maturity: date, value_date: date, eighths: int) -> float:
    issue = _of(coupon_e6, maturity, value_date)
    found = None if issue is None else yield_at(issue, eighths / 8)
    duration = None if issue is None or found is None else duration_at(issue, found)
    if duration is None:
        raise ValueError("the made quotes have a yield each")
    return duration


_of: Final = lru_cache(maxsize=1 << 10)(issue_of)
