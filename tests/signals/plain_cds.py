"""The CDS signals once more: slow, obvious, in plain Python, from their definitions and not from their code."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from fractions import Fraction
from math import exp
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.signals.events import CALENDAR, S, new_york_us
from tests.signals.plain import day_of
from tests.signals.plain_quotes import NAME_HOLD, PlainNames, Quote, exact, in_time
from tests.signals.quote_logs import name_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

Name = tuple[str, float]
"""Entity and tenor in years."""
ATTRIBUTES: Final = ("index", "index_series", "themes")
"""What stands until it is said anew; a recovery that is left out is 0.4 each time."""
BASE, FROZEN, LEAST = 20, 60, 10


def is_business_day(day: date) -> bool:
    return CALENDAR.session(day) is not None


def business_day(day: date) -> date:
    """The day itself, or the next business day."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def back(day: date, count: int) -> date:
    """So many business days before a day; one that is none counts as the next."""
    day = business_day(day)
    for _ in range(count):
        day -= timedelta(days=1)
        while not is_business_day(day):
            day -= timedelta(days=1)
    return day


def age(day: date, then: date) -> int:
    """Business days from one to the other."""
    count, day, then = 0, business_day(day), business_day(then)
    while then < day:
        then = business_day(then + timedelta(days=1))
        count += 1
    return count


@dataclass
class Stands:
    """What is believed of a name at a tick."""

    mid: Fraction | None
    blind: bool
    quote: Quote
    said: dict[str, Any] = field(default_factory=dict)


