"""The signals of quotes once more: slow, obvious, in plain Python, from their definitions and not from their code.

Which quotes stood for which microseconds of a window, and for how long an issue has been silent in session seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from tests.signals.events import CALENDAR, S, new_york_us
from tests.signals.plain import day_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.signals.events import Log

ON_HOLD, OFF_HOLD, SPAN, NAME_HOLD = 300, 900, 300, 3_600
EXPECTED_SESSIONS: Final = 5
PRESENT, ABSENT, BLIND = "present", "absent", "blind"
_DECIMALS: Final = 10**9


def exact(number: float) -> Fraction:
    """A decimal as it is written."""
    return Fraction(str(number))


@dataclass
class Quote:
    """An event that came in time, and what its issue was last said to be."""

    ts: int
    partition: str
    offset: int
    fields: dict[str, Any]
    tenor: float | None = None
    on_the_run: bool | None = None

    @property
    def second(self) -> int:
        return self.ts // S

    @property
    def hold(self) -> int:
        return ON_HOLD if self.on_the_run else OFF_HOLD

    def figure(self, name: str) -> Fraction | None:
        """The spread in 32nds, as far as it counts, or the depth in millions, of a quote of two sides in order."""
        bid, ask = self.fields.get("bid"), self.fields.get("ask")
        if not bid or not ask or ask < bid:
            return None
        if name == "spread":
            ticks = Fraction(1, {2.0: 8, 3.0: 4, 5.0: 4}.get(self.tenor or 0.0, 2)) * (32 if self.on_the_run else 64)
            return min(32 * (exact(ask) - exact(bid)), ticks)
        sizes = [self.fields.get("bid_size"), self.fields.get("ask_size")]
        return None if None in sizes else sum((exact(size) for size in sizes if size is not None), Fraction()) / 2


def in_time(log: Log, stream: str, key: str) -> Iterator[Quote]:
    """The quotes of a stream that were not late; quotes and trades of other streams move the watermark as well."""
    offsets: Counter[str] = Counter()
    newest: dict[str, int] = {}
    ids: dict[str, set[str]] = defaultdict(set)
    for event in log:
        partition, fields = event.partition, event.fields
        offset, ts = offsets[partition], fields["ts"]
        offsets[partition] += 1
        is_quote = event.stream in ("treasury", "cds") and "close" not in fields
        is_trade = event.stream == "repo" and fields.get("kind") != "benchmark" and fields.get("term_days", 1) == 1
        if not is_quote and not is_trade:
            continue
        seen = newest.get(partition)
        newest[partition] = max(ts, seen or ts)
        if seen is not None and (ts // S + 1) * S <= seen - 2 * S:
            continue
        if event.stream == stream and key in fields:
            if "id" in fields:
                if fields["id"] in ids[partition]:
                    continue
                ids[partition].add(fields["id"])
            yield Quote(ts, partition, offset, fields)


def session_of(tick: int) -> tuple[int, int] | None:
    return CALENDAR.session(day_of(tick))


def is_open(tick: int) -> bool:
    session = session_of(tick)
    return session is not None and session[0] <= tick < session[1]


def patience_ends(since: int, seconds: int) -> int:
    """The first tick in session at which so many seconds of sessions have gone by."""
    day = day_of(since)
    while True:
        session = CALENDAR.session(day)
        if session is not None and since < session[1]:
            begin = max(since, session[0])
            if begin + seconds < session[1]:
                return begin + seconds
            seconds -= session[1] - begin
        day += timedelta(days=1)


class PlainTreasury:
    """Answers for a log that was read to its end before anything ran."""

    def __init__(self, log: Log) -> None:
        self.issues: dict[str, dict[str, list[Quote]]] = defaultdict(lambda: defaultdict(list))
        for quote in in_time(log, "treasury", "instrument"):
            self.issues[quote.fields["instrument"]][quote.partition].append(quote)
        for partitions in self.issues.values():
            for quotes in partitions.values():
                quotes.sort(key=lambda quote: (quote.ts, quote.offset))
                tenor = on_the_run = None
                for quote in quotes:
                    quote.tenor = tenor = quote.fields.get("tenor_years", tenor)
                    quote.on_the_run = on_the_run = quote.fields.get("on_the_run", on_the_run)

    def seen(self, issue: str, tick: int) -> list[list[Quote]]:
        """By partition, the quotes that are seen at a tick."""
        found = ([quote for quote in quotes if quote.second < tick] for quotes in self.issues[issue].values())
        return [quotes for quotes in found if quotes]

    def due(self, issue: str, tick: int) -> list[int]:
        """By partition, when the silence after its last quote lasted too long."""
        return [patience_ends(quotes[-1].second + 1, quotes[-1].hold) for quotes in self.seen(issue, tick)]

    def over(self, issue: str, tick: int) -> list[int]:
        """By partition, when its silence or its maturity ends what is expected of it."""
        found = []
        for quotes in self.seen(issue, tick):
            last = day_of(quotes[-1].second + 1)
            sessions = 0 if CALENDAR.session(last) else -1
            day = last
            while sessions < EXPECTED_SESSIONS + 1:
                day += timedelta(days=1)
                sessions += CALENDAR.session(day) is not None
            session = CALENDAR.session(day)
            assert session is not None
            found.append(session[0])
        return found

    def attributes(self, issue: str, tick: int) -> tuple[float | None, bool | None]:
        newest = sorted(
            (quotes[-1] for quotes in self.seen(issue, tick)), key=lambda quote: (quote.ts, quote.partition)
        )
        tenor = on_the_run = None
        for quote in newest:
            tenor = quote.tenor if quote.tenor is not None else tenor
            on_the_run = quote.on_the_run if quote.on_the_run is not None else on_the_run
        return tenor, on_the_run

    def mean(self, issue: str, figure: str, tick: int) -> Fraction | None:
        """The mean over the last 5 minutes of the session, weighted by microseconds."""
        session = session_of(tick)
        if session is None or not session[0] <= tick < session[1]:
            return None
        begin, end = max(tick - SPAN, session[0]) * S, tick * S
        area, length = Fraction(), 0
        for quotes in self.seen(issue, tick):
            for n, quote in enumerate(quotes):
                until = quote.ts + quote.hold * S
                if n + 1 < len(quotes):
                    until = min(until, quotes[n + 1].ts)
                stood = min(until, end) - max(quote.ts, begin)
                value = quote.figure(figure)
                if stood > 0 and value is not None:
                    area += value * stood
                    length += stood
        return area / length if length else None

    def state(self, issue: str, figure: str, tick: int) -> str:
        due, over = self.due(issue, tick), self.over(issue, tick)
        if over and all(each <= tick for each in over):
            return ABSENT
        if due and all(each <= tick for each in due):
            return BLIND
        return ABSENT if self.mean(issue, figure, tick) is None else PRESENT

    def says(self, issue: str, tick: int) -> bool:
        """Whether anything is told of an issue at a tick that is looked at."""
        session, due, over = session_of(tick), self.due(issue, tick), self.over(issue, tick)
        speaks = any(tick <= each for each in due) or tick in over
        return session is not None and session[0] <= tick <= session[1] and speaks


class PlainNames:
    """The last mids of a log that was read to its end before anything ran."""

    def __init__(self, log: Log) -> None:
        self.names: dict[tuple[str, float], list[Quote]] = defaultdict(list)
        for quote in in_time(log, "cds", "entity"):
            self.names[quote.fields["entity"], quote.fields.get("tenor_years", 5)].append(quote)

    @staticmethod
    def mid(quote: Quote) -> Fraction | None:
        bid, ask, mid = (quote.fields.get(name) for name in ("bid", "ask", "mid"))
        if bid is not None and ask is not None:
            return None if ask < bid else (exact(bid) + exact(ask)) / 2
        return None if mid is None else exact(mid)

    @staticmethod
    def due(quote: Quote) -> int:
        """A quote is due an hour of session later, a mark at 18:00 of the next day with a session."""
        if "mid" not in quote.fields or "bid" in quote.fields or "ask" in quote.fields:
            return patience_ends(quote.second + 1, NAME_HOLD)
        day = day_of(quote.second + 1) + timedelta(days=1)
        while CALENDAR.session(day) is None:
            day += timedelta(days=1)
        return new_york_us(day, time(18)) // S

    def told(self) -> dict[tuple[int, str, float], tuple[Fraction | None, bool]]:
        """(tick, entity, tenor) to the mid, and whether it is overdue."""
        every: dict[tuple[int, str, float], tuple[Fraction | None, bool]] = {}
        for (entity, tenor), quotes in self.names.items():
            last: dict[tuple[int, str], Quote] = {}
            for quote in sorted(quotes, key=lambda quote: (quote.ts, quote.offset)):
                last[quote.second, quote.partition] = quote
            newest: dict[int, Quote] = {}
            for quote in sorted(last.values(), key=lambda quote: (quote.ts, quote.partition)):
                newest[quote.second] = quote
            seconds = sorted(newest)
            for second, then in zip(seconds, [*seconds[1:], None], strict=True):
                quote = newest[second]
                every[second + 1, entity, tenor] = (self.mid(quote), False)
                if then is None or self.due(quote) < then + 1:
                    every[self.due(quote), entity, tenor] = (None, True)
        return every