class PlainCds:
    """Answers for a log that was read to its end before anything ran."""

    def __init__(self, log: Log) -> None:
        self.quotes: dict[Name, list[Quote]] = defaultdict(list)
        self.notionals: dict[date, int] = {}
        for quote in in_time(log, "cds", "entity"):
            self.quotes[quote.fields["entity"], quote.fields.get("tenor_years", 5)].append(quote)
        for quotes in self.quotes.values():
            said: dict[str, dict[str, Any]] = defaultdict(dict)
            quotes.sort(key=lambda quote: (quote.ts, quote.offset))
            for quote in quotes:
                own = said[quote.partition]
                own.update({name: quote.fields[name] for name in ATTRIBUTES if name in quote.fields})
                quote.fields = quote.fields | own
            quotes.sort(key=lambda quote: (quote.second, quote.ts, quote.partition))
        self._closes: dict[Name, dict[date, Quote]] = {name: self._closes_of(name) for name in self.quotes}
        self._refused: dict[tuple[Name, date], bool] = {}

    def _bars(self, name: Name) -> list[Quote]:
        """The last quote of each second and partition, and of each second what was said last."""
        last = {(quote.second, quote.partition): quote for quote in self.quotes[name]}
        return sorted(last.values(), key=lambda quote: (quote.ts, quote.partition))

    def _closes_of(self, name: Name) -> dict[date, Quote]:
        """The last mid of each business day; a partition that ends without a mid says nothing."""
        ends: dict[tuple[date, str], Quote] = {}
        for quote in self._bars(name):
            ends[day_of(quote.second), quote.partition] = quote
        found: dict[date, Quote] = {}
        for (day, _), quote in sorted(ends.items(), key=lambda item: (item[1].ts, item[0][1])):
            if is_business_day(day) and PlainNames.mid(quote) is not None:
                found[day] = quote
        return found

    def close(self, name: Name, day: date) -> Fraction | None:
        quote = self._closes.get(name, {}).get(day)
        return None if quote is None else PlainNames.mid(quote)

    def days(self, name: Name, before: date) -> list[date]:
        """The days before one with a close, the newest first."""
        return sorted((day for day in self._closes.get(name, {}) if day < before), reverse=True)

    # What stands.

    def stands(self, name: Name, tick: int) -> Stands | None:
        seen = [quote for quote in self._bars(name) if quote.second < tick]
        if not seen:
            return None
        quote = max(seen, key=lambda quote: (quote.second, quote.ts, quote.partition))
        due = PlainNames.due(quote)
        if due <= tick:
            return Stands(None, True, quote, quote.fields)
        mid = PlainNames.mid(quote)
        return Stands(mid, self._is_stuck(name, mid, day_of(quote.second + 1)), quote, quote.fields)

    def _is_stuck(self, name: Name, mid: Fraction | None, day: date) -> bool:
        days = self.days(name, day)
        run = []
        for each in days:
            if self.close(name, each) != self.close(name, days[0]):
                break
            run.append(each)
        if mid is None or len(run) < 4 or self.close(name, run[0]) != mid:
            return False
        movers = peers = 0
        for peer in self.quotes:
            now, then = self.close(peer, run[0]), self.close(peer, run[-1])
            if peer != name and now is not None and then is not None:
                peers += 1
                movers += 100 * abs(now - then) >= 2 * then
        return movers >= 3 and 2 * movers >= peers

    # The base, and what is made of it.

    def base(self, name: Name, day: date) -> Fraction | None:
        found: list[Fraction | None] = []
        for then in self.days(name, business_day(day)):
            if age(day, then) > FROZEN + BASE or len(found) == BASE:
                break
            if age(day, then) > FROZEN or not self.is_refused(name, then):
                found.append(self.close(name, then))
        return Fraction(median(mid for mid in found if mid is not None)) if len(found) >= LEAST else None

    def is_refused(self, name: Name, day: date) -> bool:
        if (name, day) not in self._refused:
            base, close = self.base(name, day), self.close(name, day)
            assert close is not None
            earlier = next(iter(self.days(name, day)), None)
            was_refused = earlier is not None and self.is_refused(name, earlier)
            is_index = self._closes[name][day].fields.get("index")
            if base is None:
                found = False
            elif was_refused:  # until a close is past the exit
                found = close - base >= 8 if is_index else close - base >= 10 and close / base - 1 >= Fraction(15, 100)
            elif is_index:
                found = close - base >= 12
            else:
                found = close - base >= 15 and close / base - 1 >= Fraction(1, 4)
            self._refused[name, day] = found
        return self._refused[name, day]

    def widening(self, name: Name, tick: int, mid: Fraction) -> tuple[Fraction, Fraction] | None:
        """In bp, and as a part of the base."""
        base = self.base(name, day_of(tick))
        return None if base is None else (mid - base, mid / base - 1)

    def change(self, name: Name, tick: int, stands: Stands, days: int) -> Fraction | None:
        then = self._closes[name].get(back(day_of(tick), days))
        if then is None or stands.mid is None or then.fields.get("index_series") != stands.said.get("index_series"):
            return None
        mid = PlainNames.mid(then)
        return None if mid is None else stands.mid - mid

    def days_since(self, name: Name, tick: int, mid: Fraction) -> tuple[int | None, int | None]:
        """Since it was as high, and since the first close."""
        today = day_of(tick)
        days = self.days(name, today if is_business_day(today) else business_day(today))
        days = [day for day in days if day < today]
        if not days:
            return None, None
        high = next((day for day in days if (self.close(name, day) or 0) >= mid), days[-1])
        return (today - high).days, (today - days[-1]).days

    def bid_ask(self, name: Name, tick: int) -> Fraction | None:
        """Of the last 5 minutes, by microseconds."""
        spread = quoted = Fraction()
        for partition in {quote.partition for quote in self.quotes[name]}:
            own = [quote for quote in self.quotes[name] if quote.partition == partition and quote.second < tick]
            own.sort(key=lambda quote: (quote.ts, quote.offset))
            for n, quote in enumerate(own):
                until = min(quote.ts + NAME_HOLD * S, tick * S)
                if n + 1 < len(own):
                    until = min(until, own[n + 1].ts)
                stood = until - max(quote.ts, (tick - 300) * S)
                bid, ask = quote.fields.get("bid"), quote.fields.get("ask")
                if stood > 0 and bid is not None and ask is not None and ask >= bid:
                    spread += (exact(ask) - exact(bid)) * stood
                    quoted += (exact(ask) + exact(bid)) / 2 * stood
        return spread / quoted if quoted else None

    @staticmethod
    def default_probability(mid: Fraction, years: float, recovery: float | None) -> float:
        loss = 1 - (0.4 if recovery is None else recovery)
        return 1 - exp(-float(mid) / 10_000 * years / loss)

    # Baskets.

    def members(self, theme: str, tick: int) -> dict[str, Stands]:
        found = {}
        for entity, tenor in self.quotes:
            stands = self.stands((entity, tenor), tick) if tenor == 5 else None
            if stands is None or stands.said.get("index") or theme not in (stands.said.get("themes") or []):
                continue
            if age(day_of(tick), day_of(stands.quote.second + 1)) <= 20:
                found[entity] = stands
        return found

    def basket(self, theme: str, tick: int) -> Fraction | None:
        mids = [each.mid for each in self.members(theme, tick).values() if each.mid is not None and not each.blind]
        return sum(mids, Fraction()) / len(mids) if mids else None

    def basket_change(self, theme: str, tick: int, days: int) -> Fraction | None:
        changes = []
        for entity, stands in self.members(theme, tick).items():
            then = self._closes[entity, 5].get(back(day_of(tick), days))
            if stands.blind or then is None or theme not in (then.fields.get("themes") or []):
                continue
            change = self.change((entity, 5), tick, stands, days)
            if change is not None:
                changes.append(change)
        return sum(changes, Fraction()) / len(changes) if changes else None

    # Volume.

    def surge(self, day: date) -> Fraction | None:
        """After the end of a business day."""
        heard: dict[date, Fraction] = defaultdict(Fraction)
        for quotes in self.quotes.values():
            for quote in quotes:
                of = business_day(day_of(quote.second))
                if of <= day and not self._ends_as_index(quote, quotes):
                    heard[of] += exact(quote.fields.get("notional") or 0)
        days = [heard[each] for each in sorted(heard)]
        if len(days) < 140:
            return None
        blocks = [sum(days[len(days) - 20 * n - 20 : len(days) - 20 * n], Fraction()) for n in range(7)]
        usual = Fraction(median(blocks[1:]))
        return blocks[0] / usual if usual else None

    @staticmethod
    def _ends_as_index(quote: Quote, quotes: list[Quote]) -> bool:
        """Whether the name is an index at the end of the quote's day, in its partition."""
        own = [each for each in quotes if each.partition == quote.partition]
        of_day = [each for each in own if day_of(each.second) == day_of(quote.second)]
        return bool(of_day[-1].fields.get("index"))


# Logs.

ENTITIES: Final = ("ORCL", "META", "BANK", "CDX.NA.IG", "ITRAXX")
START: Final = date(2019, 6, 3)


def _fields(random: Random, entity: str, mid: float, day: int) -> dict[str, object]:
    kind = random.choice(["two"] * 3 + ["mark"] * 6 + ["bid", "crossed"])
    half = random.choice([0.5, 2, 4.25, 12])
    bid, ask = round(mid - half, 2), round(mid + half, 2)
    sides: dict[str, dict[str, object]] = {
        "two": {"bid": bid, "ask": ask}, "mark": {"mid": mid}, "bid": {"bid": bid}, "crossed": {"bid": ask, "ask": bid},
    }  # fmt: skip
    fields = sides[kind]
    if entity in ("CDX.NA.IG", "ITRAXX"):
        fields |= {"index": True, "index_series": 40 + (day > 25)}
    elif random.random() < 0.7:
        themes = [["ai"], ["ai", "cloud"], ["cloud"], ["bank"], []]
        fields["themes"] = themes[random.choice([0, 0, 1, 1, 1, 2, 3, 4])]
    if random.random() < 0.3:
        fields["notional"] = random.choice([5, 10, 2.5])
    if random.random() < 0.2:
        fields["recovery"] = random.choice([0.4, 0.25, 0])
    return fields


def cds_log(seed: int, most_days: int = 110) -> Log:
    """Weeks of marks and quotes: gaps, jumps, standstills, rolls, entities that come, go and change their themes."""
    random, log = Random(seed), []
    days = random.randint(3, most_days)
    names: list[Name] = [(entity, 5) for entity in ENTITIES if random.random() < 0.8] + [("ORCL", 1), ("META", 0.5)]
    mids = {name: random.choice([20.0, 60.0, 150.0]) for name in names}
    gap, quiet, weekend = random.choice([0, 0.1, 0.4]), random.choice([0, 0.5, 0.9]), random.random() < 0.2
    day = START
    for number in range(days):
        day += timedelta(days=1)
        if not is_business_day(day) and not (weekend and random.random() < 0.3):
            continue
        for name in names:
            if random.random() < gap:
                continue
            if random.random() >= quiet:
                mids[name] *= random.choice([0.97, 1, 1.01, 1.02])
            if random.random() < 0.03:
                mids[name] *= random.choice([0.6, 1.3, 1.7])
            mids[name] = min(max(mids[name], 14), 5_000)
            mid = round(mids[name], random.choice([0, 2]))
            last = random.random() < 0.85
            moments = [time(17, 30)] if last else random.sample([time(9), time(9, 0, 20), time(9, 4), time(13, 59)], 2)
            for moment in sorted(moments):
                ts_us = new_york_us(day, moment) + random.choice([0, 0, 250_000])
                partition = random.choice(["names", "names", "mixed"])
                fields = _fields(random, name[0], mid, number)
                if random.random() < 0.5 and moment == time(17, 30):
                    fields = {key: value for key, value in fields.items() if key not in ("bid", "ask")} | {"mid": mid}
                tenor = {} if name[1] == 5 and random.random() < 0.5 else {"tenor_years": name[1]}
                log.append(name_event(partition, name[0], ts_us, 0, **tenor, **fields))
    return sorted(log, key=lambda event: event.arrived_us)


def marks_of(days: list[date], mids: list[float], entity: str = "ORCL", **fields: object) -> list[Event]:
    """An end-of-day mark a day."""
    return [
        name_event("names", entity, new_york_us(day, time(17, 30)), 0, mid=mid, **fields)
        for day, mid in zip(days, mids, strict=True)
    ]
